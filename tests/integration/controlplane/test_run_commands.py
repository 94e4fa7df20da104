"""`checkrein runs`, `incidents`, `outcomes` against a real control plane, as people read them."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import sys
import time
import uuid
from typing import Any

import pytest

from gateway.cli.main import run_command
from gateway.cli.run_report import PATIENCE_SECONDS, report_run
from tests.support.control_plane import Client
from tests.support.followed_records import Traffic


class _Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


class Person:
    """Somebody who runs commands with the admin key."""

    def __init__(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        monkeypatch.setenv("CHECKREIN_API_URL", client.url)
        monkeypatch.setenv("CHECKREIN_API_KEY", client.keys["admin"])
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "160")

    async def reads(self, *words: str, status: int = 0) -> str:
        """What a command shows on a terminal."""
        with self._patch.context() as patched:
            shown = _Terminal()
            patched.setattr(sys, "stdout", shown)
            patched.setattr(sys, "stderr", shown)
            assert await asyncio.to_thread(run_command, list(words)) == status, shown.getvalue()
        return shown.getvalue()

    async def pipes(self, *words: str) -> Any:
        """What a command writes for a program."""
        with self._patch.context() as patched:
            written = io.StringIO()
            patched.setattr(sys, "stdout", written)
            assert await asyncio.to_thread(run_command, list(words)) == 0
        return json.loads(written.getvalue())


@pytest.fixture
def person(client: Client, monkeypatch: pytest.MonkeyPatch) -> Person:
    return Person(client, monkeypatch)


async def test_a_run_from_its_announcement_to_its_cancelling(client: Client, person: Person):
    """Found by the first characters of its id and by its name; shown as a timeline."""
    name = f"nightly-{uuid.uuid4().hex[:8]}"
    body = {"agentId": "agent", "name": name, "goal": "close \x1b[31mOctober"}
    run_id = (await client.call("POST", "/v1/runs", body)).body["runId"]
    traffic = Traffic(client)
    sent = traffic.decided(name, sends=True, effect="ALLOW")
    traffic.outcome(sent, "executed", status=200)
    traffic.decided(name, effect="BLOCK", reason_code="TOO_MUCH", target="ch_2")
    await traffic.ship()

    listed = await person.reads("runs", "list", "--status", "running")
    assert run_id[:8] in listed
    assert "close \\x1b[31mOctober" in listed
    for text in (run_id[:8], name, run_id):
        shown = await person.reads("runs", "show", text)
        assert f"named {name}" in shown
        lines = [line for line in shown.splitlines() if "create_refund" in line]
        assert [line.split()[2] for line in lines] == ["ALLOW", "BLOCK"]
        assert "executed" in lines[0]
        assert "TOO_MUCH" in lines[1]
    piped = await person.pipes("runs", "show", run_id)
    assert [step["stepIndex"] for step in piped["steps"]] == [1, 2]
    said = await person.reads("runs", "cancel", run_id[:8], "--reason", "wrong list")
    assert "is cancelled" in said
    again = await person.reads("runs", "cancel", run_id[:8], "--reason", "again", status=1)
    assert "checkrein runs show" in again
    assert f"Run `agent+{name}`" in await person.reads("stops")


async def test_an_incident_is_looked_at_settled_and_over(client: Client, person: Person):
    """The incident of an unknown outcome says which command settles it, and ends with that."""
    traffic, agent = Traffic(client), uuid.uuid4().hex
    decision_id = traffic.decided("r", sends=True, agent=agent)
    traffic.outcome(decision_id, "unknown", code="upstream.timed_out")
    await traffic.ship()
    (found,) = (await person.pipes("incidents", "list", "--agent", agent))["incidents"]
    short = found["incidentId"][:8]
    assert short in await person.reads("incidents", "list", "--severity", "high")
    shown = await person.reads("incidents", "show", short)
    assert "checkrein outcomes settle" in shown
    assert decision_id in shown
    assert "Acknowledged" in await person.reads("incidents", "ack", short)
    assert decision_id in await person.reads("outcomes", "list", "--status", "unknown")
    words = ("outcomes", "settle", decision_id, "executed", "--note", "seen")
    assert "was executed" in await person.reads(*words)
    assert "--status settled" in await person.reads(*words, status=1)
    late = await person.reads("incidents", "resolve", short, "--note", "late", status=1)
    assert "RESOLVED" in late


async def test_a_program_is_never_the_worse_for_its_report(client: Client):
    """A key that is not known, a name that is taken, a control plane that is away or silent."""
    key = client.keys["agent"]

    async def report(url: str, key: str, name: str) -> Any:
        return await asyncio.to_thread(report_run, url, key, name, "g", "enforce")

    first = await report(client.url, key, "taken")
    assert first is not None
    assert await report(client.url, key, "taken") is None
    assert await report(client.url, "cr_agent_" + "x" * 40, "other") is None
    assert await report("http://127.0.0.1:1", key, "other") is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        assert await report(f"http://127.0.0.1:{silent.getsockname()[1]}", key, "other") is None
        assert time.monotonic() - begun < 3 * PATIENCE_SECONDS
    for status in (3, 0):
        await asyncio.to_thread(first.end, status)
    answer = await client.call("GET", f"/v1/runs/{first.run_id}")
    assert answer.body["status"] == "FAILED"
