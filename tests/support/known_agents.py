"""New agents of a running stack, for tests that want more of them than the one it is born with."""

from __future__ import annotations

import time
import uuid

from tests.support.raw_client import RawClient
from tests.support.stack import Gateway, Stack

KNOWN_SECONDS_MAX = 60.0


def make_agents(stack: Stack, gateway: Gateway, count: int, host: str) -> list[RawClient]:
    """So many, all known to the gateway, which lets them tunnel to `host`."""
    names = [f"agent-{uuid.uuid4().hex[:8]}" for _ in range(count)]
    made = [stack.api.call("POST", "/v1/agents", {"name": name, "labels": {}}) for name in names]
    agents = [
        RawClient(gateway.port, one["key"], gateway.ca_file, name)
        for name, one in zip(names, made, strict=True)
    ]
    deadline = time.monotonic() + KNOWN_SECONDS_MAX
    for agent in agents:
        while not _is_known(agent, host):
            if time.monotonic() > deadline:
                raise AssertionError(f"the gateway has not heard of {agent.agent}")
            time.sleep(0.1)
    return agents


def _is_known(agent: RawClient, host: str) -> bool:
    try:
        agent.open_tunnel(f"{host}:443".encode()).close()
    except AssertionError:
        return False
    return True
