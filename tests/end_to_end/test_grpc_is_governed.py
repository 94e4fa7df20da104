"""Promise: an unchanged gRPC agent is governed as any other, by the variables that `run` sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.agents import Client, run_agent, start_agent
from tests.support.grpc_upstream import SERVICE, GrpcUpstream, grpc_upstream
from tests.support.stack import MAPPERS, Gateway, Stack
from tests.support.upstream_files import make_upstream_files

HOST = "orders.example.test"
AGENT = Client("grpcio", "agent_grpc.py", (), "grpc.RpcError")
MAPPER = f"""
apiVersion: checkrein/v1
kind: Mapper
metadata: {{name: orders}}
spec:
  provider: orders
  hosts: [{HOST}]
  errors: problem
  operations:
    POST /{SERVICE}/GetOrder:
      operation: {SERVICE}/GetOrder
      action: get_order
      kind: read
      target: {{type: order}}
"""


@dataclass(frozen=True, slots=True)
class Governed:
    """A gateway of the shared stack, and the gRPC server behind it."""

    stack: Stack
    gateway: Gateway
    upstream: GrpcUpstream

    def seen(self, tag: str) -> list[str]:
        """Methods that were called with this tag."""
        return [method for method, sent in self.upstream.calls if sent.get("x-tag") == tag]


@pytest.fixture(scope="module")
def governed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    folder: Path = tmp_path_factory.mktemp("grpc")
    files = make_upstream_files(folder, (HOST,))
    mapper = folder / "orders.yaml"
    mapper.write_text(MAPPER)
    with grpc_upstream(files.certificate, files.key) as upstream:
        settings = {
            "CHECKREIN_UPSTREAM_CA": str(files.ca),
            "CHECKREIN_CONNECT_TO": f"{HOST}:443:127.0.0.1:{upstream.port}",
            "CHECKREIN_MAPPERS": ":".join(str(path) for path in (*MAPPERS, mapper)),
        }
        yield Governed(stack, stack.add_gateway("grpc", settings), upstream)


def test_allowed_call_arrives_once(governed: Governed, tag: str) -> None:
    """The answer is the server's; the record names the call, and holds no credential of it."""
    told = run_agent(AGENT, "read", tag, governed.gateway.environment_of_agent)
    assert told.ok, told
    assert governed.seen(tag) == ["GetOrder"]
    decided = governed.stack.api.wait_record({"kind": "intent"}, f"{SERVICE}/GetOrder")
    assert (decided["effect"], decided["rule"]) == ("ALLOW", "reads")
    assert "sk_secret_of_the_agent" not in json.dumps(decided)


def test_blocked_call_raises_with_our_sentence(governed: Governed, tag: str) -> None:
    """grpcio's own exception has the status for it, sentence, rule and decision; nothing leaves."""
    told = run_agent(AGENT, "forbidden", tag, governed.gateway.environment_of_agent)
    assert not told.ok
    assert AGENT.exception in told.kinds, told
    assert told.message.startswith("PERMISSION_DENIED: Checkrein blocked this call"), told
    assert "the proof forbids this act" in told.message
    assert "forbidden-acts" in told.message
    assert told.headers["checkrein-decision"].startswith("dec_")
    assert governed.seen(tag) == []


def test_held_call_goes_through_once_it_is_approved(governed: Governed, tag: str) -> None:
    """The call stays open while a person looks, and is sent once."""
    api = governed.stack.api
    known = api.approval_ids()
    agent = start_agent(AGENT, "risky", tag, governed.gateway.environment_of_agent)
    approval = api.wait_pending(known)
    assert governed.seen(tag) == []
    api.resolve(approval["approvalId"], "APPROVE")
    told = agent.finish()
    assert told.ok, told
    assert governed.seen(tag) == ["CreateRefund"]
    assert api.approval(approval["approvalId"])["status"] == "CONSUMED"
