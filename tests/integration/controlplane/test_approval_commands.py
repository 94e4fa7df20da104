"""Approvals by command, against a real control plane: what a reviewer reads and does."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.integration.controlplane.test_key_commands import run
from tests.support.control_plane import Client, ask_body


async def person(client: Client, name: str, *groups: str) -> str:
    body = {"name": name, "permissions": ["ApprovalRead", "ApprovalWrite"], "groups": list(groups)}
    made = await client.call("POST", "/v1/keys", body)
    assert made.status == 201, made
    return str(made.body["key"])


def terms(**changes: Any) -> dict[str, Any]:
    return {**ask_body()["terms"], **changes}


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a person would read."""
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("NO_COLOR", "1")
    return screen


async def test_show_tells_what_was_before(client: Client, monkeypatch: pytest.MonkeyPatch):
    """On a terminal in words; piped, the approval with its context as JSON."""
    made = await client.call("POST", "/v1/agents", {"name": "packer", "labels": {"team": "ops"}})
    assert made.status == 201
    past = await client.ask(agent="packer", action="pack")
    await client.resolve(past["approvalId"], "REJECT")
    approval = await client.ask(agent="packer", action="pack")
    words = ("approvals", "show", approval["approvalId"])
    screen = at_a_terminal(monkeypatch)
    assert await run(client, monkeypatch, client.keys["admin"], *words) == 0
    lines = [" ".join(line.split()) for line in screen.getvalue().splitlines()]
    assert "labels team=ops" in lines
    assert "before this agent, 30 days: 1 denied" in lines
    assert any("refund 90.00 USD of charge ch_1" in line for line in lines)
    assert any("status PENDING, 29 min left" in line for line in lines)

    screen = at_a_terminal(monkeypatch)
    assert await run(client, monkeypatch, client.keys["admin"], *words, "--json") == 0
    shown = json.loads(screen.getvalue())
    assert shown["approvalId"] == approval["approvalId"]
    assert shown["context"]["history"]["agent"] == {"DENIED": 1, "PENDING": 1}


async def test_escalated_then_approved_with_a_comment(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Each does their part; the refusals say what to do."""
    fin, lead = await person(client, "fia", "finance"), await person(client, "leo", "leads")
    asked = terms(groups=["finance"], escalateTo=["leads"], commentRequired=True)
    approval = (await client.ask(agent="esc", terms=asked))["approvalId"]

    async def command(key: str, *words: str) -> tuple[int, str]:
        status = await run(client, monkeypatch, key, "approvals", *words)
        caught = capsys.readouterr()
        return status, caught.out + caught.err

    status, said = await command(lead, "list", "--mine", "--agent", "esc", "--json")
    assert (status, json.loads(said)["approvals"]) == (0, [])
    status, said = await command(lead, "approve", approval, "--comment", "x")
    assert (status, "only `finance` can approve" in said) == (1, True)
    status, said = await command(fin, "escalate", approval, "--reason", "not mine", "--json")
    assert (status, json.loads(said)["escalation"]["by"]) == (0, "fia")
    status, said = await command(fin, "escalate", approval)
    assert (status, "escalated before" in said) == (1, True)
    status, said = await command(lead, "list", "--mine", "--agent", "esc", "--json")
    assert [one["approvalId"] for one in json.loads(said)["approvals"]] == [approval]
    status, said = await command(lead, "approve", approval)
    assert (status, "wants a `reason`" in said) == (1, True)
    status, said = await command(lead, "approve", approval, "--comment", "ticket 9", "--json")
    answers = json.loads(said)["answers"]
    assert [(one["answeredBy"], one["comment"], one["through"]) for one in answers] == [
        ("leo", "ticket 9", "cli")
    ]
