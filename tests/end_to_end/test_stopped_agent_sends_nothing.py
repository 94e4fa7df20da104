"""Promise: who is stopped sends nothing more, through any gateway, also after a restart."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agents import CLIENTS, run_agent, start_agent
from tests.support.command import Checkrein
from tests.support.stack import Gateway, Stack, Upstreams, start_stack

STRIPE = next(client for client in CLIENTS if client.name == "stripe")
URLLIB = next(client for client in CLIENTS if client.name == "urllib")
WIRE_SECONDS_MAX = 20.0
RUN = "nightly"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def stoppable(stack: Stack) -> Iterator[Stack]:
    """The shared stack, with nothing stopped afterwards."""
    try:
        yield stack
    finally:
        resume_all(stack)


def in_run(gateway: Gateway) -> dict[str, str]:
    """The agent's environment, with a run named where its credentials are."""
    variables = gateway.environment_of_agent.items()
    return {name: text.replace("//agent:", f"//agent+{RUN}:") for name, text in variables}


def pull(stack: Stack, scope: str, name: str | None = None) -> dict[str, Any]:
    body = {"scope": scope, "name": name, "reason": "it runs wild"}
    found: dict[str, Any] = stack.api.call("POST", "/v1/stops", body)["stop"]
    return found


def resume_all(stack: Stack) -> None:
    """Lift every stop, and wait until each gateway has said that it obeys."""
    for stop in stack.api.call("GET", "/v1/stops")["stops"]:
        path = f"/v1/stops/{stop['stopId']}/lift"
        stack.api.call("POST", path, {"reason": "the test is over"})
        wait_obeyed(stack, stop, "stop_lifted")


def wait_obeyed(stack: Stack, stop: dict[str, Any], event: str = "stop_in_force") -> None:
    """Wait until every gateway that runs has recorded it."""
    for gateway in stack.gateways.values():
        if not gateway.process.is_running:
            continue
        wanted = {"kind": "gateway", "event": event, "gateway": gateway.gateway_id}
        stack.api.wait_record(wanted, stop["stopId"])


SCOPES = {
    "its agent": ("agent", "agent"),
    "its run": ("run", RUN),
    "its provider": ("provider", "stripe"),
    "everything": ("everything", None),
}


@pytest.mark.parametrize(("scope", "name"), SCOPES.values(), ids=SCOPES.keys())
def test_what_is_held_is_refused_at_once_and_what_comes_after_it(
    stoppable: Stack, tag: str, scope: str, name: str | None
) -> None:
    """The held call raises the provider's own exception with the reason; the next one too, on
    every gateway; nothing arrives upstream; lifted, the same call goes through."""
    known = stoppable.api.approval_ids()
    agent = start_agent(STRIPE, "risky", tag, in_run(stoppable.gateway))
    approval = stoppable.api.wait_pending(known)

    stop = pull(stoppable, scope, name)
    told = agent.finish()

    assert not told.ok
    assert "it runs wild" in told.message, told
    assert "KILL_SWITCH" in told.output + told.message, told
    wait_obeyed(stoppable, stop)
    for gateway in stoppable.gateways.values():
        assert not run_agent(STRIPE, "read", tag, in_run(gateway)).ok
    # Approving does not outvote it.
    stoppable.api.resolve(approval["approvalId"], "APPROVE")
    assert not run_agent(STRIPE, "risky", tag, in_run(stoppable.gateway)).ok
    assert stoppable.oracle.about(tag) == []

    resume_all(stoppable)
    assert run_agent(STRIPE, "risky", tag, in_run(stoppable.gateway)).ok
    assert len(stoppable.oracle.about(tag)) == 1


def test_another_agent_goes_on(stoppable: Stack, tag: str) -> None:
    """A stop of one is a stop of one."""
    wait_obeyed(stoppable, pull(stoppable, "agent", "somebody-else"))
    wait_obeyed(stoppable, pull(stoppable, "provider", "slack"))
    wait_obeyed(stoppable, pull(stoppable, "run", "another-run"))

    assert run_agent(STRIPE, "read", tag, stoppable.gateway.environment_of_agent).ok


