"""Which system calls an isolated program is refused, as a BPF program for seccomp. Pure.

    socket        of families that are not of a network namespace: a vsock leads out of a virtual
                  machine past every namespace there is. UNIX, IPv4, IPv6 and netlink stay.
    io_uring      makes sockets without `socket`.
    ioctl         TIOCSTI and TIOCLINUX: typing into the terminal that the program shares with the
                  shell that started it, which would then run it outside.

Calls in another machine language than the program's own (32-bit, x32) don't exist, because their
numbers mean something else.
"""

from __future__ import annotations

import errno
import struct
from typing import Final

from gateway.model.dataclass import dataclass

FAMILIES: Final = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK."""

_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C
_IO_URING_SETUP: Final = 425
_X32: Final = 0x4000_0000

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF_0000
_ERRNO: Final = 0x0005_0000

_AT_NUMBER, _AT_ARCH, _AT_ARGUMENT_0, _AT_ARGUMENT_1 = 0, 4, 16, 24
"""Offsets in `struct seccomp_data`; the low halves of the arguments, on little-endian machines."""


@dataclass(frozen=True, slots=True)
class _Machine:
    audit_arch: int
    socket: int
    ioctl: int


MACHINES: Final = {
    "x86_64": _Machine(0xC000_003E, 41, 16),
    "aarch64": _Machine(0xC000_00B7, 198, 29),
}
"""By what `uname -m` says."""


def refused_calls(machine: str) -> bytes | None:
    """The program for a machine; None for one whose numbers aren't known here."""
    known = MACHINES.get(machine)
    if known is None:
        return None
    no_such_call = _ERRNO | errno.ENOSYS
    lines = [
        _line(_LOAD, _AT_ARCH),
        _line(_EQUAL, known.audit_arch, 1, 0),
        _line(_RETURN, no_such_call),
        _line(_LOAD, _AT_NUMBER),
        _line(_AT_LEAST, _X32, 0, 1),
        _line(_RETURN, no_such_call),
        _line(_EQUAL, _IO_URING_SETUP, 0, 1),
        _line(_RETURN, no_such_call),
        # socket: a family of ours, or none that is known
        _line(_EQUAL, known.socket, 0, len(FAMILIES) + 3),
        _line(_LOAD, _AT_ARGUMENT_0),
        *(_line(_EQUAL, family, len(FAMILIES) - at, 0) for at, family in enumerate(FAMILIES)),
        _line(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
        _line(_RETURN, _ALLOW),
        _line(_EQUAL, known.ioctl, 0, 4),
        _line(_LOAD, _AT_ARGUMENT_1),
        _line(_EQUAL, _TIOCSTI, 1, 0),
        _line(_EQUAL, _TIOCLINUX, 0, 1),
        _line(_RETURN, _ERRNO | errno.EPERM),
        _line(_RETURN, _ALLOW),
    ]
    return b"".join(lines)


def _line(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)
