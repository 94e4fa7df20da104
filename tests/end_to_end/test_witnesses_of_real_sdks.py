"""Promise: what agents ask of AWS, GitHub and Slack by their own SDKs is held against the state of
its target, which people see; where agents sign each request, with keys of the gateway's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import providers
from tests.support.agents import CLIENTS, Client, start_agent
from tests.support.oracle import Answer, Oracle, Understood
from tests.support.stack import Stack, Upstreams, with_own_gateway
from tests.support.upstream_files import make_upstream_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SDKS = {client.name: client for client in CLIENTS}
SDKS["github"] = Client(
    "github", "agent_github.py", (), "githubkit.exception.RequestFailed"
)  # its merges are needed here alone

POLICY = """
apiVersion: checkrein/v1
kind: Policy
metadata: {name: careful}
spec:
  rules:
    - {id: all, priority: 1, effect: REQUIRE_APPROVAL, approval: {witness: required}}
"""
GATEWAYS_ID, GATEWAYS_SECRET = "AKIAWITNESS", "theSecretOfTheWitness"

INSTANCES = """<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>
<reservationSet><item><reservationId>r-1</reservationId><ownerId>1</ownerId><instancesSet><item>
<instanceId>i-1</instanceId><instanceState><code>16</code><name>{state}</name></instanceState>
<instanceType>t3.micro</instanceType></item></instancesSet></item></reservationSet>
</DescribeInstancesResponse>"""


class World:
    """Providers that tell the state of what they keep; `instances` is that of all machines."""

    def __init__(self) -> None:
        self.instances = "running"

    def answer(self, request: Understood) -> Answer:
        """As `providers.answer`, with states."""
        if "Action=DescribeInstances" in request.query:
            return Answer(200, INSTANCES.format(state=self.instances).encode(), "text/xml")
        if "Action=GetUser" in request.query:
            name = request.query.partition("UserName=")[2].partition("&")[0]
            user = f"<User><UserName>{name}</UserName><UserId>AIDA7</UserId></User>"
            result = f"<GetUserResult>{user}</GetUserResult>"
            return Answer(200, f"<GetUserResponse>{result}</GetUserResponse>".encode(), "text/xml")
        if request.path == "/api/conversations.info":
            channel = {"name": "general", "is_archived": False, "num_members": 3}
            return Answer(200, json.dumps({"ok": True, "channel": channel}).encode())
        if request.method == "GET" and request.path.endswith("/pulls/7"):
            pull = {"title": "Fix", "state": "open", "merged": False, "head": {"sha": "a1"}}
            return Answer(200, json.dumps(pull).encode())
        return providers.answer(request)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def careful(stack: Stack, world: World, tmp_path: Path) -> Iterator[Stack]:
    """A gateway of one's own, in which everything is held against its target's state."""
    policy, secret = tmp_path / "careful.yaml", tmp_path / "secret"
    policy.write_text(POLICY)
    secret.write_text(GATEWAYS_SECRET)
    files = make_upstream_files(tmp_path)
    with Oracle(files.certificate, files.key, world.answer) as oracle:
        settings = {
            "CHECKREIN_POLICIES": str(policy),
            "CHECKREIN_WITNESS_AWS_ACCESS_KEY_ID": GATEWAYS_ID,
            "CHECKREIN_WITNESS_AWS_SECRET_ACCESS_KEY_FILE": str(secret),
        }
        upstreams = Upstreams(oracle.port, files.ca, oracle)
        with with_own_gateway(stack, settings, upstreams) as own:
            yield own


SHOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "boto3-s3": ("forbidden", {"etag": '"0123456789abcdef0123456789abcdef"'}),
    "boto3-ec2": ("forbidden", {"state": "running", "type": "t3.micro", "account": "1"}),
    "boto3-iam": ("forbidden", {"id": "AIDA7"}),
    "slack_sdk": ("forbidden", {"name": "general", "archived": False}),
    "github": (
        "risky", {"title": "Fix", "state": "open", "merged": False, "head": "a1"},
    ),
}  # fmt: skip


def test_people_see_the_state_and_a_changed_one_sends_nothing(
    careful: Stack, world: World, tag: str
) -> None:
    """Five SDKs wait at once; a machine is stopped by somebody meanwhile. The rest goes through,
    once each, and no agent's signature or key of ours goes where it doesn't belong."""
    agents, approvals = {}, {}
    known = careful.api.approval_ids()
    for name, (act, _) in SHOWN.items():
        environment = careful.gateway.environment_of_agent
        agents[name] = start_agent(SDKS[name], act, tag, environment)
        asked = {each["approvalId"] for each in approvals.values()}
        found = careful.api.wait_pending(known | asked)
        approvals[name] = found
        assert found["witness"]["state"] == SHOWN[name][1], name

    world.instances = "stopped"
    for approval in approvals.values():
        careful.api.resolve(approval["approvalId"], "APPROVE")
    told = {name: agent.finish() for name, agent in agents.items()}

    assert {name for name, each in told.items() if not each.ok} == {"boto3-ec2"}, told
    assert "WITNESS_HASH_MISMATCH" in told["boto3-ec2"].message
    voided = careful.api.approval(approvals["boto3-ec2"]["approvalId"])
    assert voided["status"] == "CANCELLED"
    assert voided["witness"]["state"]["state"] == "running"
    assert voided["witnessNow"]["state"]["state"] == "stopped"
    changed = {"kind": "outcome", "code": "WITNESS_HASH_MISMATCH"}
    outcome = careful.api.wait_record({**changed, "gateway": careful.gateway.gateway_id})
    assert outcome["witness"]["asked"] == approvals["boto3-ec2"]["witness"]["hash"]
    assert outcome["approval"]["id"] == voided["approvalId"]

    seen = careful.oracle.about(tag)
    acts = [each for each in seen if each.method not in ("GET", "HEAD")]
    assert len(acts) == len(SHOWN) - 1
    for each in seen:
        is_look = each.method in ("GET", "HEAD")
        signed = each.header("authorization") or ""
        if each.host.endswith("amazonaws.com"):
            assert (GATEWAYS_ID in signed) == is_look, each
        assert GATEWAYS_SECRET not in str(each)
    assert not any(GATEWAYS_SECRET in record.line for record in careful.api.records())
