"""`checkrein grants`, and what `approvals approve` asks for: options -> bodies and sentences."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from gateway.cli import grants
from gateway.cli.approvals import answer
from gateway.cli.main import run_command

APPROVAL = "3f2a0000-0000-4000-8000-000000000001"
GRANT = "7c1e0000-0000-4000-8000-000000000001"


def a_grant() -> dict[str, Any]:
    return {
        "grantId": GRANT, "approvalId": APPROVAL, "status": "ACTIVE", "agent": "bot",
        "runId": None, "sameAct": False, "provider": "stripe", "operation": "stripe.refunds.create",
        "action": "create_refund", "kind": "create", "authority": "api.stripe.com:443",
        "method": "POST", "policy": "p", "rule": "r", "target": {"type": "charge", "id": "ch_1"},
        "summary": "refund", "riskMax": 45, "usesMax": 10, "usesCount": 3, "givenBy": ["ann"],
        "amount": {
            "param": "amount", "currency": "usd", "max": 50_000, "eachMax": None, "used": 27_000,
        },
        "createdAt": "2026-11-21T15:00:00Z", "expiresAt": "2126-11-21T15:00:00Z",
        "endedAt": None, "endedBy": None, "endReason": None,
    }  # fmt: skip


class FakeApi:
    """The control plane's side; `params` are those of the approval."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.params: dict[str, Any] = {"amount": 9000, "currency": "usd"}
        self.seen: dict[str, Any] = {}
        self.grant: dict[str, Any] | None = a_grant()

    def get(self, path: str, query: Any = None, wait_seconds: float = 0) -> dict[str, Any]:
        if path == "/v1/grants":
            return {"grants": [a_grant()]}
        if path.startswith("/v1/grants/"):
            use = {
                "approvalId": APPROVAL, "amount": 9000, "usedAt": "2026-11-21T15:00:00Z",
                "givenBackAt": None,
            }  # fmt: skip
            return {"grant": a_grant(), "uses": [use]}
        return {"approval": self.approval()}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.posts.append((path, body))
        if path.startswith("/v1/grants/"):
            return {"grant": {**a_grant(), "status": "REVOKED"}}
        return {"approval": {**self.approval(), "status": "APPROVED"}, "grant": self.grant}

    def approval(self) -> dict[str, Any]:
        return {
            "approvalId": APPROVAL,
            "summary": "refund",
            "provider": "stripe",
            "params": self.params,
            "witness": {"state": self.seen},
        }


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """What every command of these tests speaks with."""
    fake = FakeApi()
    monkeypatch.setattr("gateway.cli.api.open_api", lambda _: fake)
    for module in (grants, answer):
        monkeypatch.setattr(module, "person_here", lambda: "ada")
    return fake


USD = {"amount": 9000, "currency": "USD"}

WISHES: dict[str, tuple[dict[str, Any], list[str], dict[str, Any]]] = {
    "a span": (USD, ["--for", "1h30m"], {"seconds": 5400}),
    "all of it": (
        USD,
        ["--for", "30m", "--times", "3", "--up-to", "500.00", "--this-run", "--any-target"],
        {
            "seconds": 1800,
            "uses": 3,
            "amount": {"currency": "usd", "max": 50_000},
            "run": True,
            "sameTarget": False,
        },
    ),
    "an amount without decimals": (
        USD, ["--up-to", "500"], {"amount": {"currency": "usd", "max": 50_000}}
    ),
    "one decimal": (USD, ["--up-to", "0.5"], {"amount": {"currency": "usd", "max": 50}}),
    "a currency without decimals": (
        {"amount": 1, "currency": "jpy"}, ["--up-to", "500"],
        {"amount": {"currency": "jpy", "max": 500}},
    ),
    "no currency": ({"amount": 1}, ["--up-to", "500"], {"amount": {"currency": None, "max": 500}}),
    "a risk": (USD, ["--risk-max", "0"], {"riskMax": 0}),
}  # fmt: skip


