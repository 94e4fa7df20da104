"""People with keys of their own answer by command, against a real control plane."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.cli.main import run_command
from tests.support.control_plane import Client


async def run(client: Client, monkeypatch: pytest.MonkeyPatch, key: str, *words: str) -> int:
    """Run a command as the bearer of `key`; its exit status."""
    monkeypatch.setenv("CHECKREIN_API_URL", client.url)
    monkeypatch.setenv("CHECKREIN_API_KEY", key)
    return await asyncio.to_thread(run_command, list(words))


async def test_two_people_let_an_act_through_by_command(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Made by the administrator, used by the people, ended again, each as its user does it."""
    people = {}
    for name in ("ann", "bob"):
        words = ("keys", "create", name, "--group", "finance", "--json")
        status = await run(client, monkeypatch, client.keys["admin"], *words)
        assert status == 0
        people[name] = json.loads(capsys.readouterr().out)
    terms = {
        "groups": ["finance"], "quorum": 2, "timeoutSeconds": 60, "witnessRequired": False,
    }  # fmt: skip
    approval = (await client.ask(terms=terms))["approvalId"]

    answer = ("approvals", "approve", approval, "--json")
    for name, then in (("ann", "PENDING"), ("bob", "APPROVED")):
        status = await run(client, monkeypatch, people[name]["key"], *answer)
        assert (status, json.loads(capsys.readouterr().out)["status"]) == (0, then)

    admin = client.keys["admin"]
    status = await run(client, monkeypatch, admin, "keys", "revoke", people["bob"]["keyId"])
    assert status == 0
    capsys.readouterr()
    status = await run(client, monkeypatch, people["bob"]["key"], "approvals", "list")
    assert status == 1
    assert "key is not known" in capsys.readouterr().err
    status = await run(client, monkeypatch, admin, "keys", "list", "--json")
    states = {
        key["name"]: key["revokedAt"] is not None
        for key in json.loads(capsys.readouterr().out)["keys"]
    }
    assert (states["ann"], states["bob"]) == (False, True)
