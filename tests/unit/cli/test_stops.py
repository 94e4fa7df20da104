"""`checkrein stop`, `resume`, `stops`: what is asked of the control plane, and what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.cli import stops
from gateway.cli.failures import CommandError
from gateway.cli.main import run_command

IDS = ("3f2a0000-0000-4000-8000-000000000001", "3f2b0000-0000-4000-8000-000000000002")


class FakeApi:
    """The control plane's side. `obeying` gateways record every stop; `forbidden` paths are not
    for this key."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.in_force = [a_stop(IDS[0], "agent", "bot"), a_stop(IDS[1], "everything", None)]
        self.obeying = ("gw_1", "gw_2")
        self.forbidden: set[str] = set()

    def get(self, path: str, query: Any = None, wait_seconds: float = 0) -> dict[str, Any]:
        if path in self.forbidden:
            raise CommandError("this key may not do that")
        if path == "/v1/stops":
            return {"stops": self.in_force}
        if path == "/v1/agents":
            return {"agents": [{"name": "bot"}]}
        line = f'{{"event":"stop_in_force","detail":"agent stopped ({IDS[0]}): why"}}'
        return {"records": [{"gatewayId": name, "line": line} for name in self.obeying]}

    def pages(self, path: str, name: str) -> list[dict[str, Any]]:
        return list(self.get(path)[name])

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.posts.append((path, body))
        if path == "/v1/stops":
            return {"stop": a_stop(IDS[0], body["scope"], body["name"])}
        return {"stop": a_stop(path.split("/")[3], "agent", "bot")}


def a_stop(stop_id: str, scope: str, name: str | None) -> dict[str, Any]:
    return {
        "stopId": stop_id,
        "scope": scope,
        "name": name,
        "reason": "why",
        "by": "ada",
        "at": "2026-11-21T15:00:00Z",
    }


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """What every command of these tests speaks with; nobody is waited for."""
    fake = FakeApi()
    monkeypatch.setattr("gateway.cli.api.open_api", lambda _: fake)
    monkeypatch.setattr(stops, "person_here", lambda: "ada")
    monkeypatch.setattr(stops, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(stops, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(stops, "HEARD_SECONDS_MAX", 0.01)
    return fake


MADE = {
    "an agent": (["agent", "bot"], {"scope": "agent", "name": "bot"}, None),
    "an agent that nobody is": (
        ["agent", "Bot"], {"scope": "agent", "name": "Bot"}, "No agent is called `Bot`",
    ),
    "a run": (["run", "r-1"], {"scope": "run", "name": "r-1"}, None),
    "a provider": (["provider", "Stripe"], {"scope": "provider", "name": "Stripe"}, None),
    "a provider that no mapper has": (
        ["provider", "strype"], {"scope": "provider", "name": "strype"}, "No shipped mapper",
    ),
    "everything": (["everything", "--yes"], {"scope": "everything", "name": None}, None),
}  # fmt: skip


@pytest.mark.parametrize(("words", "body", "hint"), MADE.values(), ids=MADE.keys())
def test_what_is_stopped(
    api: FakeApi,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    body: dict[str, Any],
    hint: str | None,
) -> None:
    """The stop is sent; then a name that nothing has is pointed out, and who obeys is counted."""
    assert run_command(["stop", *words, "--reason", "why"]) == 0
    assert api.posts == [("/v1/stops", {**body, "reason": "why", "by": "ada"})]
    said = json.loads(capsys.readouterr().out)
    assert said["gateways"] == 2
    assert (said["hint"] or "").startswith(hint or "")
    assert (said["hint"] is None) == (hint is None)


def test_a_key_that_may_only_stop(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """What it may not look at is unknown, and the command is done."""
    api.forbidden = {"/v1/records", "/v1/agents"}
    assert run_command(["stop", "agent", "nobody", "--reason", "why"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["gateways"], said["hint"]) == (None, None)


LIFTED = {
    "one, by its first characters": (["3f2a"], [IDS[0]]),
    "one, by its id": ([IDS[1]], [IDS[1]]),
    "all": (["--all"], list(IDS)),
}


@pytest.mark.parametrize(("words", "ids"), LIFTED.values(), ids=LIFTED.keys())
def test_what_is_lifted(api: FakeApi, words: list[str], ids: list[str]) -> None:
    """With the reason, each once."""
    assert run_command(["resume", *words, "--reason", "mended"]) == 0
    assert api.posts == [
        (f"/v1/stops/{each}/lift", {"reason": "mended", "by": "ada"}) for each in ids
    ]


WRONG = {
    "neither a stop nor all": ([], 2, "name one stop, or give `--all`"),
    "both": (["3f2a", "--all"], 2, "name one stop, or give `--all`"),
    "too few characters": (["3f2"], 2, "too short for an id"),
    "what none begins with": (["ffff"], 1, "no stops in force have an id"),
}


@pytest.mark.parametrize(("words", "status", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_can_not_be_meant_lifts_nothing(
    api: FakeApi, capsys: pytest.CaptureFixture[str], words: list[str], status: int, message: str
) -> None:
    """Nothing is lifted by a guess."""
    assert run_command(["resume", *words, "--reason", "mended"]) == status
    assert message in capsys.readouterr().err
    assert api.posts == []


def test_an_id_that_two_begin_with_lifts_neither(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """More of it has to be given."""
    api.in_force[1] = a_stop(IDS[0].replace("1", "2"), "run", "r-1")
    assert run_command(["resume", "3f2a", "--reason", "mended"]) == 1
    assert "2 stops in force" in capsys.readouterr().err
    assert api.posts == []