@pytest.mark.parametrize("row", WISHES.values(), ids=WISHES)
def test_options_become_the_body_of_a_grant(
    api: FakeApi, row: tuple[dict[str, Any], list[str], dict[str, Any]]
):
    """Amounts as people write them, in minor units of the act's own currency."""
    api.params, options, grant = row
    assert run_command(["approvals", "approve", APPROVAL, "--reason", "why", *options]) == 0
    [(path, body)] = api.posts
    assert path == f"/v1/approvals/{APPROVAL}/resolve"
    said = {name: body[name] for name in ("resolution", "resolvedBy", "reason", "grant")}
    assert said == {
        "resolution": "APPROVE", "resolvedBy": "ada", "reason": "why", "grant": grant,
    }  # fmt: skip


def test_an_amount_is_written_in_the_currency_of_the_target(api: FakeApi):
    """A refund names none; what it covers is still an act without one."""
    api.params, api.seen = {"amount": 9000}, {"currency": "usd"}
    assert run_command(["approvals", "approve", APPROVAL, "--up-to", "500.00"]) == 0
    [(_, body)] = api.posts
    assert body["grant"] == {"amount": {"currency": None, "max": 50_000}}


UNREADABLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a span without a unit": (USD, ["--for", "30"]),
    "no time at all": (USD, ["--for", "0m"]),
    "days": (USD, ["--for", "2d"]),
    "once": (USD, ["--times", "1"]),
    "too many decimals": (USD, ["--up-to", "1.234"]),
    "decimals of yen": ({"currency": "jpy"}, ["--up-to", "1.5"]),
    "decimals of nobody's currency": ({}, ["--up-to", "1.50"]),
    "a negative amount": (USD, ["--up-to", "-1"]),
    "an amount with its currency": (USD, ["--up-to", "5 USD"]),
}


@pytest.mark.parametrize("row", UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_read_answers_nothing(api: FakeApi, row: tuple[Any, list[str]]):
    """Nobody is to find out later what they agreed to."""
    api.params, options = row
    assert run_command(["approvals", "approve", APPROVAL, *options]) == 2
    assert api.posts == []


def test_without_options_it_is_a_yes_to_one_act(api: FakeApi):
    """The body has no grant."""
    assert run_command(["approvals", "approve", APPROVAL]) == 0
    assert ["grant" in body for _, body in api.posts] == [False]


def test_programs_read_the_grant_beside_the_approval(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
):
    """The shape is that of a plain answer with one more field; null where none came of it."""
    for grant in (a_grant(), None):
        api.grant = grant
        assert run_command(["approvals", "approve", APPROVAL, "--for", "5m", "--json"]) == 0
        written = json.loads(capsys.readouterr().out)
        assert (written["approvalId"], written["grant"]) == (APPROVAL, grant)


def test_a_grant_is_revoked_by_the_first_characters_of_its_id(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
):
    """With who does it, and why."""
    assert run_command(["grants", "revoke", "7c1e", "--reason", "done", "--json"]) == 0
    body = {"reason": "done", "by": "ada"}
    assert api.posts == [(f"/v1/grants/{GRANT}/revoke", body)]
    assert json.loads(capsys.readouterr().out)["status"] == "REVOKED"


def test_a_terminal_is_told_what_is_left(api: FakeApi, monkeypatch: pytest.MonkeyPatch):
    """In the list, in full and with the yes, in the currency's own decimals."""
    monkeypatch.setenv("NO_COLOR", "1")
    for command in (
        ["grants", "list"],
        ["grants", "show", "7c1e"],
        ["approvals", "approve", APPROVAL, "--for", "30m"],
    ):
        screen = io.StringIO()
        screen.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdout", screen)
        monkeypatch.setenv("COLUMNS", "200")
        assert run_command(command) == 0
        told = " ".join(screen.getvalue().split())
        assert "7 of 10 uses left" in told, command
        assert "270.00 USD of 500.00 USD used" in told, command
