"""Many requests that wait for people at once: what each of them costs the gateway, and how they are
let go.

Held by as many agents as the limits want that the product is delivered with.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.enforce.hold import HoldSettings
from tests.benchmarks import accounting
from tests.benchmarks.candidates import HOST
from tests.support.known_agents import make_agents
from tests.support.raw_client import RawClient, request
from tests.support.stack import Stack

SECONDS_MAX = 300.0
"""For all to be asked about, and for one answer to come."""

REVIEWERS = 8
"""Answers given at once while everything held is released."""

PER_AGENT = HoldSettings().hold_count_max_per_agent
MEASURED_FROM = 100
"""Held requests from which on what the gateway grew by tells of them, and not of chance."""

_HEADERS = {"Content-Type": "application/json"}
_BODY = b'{"amount":9000}'


@dataclass(frozen=True, slots=True)
class Held:
    """`kb_each`: kilobytes of 1,000, None where too few were held to tell. Seconds from the first
    request to the last question, and from the first answer of a person to the last of the upstream.
    `failed` got another answer than the upstream's."""

    count: int
    kb_each: float | None
    asked_seconds: float
    released_seconds: float
    failed: int


def measure(stack: Stack, count: int) -> Held:
    """Hold `count` distinct requests, divide what the gateway grew by; then approve them all."""
    pid = stack.gateway.process.pid
    agents = make_agents(stack, stack.gateway, -(-count // PER_AGENT), HOST)
    with contextlib.ExitStack() as open_sockets:
        with _ask(agents[0], "warm") as sock:
            _answer_all(stack, _wait_asked(stack, 1))
            _is_good(sock)
        before, begun = accounting.resident_bytes(pid), time.perf_counter()
        sockets = [
            open_sockets.enter_context(_ask(agents[number // PER_AGENT], f"held{number}"))
            for number in range(count)
        ]
        asked = _wait_asked(stack, count)
        asked_seconds = time.perf_counter() - begun
        grown = accounting.resident_bytes(pid) - before
        begun = time.perf_counter()
        _answer_all(stack, asked)
        failed = sum(not _is_good(sock) for sock in sockets)
        released_seconds = time.perf_counter() - begun
    kb_each = grown / 1e3 / count if count >= MEASURED_FROM else None
    return Held(count, kb_each, asked_seconds, released_seconds, failed)


def _ask(agent: RawClient, order: str) -> ssl.SSLSocket:
    """Send what a person must answer for, on a connection of its own."""
    sock = agent.open_tls(HOST)
    sock.sendall(request("POST", f"/v1/orders/{order}/refund", _HEADERS, _BODY))
    return sock


def _wait_asked(stack: Stack, count: int) -> list[str]:
    """The ids of so many open questions. A request is parked before its question is asked."""
    deadline = time.monotonic() + SECONDS_MAX
    while (found := stack.api.call("GET", "/v1/approvals/counts")["pending"]) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {found} of {count} questions were asked")
        time.sleep(0.25)
    return list(_pending(stack))


def _pending(stack: Stack) -> Iterator[str]:
    cursor: dict[str, str] = {}
    while True:
        page = stack.api.call("GET", "/v1/approvals", status="PENDING", limit="100", **cursor)
        yield from (approval["approvalId"] for approval in page["approvals"])
        if not page.get("nextCursor"):
            return
        cursor = {"cursor": page["nextCursor"]}


def _answer_all(stack: Stack, approval_ids: list[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(REVIEWERS) as reviewers:
        list(reviewers.map(lambda one: stack.api.resolve(one, "APPROVE"), approval_ids))


def _is_good(sock: ssl.SSLSocket) -> bool:
    sock.settimeout(SECONDS_MAX)
    try:
        return sock.recv(65_536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
