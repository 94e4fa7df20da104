"""Channels by command, as an operator uses them: a real control plane, real receivers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.cli.main import run_command
from tests.support.control_plane import Client, running_plane
from tests.support.reaching import QUICK, TO_LOOPBACK
from tests.support.receivers import FakeSlack, serving_mail, serving_receiver, serving_slack

Command = Callable[..., Coroutine[Any, Any, tuple[int, Any]]]


@pytest.fixture
async def slack_api() -> AsyncIterator[FakeSlack]:
    async with serving_slack() as found:
        yield found


@pytest.fixture
async def plane(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path, slack_api: FakeSlack
) -> AsyncIterator[Client]:
    reaching = replace(TO_LOOPBACK, slack_api_url=slack_api.url)
    async with running_plane(
        postgres_server, database_name, data_dir, QUICK, reaching=reaching
    ) as client:
        yield client


@pytest.fixture
def command(
    plane: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command as the administrator; its exit status, and its JSON or complaint."""
    monkeypatch.setenv("CHECKREIN_API_URL", plane.url)
    monkeypatch.setenv("CHECKREIN_API_KEY", plane.keys["admin"])

    async def run(*words: str) -> tuple[int, Any]:
        status = await asyncio.to_thread(run_command, list(words))
        written = capsys.readouterr()
        return status, json.loads(written.out) if written.out else written.err

    return run


async def test_a_webhook_from_its_adding_to_its_end(plane: Client, command: Command):
    """Added, tried, followed, sent again, rotated, removed."""
    async with serving_receiver() as receiver:
        status, made = await command("channels", "add", "webhook", "ops", receiver.url)
        assert status == 0
        assert made["signingSecret"].startswith("whsec_")
        status, tested = await command("channels", "test", "ops")
        assert (status, tested["results"][0]["delivered"]) == (0, True)
        receiver.answers = [(410, {})]
        await plane.ask()
        await receiver.wait(2)
        async with asyncio.timeout(10):
            while True:
                _, found = await command("channels", "deliveries", "--status", "dead")
                if found["deliveries"]:
                    break
        (dead,) = found["deliveries"]
        status, again = await command("channels", "resend", dead["deliveryId"][:8])
        assert (status, again["status"]) == (0, "PENDING")
        await receiver.wait(3)
        status, rotated = await command("channels", "rotate", "OPS", "--keep-hours", "1")
        assert (status, rotated["signingSecret"] == made["signingSecret"]) == (0, False)
        for word, is_on in (("disable", False), ("enable", True)):
            status, switched = await command("channels", word, "ops")
            assert (status, switched["enabled"]) == (0, is_on)
        status, listed = await command("channels", "list")
        assert [one["name"] for one in listed["channels"]] == ["ops"]
    status, tested = await command("channels", "test", "ops")
    assert (status, tested["results"][0]["problem"]) == (1, "no connection came about")
    assert (await command("channels", "remove", "ops"))[0] == 0
    status, complaint = await command("channels", "test", "ops")
    assert status == 1
    assert "there is no channel `ops`" in complaint


async def test_slack_with_its_people(command: Command, slack_api: FakeSlack, tmp_path: Path):
    """Secrets come from files; who is who is said by the names of keys."""
    token, signing = tmp_path / "token", tmp_path / "signing"
    token.write_text(slack_api.TOKEN + "\n")
    signing.write_text(slack_api.SECRET + "\n")
    files = ("--bot-token-file", str(token), "--signing-secret-file", str(signing))
    add = ("channels", "add", "slack", "approvals", "--channel", "C0FINANCE")
    status, made = await command(*add, *files, "--group", "finance")
    assert status == 0
    assert slack_api.TOKEN not in json.dumps(made)
    assert (await command("keys", "create", "alice", "--group", "finance"))[0] == 0
    status, known = await command("channels", "people", "approvals", "--set", "U0ALICE=Alice")
    assert status == 0
    assert [(one["address"], one["name"]) for one in known["people"]] == [("U0ALICE", "alice")]
    assert (await command("channels", "test", "approvals"))[0] == 0
    assert "This channel works" in json.dumps(slack_api.bodies("chat.postMessage"))
    status, complaint = await command("channels", "people", "approvals", "--set", "U1=nobody")
    assert status == 1
    assert "checkrein keys create nobody" in complaint
    await command("channels", "remove", "approvals")


async def test_mail_and_what_is_missing(command: Command):
    """Without people there is nobody to try it on, and without a terminal no prompt."""
    async with serving_mail() as server:
        add = ("channels", "add", "email", "post", "--host", "127.0.0.1")
        port = ("--port", str(server.port), "--security", "none", "--from", "c@example.test")
        assert (await command(*add, *port))[0] == 0
        status, complaint = await command("channels", "test", "post")
        assert status == 1
        assert "name its people first" in complaint
        status, complaint = await command(*add, "--from", "c@example.test", "--username", "robot")
        assert status == 2
        assert "--password-file" in complaint
        await command("channels", "remove", "post")