def test_the_command_stops_and_hears_who_obeys(
    stoppable: Stack, tag: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One command; it counts the gateways that have the stop in force; one more ends it."""
    variables = {
        "CHECKREIN_API_URL": stoppable.control.url,
        "CHECKREIN_API_KEY": stoppable.control.key("admin"),
    }
    checkrein = Checkrein(tmp_path_factory.mktemp("stop"), variables)

    done = checkrein.run("stop", "agent", "agent", "--reason", "a loop")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    running = [each for each in stoppable.gateways.values() if each.process.is_running]
    assert (said["gateways"], said["hint"]) == (len(running), None)
    assert not run_agent(URLLIB, "read", tag, stoppable.gateway.environment_of_agent).ok

    listed = json.loads(checkrein.run("stops").stdout)["stops"]
    assert [each["stopId"] for each in listed] == [said["stop"]["stopId"]]
    short = said["stop"]["stopId"][:8]
    resumed = checkrein.run("resume", short, "--reason", "mended")
    assert resumed.returncode == 0, resumed.stderr
    wait_obeyed(stoppable, said["stop"], "stop_lifted")
    assert run_agent(URLLIB, "read", tag, stoppable.gateway.environment_of_agent).ok


def test_a_name_that_nobody_has_is_pointed_out(
    stoppable: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is in force all the same: the agent may come later."""
    variables = {
        "CHECKREIN_API_URL": stoppable.control.url,
        "CHECKREIN_API_KEY": stoppable.control.key("admin"),
    }
    checkrein = Checkrein(tmp_path_factory.mktemp("stop"), variables)
    for scope, words in (("agent", "No agent is called"), ("provider", "No shipped mapper")):
        done = checkrein.run("stop", scope, "nobody-has-this", "--reason", "x")
        assert done.returncode == 0, done.stderr
        assert words in json.loads(done.stdout)["hint"]


# --- a stack of one's own -------------------------------------------------------------------------


@pytest.fixture
def fragile(upstreams: Upstreams) -> Iterator[Stack]:
    """A control plane and a gateway that may be broken; one host passes uninspected."""
    running = start_stack("stopped", upstreams)
    try:
        running.add_gateway("ordinary", {"CHECKREIN_PASSTHROUGH_HOSTS": upstreams.hosts[0]})
        yield running
    finally:
        running.close()


def connect(gateway: Gateway, host: str, key: str) -> tuple[socket.socket, bytes]:
    """A CONNECT to a host, and what was answered."""
    wire = socket.create_connection(("127.0.0.1", gateway.port), WIRE_SECONDS_MAX)
    credentials = base64.b64encode(f"agent:{key}".encode()).decode()
    wire.sendall(
        f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n"
        f"Proxy-Authorization: Basic {credentials}\r\n\r\n".encode()
    )
    return wire, wire.recv(4096)


@pytest.mark.slow
def test_open_tunnels_are_cut_and_a_restart_still_stops(fragile: Stack, tag: str) -> None:
    """Uninspected bytes end too; and with the control plane gone the restarted gateway knows."""
    gateway, host = fragile.gateway, fragile.upstreams.hosts[0]
    key = fragile.control.key("agent")
    tunnel, answer = connect(gateway, host, key)
    assert answer.startswith(b"HTTP/1.1 200")

    stop = pull(fragile, "agent", "agent")
    assert tunnel.recv(1) == b""
    wait_obeyed(fragile, stop)
    refused, answer = connect(gateway, host, key)
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"KILL_SWITCH" in answer
    assert gateway.metric("checkrein_gateway_stops") == 1
    tunnel.close()
    refused.close()

    assert gateway.process.stop() == 0
    fragile.control.process.kill()
    gateway.start()
    told = run_agent(URLLIB, "read", tag, gateway.environment_of_agent)
    assert not told.ok
    assert "it runs wild" in told.message + told.output, told
    assert fragile.oracle.about(tag) == []

    fragile.control.start()
    resume_all(fragile)
    assert run_agent(URLLIB, "read", tag, gateway.environment_of_agent).ok
