"""What an isolated program is to see and may not see; passed to the process that becomes it."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import asdict
from typing import Any, Final

from gateway.model.dataclass import dataclass

PLAN_BYTES_MAX: Final = 8 * 1024 * 1024
"""Arguments and environment may have 2 MiB on Linux; as JSON somewhat more."""

_LENGTH: Final = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Plan:
    """`ports` are those whose connections are forwarded. `hidden` folders look empty but for what
    of them is in `kept`, which can be read; `read_only` ones can't be written. `parent` is whose
    death ends the program."""

    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    ports: tuple[int, ...]
    hidden: tuple[str, ...]
    kept: tuple[str, ...]
    read_only: tuple[str, ...]
    parent: int


def send_plan(channel: socket.socket, plan: Plan) -> None:
    """Send it over a stream socket."""
    data = json.dumps(asdict(plan)).encode()
    channel.sendall(_LENGTH.pack(len(data)) + data)


def receive_plan(channel: socket.socket) -> Plan:
    """Read it back.

    Raises:
        ValueError: what came is no plan.
    """
    (length,) = _LENGTH.unpack(_receive(channel, _LENGTH.size))
    if length > PLAN_BYTES_MAX:
        raise ValueError("the plan is too long")
    fields: dict[str, Any] = json.loads(_receive(channel, length))
    lists = ("arguments", "ports", "hidden", "kept", "read_only")
    return Plan(**fields | {name: tuple(fields[name]) for name in lists})


def _receive(channel: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = channel.recv(count - len(data))
        if not piece:
            raise ValueError("the plan ends early")
        data += piece
    return bytes(data)
