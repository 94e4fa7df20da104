"""Row 24: names can't be resolved. The agent reads an error of a gateway in time, nothing is sent,
nobody else is asked for the name, and it works again when names do."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_agent import FaultAgent
from tests.support.name_server import Code, NameServer
from tests.support.stack import Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(120)]

HOST, OTHER = "api.stripe.com", "api.github.com"
RESOLVE_SECONDS = 1.0
SECONDS_MAX = 8.0


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    """The only resolver that the gateway of this file knows."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a resolver of one's own needs root and unshare")
    with NameServer() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(stack: Stack, names: NameServer) -> Iterator[Gateway]:
    """A gateway in a mount namespace with its own resolver; the port of the upstream is told, its
    address is not."""
    resolver = stack.folder / "resolv.conf"
    resolver.write_text(f"nameserver {names.ip}\noptions timeout:20 attempts:1\n")
    port = stack.upstreams.port
    settings = {
        "CHECKREIN_CONNECT_TO": f"{HOST}:443::{port},{OTHER}:443::{port}",
        "CHECKREIN_PRIVATE_ALLOWED": f"{HOST},{OTHER}",
        "CHECKREIN_RESOLVE_SECONDS_MAX": str(RESOLVE_SECONDS),
        "CHECKREIN_UPSTREAM_IDLE_SECONDS_MAX": "0",
    }
    made = Gateway(stack.folder, "nameless", stack.control, stack.upstreams, settings)
    there = str(Path("/etc/resolv.conf").resolve())
    script = 'mount --bind "$0" "$1" && shift && exec "$@"'
    made.process.prefix = ("unshare", "--mount", "sh", "-c", script, str(resolver), there)
    try:
        made.start()
        yield made
    finally:
        made.process.close()


TROUBLES: dict[str, tuple[Code, bool, set[int]]] = {
    "does not know the name": (Code.NAME_ERROR, False, {502}),
    "fails": (Code.SERVER_FAILURE, False, {502}),
    "says nothing": (Code.FINE, True, {504}),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_row_24_a_resolver_that(
    stack: Stack, gateway: Gateway, names: NameServer, tag: str, trouble: str
) -> None:
    """502, or 504 where nobody answered in time; recorded as not sent; mended, the next passes."""
    agent = FaultAgent(gateway, host=HOST)
    names.code, is_silent, statuses = TROUBLES[trouble]
    names.silent_about = {HOST} if is_silent else set()
    before, began = len(names.asked), time.monotonic()
    said = agent.call("GET", f"/v1/charges/{tag}")
    assert said.status in statuses, said
    assert time.monotonic() - began < SECONDS_MAX
    assert set(names.asked[before:]) == {HOST}
    assert stack.oracle.about(tag) == []
    wanted = {"kind": "intent", "gateway": gateway.gateway_id}
    intent = stack.api.wait_record(wanted, tag)
    ended = stack.api.wait_record({"kind": "outcome", "decision_id": intent["decision_id"]})
    assert ended["outcome"] == "not_sent"

    names.code, names.silent_about = Code.FINE, set()
    assert agent.call("GET", f"/v1/charges/{tag}").status == 200
    assert len(stack.oracle.about(tag)) == 1


def test_row_24_names_that_hang_hold_up_nobody(
    stack: Stack, gateway: Gateway, names: NameServer, tag: str
) -> None:
    """Lookups that nobody answers, more than a resolver has threads for: another name is resolved
    meanwhile, and the gateway ends when it is told to."""
    names.silent_about = {HOST}
    lost = FaultAgent(gateway, host=HOST)
    calls = [lost.start("call", "GET", path=f"/v1/charges/{tag}") for _ in range(10)]
    found = FaultAgent(gateway, host=OTHER).call("GET", f"/repos/a/{tag}/issues")
    assert found.status == 200, found
    assert {call.result().status for call in calls} == {504}
    names.silent_about = set()
    assert gateway.process.stop() == 0
    gateway.start()
