"""Promise: however many requests are held at once, each is asked about, and sent once or never."""

from __future__ import annotations

import concurrent.futures
import contextlib
import ssl
import time
from collections import Counter
from typing import Any

from tests.support.known_agents import make_agents
from tests.support.raw_client import RawClient, request
from tests.support.stack import Stack, with_own_gateway

HOST = "warehouse.example.test"
HELD_PER_AGENT = 45
AGENTS = 3
SECONDS_MAX = 200.0
REVIEWERS = 8

_LONG = {"CHECKREIN_HOLD_SECONDS_MAX": "300"}


def test_each_of_many_is_sent_once_when_approved_and_never_when_denied(
    stack: Stack, tag: str
) -> None:
    """More at once than the control plane has connections to its database, and than it is asked
    about one by one."""
    with with_own_gateway(stack, _LONG) as own, contextlib.ExitStack() as opened:
        agents = make_agents(own, own.gateway, AGENTS, HOST)
        held: dict[str, ssl.SSLSocket] = {}
        for number in range(AGENTS * HELD_PER_AGENT):
            path = f"/v1/orders/{tag}-{number}/refund"
            sock = opened.enter_context(agents[number % AGENTS].open_tls(HOST))
            headers = {"Content-Type": "application/json"}
            sock.sendall(request("POST", path, headers, b'{"amount":9000}'))
            held[path] = sock
        asked = {one["path"]: one["approvalId"] for one in _wait_asked(own, agents, len(held))}
        assert asked.keys() == held.keys()
        assert own.oracle.about(tag) == []

        denied = set(list(held)[::5])
        with concurrent.futures.ThreadPoolExecutor(REVIEWERS) as reviewers:
            said = {path: "REJECT" if path in denied else "APPROVE" for path in held}
            list(reviewers.map(lambda path: own.api.resolve(asked[path], said[path]), held))
        statuses = {path: _status(sock) for path, sock in held.items()}

        assert statuses == {path: 403 if path in denied else 200 for path in held}
        sent = Counter(seen.path for seen in own.oracle.about(tag))
        assert sent == Counter(path for path in held if path not in denied)


def _wait_asked(stack: Stack, agents: list[RawClient], count: int) -> list[dict[str, Any]]:
    """What is asked about the agents, once it is so many."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = [
            approval
            for agent in agents
            for approval in stack.api.call(
                "GET", "/v1/approvals", status="PENDING", agent=agent.agent, limit="100"
            )["approvals"]
        ]
        if len(found) == count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} of {count} were asked about"
        time.sleep(0.2)


def _status(sock: ssl.SSLSocket) -> int:
    sock.settimeout(SECONDS_MAX)
    return int(sock.recv(65_536).split(b" ", 2)[1])
