"""Tells the service manager how the process is: systemd's notification protocol (sd_notify(3)).

Without `NOTIFY_SOCKET` nothing is told and nothing fails: most containers have no such manager.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

log = logging.getLogger(__name__)

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
PINGS_PER_PERIOD: Final = 3
"""The manager kills who is silent for one period; one late ping must not count."""


def reloading() -> str:
    """What announces a reload; `READY` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}"


def tell(state: str, environment: Mapping[str, str] | None = None) -> bool:
    """Send one state; whether there was somebody to tell. Never raises: who doesn't listen loses
    the news, and the service goes on."""
    address = (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")
    if not address or address[0] not in "/@":
        return False
    target = "\0" + address[1:] if address[0] == "@" else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), target)
    except OSError as error:
        log.warning("the service manager was not told", extra={"detail": error.strerror})
        return False
    return True


def watchdog_seconds(environment: Mapping[str, str] | None = None) -> float | None:
    """How often to say that the event loop turns; None where nobody watches this process."""
    given = os.environ if environment is None else environment
    pid, period = given.get("WATCHDOG_PID", ""), given.get("WATCHDOG_USEC", "")
    if not period.isdigit() or int(period) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(period) / 1e6 / PINGS_PER_PERIOD


async def keep_watchdog(seconds: float) -> None:
    """Say for ever that the event loop turns."""
    while True:
        tell("WATCHDOG=1")
        await asyncio.sleep(seconds)
