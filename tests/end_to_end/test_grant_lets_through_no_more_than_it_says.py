"""Promise: one answer for a while lets through as many acts as it says, each decided, recorded and
counted by itself, and none after it was revoked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import CLIENTS, run_agent, start_agent
from tests.support.command import Checkrein
from tests.support.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STRIPE = next(client for client in CLIENTS if client.name == "stripe")


def person(stack: Stack, folder: Path, name: str) -> Checkrein:
    """The command as somebody with a key of their own uses it."""
    body = {"name": name, "permissions": ["ApprovalRead", "ApprovalWrite"]}
    key: str = stack.api.call("POST", "/v1/keys", body)["key"]
    where = {"CHECKREIN_API_URL": stack.control.url, "CHECKREIN_API_KEY": key}
    return Checkrein(folder / name, where)


def done(command: Checkrein, *words: str) -> Any:
    """What the command writes for programs."""
    ran = command.run(*words)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_three_refunds_with_one_answer(stack: Stack, tmp_path: Path, tag: str) -> None:
    """By command, of Stripe's own SDK: the fourth asks again, and its person is asked."""
    name = f"ann-{tag}"
    ann = person(stack, tmp_path, name)
    known = stack.api.approval_ids()
    environment = stack.gateway.environment_of_agent
    first = start_agent(STRIPE, "risky", tag, environment)
    asked = stack.api.wait_pending(known)
    granted = done(
        ann, "approvals", "approve", asked["approvalId"], "--times", "3", "--for", "10m",
        "--reason", "ticket 4711",
    )  # fmt: skip
    grant = granted["grant"]
    assert (grant["usesMax"], grant["target"]["id"]) == (3, f"ch_{tag}")
    assert first.finish().ok

    for sent in (2, 3):
        assert run_agent(STRIPE, "risky", tag, environment).ok
        assert len(stack.oracle.about(tag)) == sent

    fourth = run_agent(STRIPE, "risky", tag, stack.brief.environment_of_agent)
    assert not fourth.ok
    assert len(stack.oracle.about(tag)) == 3
    again = stack.api.wait_pending(())
    assert again["approvalId"] in fourth.message

    shown = done(ann, "grants", "show", grant["grantId"][:8])
    used = [use["approvalId"] for use in shown["uses"]]
    assert (shown["grant"]["usesCount"], used[-1]) == (3, asked["approvalId"])
    recorded = stack.api.wait_record({"kind": "outcome", "outcome": "executed"}, used[0])
    assert recorded["approval"]["answered_by"] == f"{name} (grant)"


def test_a_revoked_grant_lets_nothing_through(stack: Stack, tmp_path: Path, tag: str) -> None:
    """The very next call waits for a person again."""
    ann = person(stack, tmp_path, f"eve-{tag}")
    known = stack.api.approval_ids()
    first = start_agent(STRIPE, "risky", tag, stack.gateway.environment_of_agent)
    asked = stack.api.wait_pending(known)
    granted = done(ann, "approvals", "approve", asked["approvalId"], "--for", "10m")
    assert first.finish().ok
    assert run_agent(STRIPE, "risky", tag, stack.gateway.environment_of_agent).ok

    done(ann, "grants", "revoke", granted["grant"]["grantId"], "--reason", "enough")

    assert not run_agent(STRIPE, "risky", tag, stack.brief.environment_of_agent).ok
    assert len(stack.oracle.about(tag)) == 2


def test_the_kill_switch_wins_over_a_grant(stack: Stack, tmp_path: Path, tag: str) -> None:
    """What is stopped sends nothing, whatever was granted; afterwards the grant goes on."""
    ann = person(stack, tmp_path, f"may-{tag}")
    known = stack.api.approval_ids()
    environment = stack.gateway.environment_of_agent
    first = start_agent(STRIPE, "risky", tag, environment)
    asked = stack.api.wait_pending(known)
    done(ann, "approvals", "approve", asked["approvalId"], "--for", "10m")
    assert first.finish().ok

    body = {"scope": "provider", "name": "stripe", "reason": "incident 4711"}
    stop = stack.api.call("POST", "/v1/stops", body)["stop"]["stopId"]
    gateway = {"kind": "gateway", "gateway": stack.gateway.gateway_id}
    try:
        stack.api.wait_record({**gateway, "event": "stop_in_force"}, stop)
        told = run_agent(STRIPE, "risky", tag, environment)
        assert not told.ok
        assert "incident 4711" in told.message
        assert len(stack.oracle.about(tag)) == 1
    finally:
        stack.api.call("POST", f"/v1/stops/{stop}/lift", {"reason": "over"})
        stack.api.wait_record({**gateway, "event": "stop_lifted"}, stop)

    assert run_agent(STRIPE, "risky", tag, environment).ok
    assert len(stack.oracle.about(tag)) == 2
