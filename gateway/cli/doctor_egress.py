"""Whether a program here could reach the world past the gateway, and whether isolation is possible.

No byte leaves the machine: a datagram socket that is "connected" only asks the kernel for a route.
Rules of a firewall can't be seen that way, so a route is no fault, only something to know of.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress

from gateway.cli.processes import own_module

_ANYWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses for documentation: nobody's, and routed like everybody's."""

PROBE_SECONDS_MAX = 10.0


def ways_out() -> list[str]:
    """The families of addresses that have a route out of this network namespace."""
    return [f"IPv{4 if ':' not in place else 6}" for family, place in _ANYWHERE
            if _has_route(family, place)]  # fmt: skip


def _has_route(family: int, place: str) -> bool:
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((place, 443))
        # Isolated, every address is our own, or is reached from loopback.
        return sock.getsockname()[0] not in (place, "127.0.0.1", "::1")
    return False


def why_not_isolated() -> str:
    """Why `checkrein run --isolate` can't be used here; empty when it can. Tries it, with a program
    that does nothing."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    done = subprocess.run(
        own_module("gateway.cli.isolation.rehearsal"), check=False, capture_output=True, text=True,
        timeout=PROBE_SECONDS_MAX, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stderr.strip() or "it failed without a word"
