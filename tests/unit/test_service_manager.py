"""What the service manager is told, by a socket of its own kind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gateway.process import service_manager


def test_a_state_reaches_the_manager(tmp_path: Path):
    """As one datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        assert service_manager.tell("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        assert service_manager.tell(
            service_manager.reloading(), {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        )
        assert manager.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_an_abstract_socket_is_reached():
    """Named by `@` in the variable."""
    name = f"checkrein-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        assert service_manager.tell("STOPPING=1", {"NOTIFY_SOCKET": "@" + name})
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_nobody_to_tell_is_no_fault(address: str):
    """A service that can't say it is ready is ready all the same."""
    assert not service_manager.tell("READY=1", {"NOTIFY_SOCKET": address})


WATCHED = {
    "nobody watches": ({}, None),
    "another process is watched": ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
    "this one is": ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
    "whoever it is": ({"WATCHDOG_USEC": "6000000"}, 2.0),
    "no number": ({"WATCHDOG_USEC": "soon"}, None),
}


@pytest.mark.parametrize("case", WATCHED)
def test_pings_come_three_times_a_period(case: str):
    """And only where they are waited for."""
    environment, seconds = WATCHED[case]
    assert service_manager.watchdog_seconds(environment) == seconds
