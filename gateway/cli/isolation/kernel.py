"""The few system calls of Linux that isolation needs and Python 3.11 does not have.

Each raises OSError with what the kernel said.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

CLONE_NEWNS: Final = 0x0002_0000
CLONE_NEWIPC: Final = 0x0800_0000
CLONE_NEWUSER: Final = 0x1000_0000
CLONE_NEWNET: Final = 0x4000_0000

MS_RDONLY: Final = 0x1
MS_NOSUID: Final = 0x2
MS_NODEV: Final = 0x4
MS_NOEXEC: Final = 0x8
MS_REMOUNT: Final = 0x20
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x4_0000

PR_SET_PDEATHSIG: Final = 1
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_CAPABILITY_VERSION_3: Final = 0x2008_0522

_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_RESTRICT_SELF: Final = 446
"""The same numbers on every machine."""

_LANDLOCK_ASK_VERSION: Final = 1
_LANDLOCK_VERSION_WITH_SCOPES: Final = 6
_LANDLOCK_SCOPE_SIGNAL: Final = 2

_libc = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def unshare(flags: int) -> None:
    """Leave namespaces for fresh ones."""
    _check(_libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount, bind or remount, as `mount(2)` has it."""
    _check(
        _libc.mount(
            source.encode(), os.fsencode(target), kind.encode(),
            ctypes.c_ulong(flags), data.encode(),
        )
    )  # fmt: skip


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process."""
    _check(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), 0, 0, 0))


def drop_all_capabilities() -> None:
    """Give up every capability, also for whatever is executed later, whoever it belongs to."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        prctl(PR_CAPBSET_DROP, number)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref((_Capabilities * 2)())))


def keep_signals_inside() -> bool:
    """Let this process and its children signal each other and nobody else; False where the kernel
    can't (Landlock's sixth version, Linux 6.12). After PR_SET_NO_NEW_PRIVS."""
    version = _libc.syscall(
        _LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_ASK_VERSION
    )
    if version < _LANDLOCK_VERSION_WITH_SCOPES:
        return False
    rules = (ctypes.c_uint64 * 3)(0, 0, _LANDLOCK_SCOPE_SIGNAL)
    size = ctypes.c_size_t(ctypes.sizeof(rules))
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), size, 0)
    if ruleset < 0:
        _check(ruleset)
    try:
        _check(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def set_seccomp(program: bytes) -> None:
    """Filter system calls from now on. `program` is of 8-byte BPF instructions."""
    filtering = _Program(len(program) // 8, program)
    _check(_libc.prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filtering), 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
