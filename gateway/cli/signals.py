"""Turns signals into values that are read where the command waits, and nowhere else.

No handler does anything, so that a Ctrl-C can't strike between starting a process and noting that
it was started. Every wait of `up`, `run` and `demo` goes through `SignalQueue.wait`.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask a command to end."""


class SignalQueue:
    """While open, the named signals and SIGCHLD only wake `wait`. Main thread only."""

    def __init__(self, numbers: Iterable[signal.Signals] = ENDING) -> None:
        self._numbers = (*numbers, signal.SIGCHLD)
        self._previous: dict[signal.Signals, Any] = {}
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._previous_fd = -1

    def __enter__(self) -> SignalQueue:
        self._previous_fd = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            # What is ignored stays so: `nohup checkrein up` outlives its terminal.
            if signal.getsignal(number) is not signal.SIG_IGN or number is signal.SIGCHLD:
                self._previous[number] = signal.signal(number, _do_nothing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._previous_fd)
        self._receiver.close()
        self._sender.close()

    def wait(
        self, seconds: float | None, readers: Iterable[int] = ()
    ) -> tuple[list[signal.Signals], set[int]]:
        """Sleep until a signal, a readable descriptor or the time; returns both. SIGCHLD wakes,
        but is not returned: who waits for a process looks at the process."""
        watched = [self._receiver.fileno(), *readers]
        ready, _, _ = select.select(watched, [], [], seconds)
        return self._drain(), {fd for fd in ready if fd != self._receiver.fileno()}

    def _drain(self) -> list[signal.Signals]:
        caught: list[signal.Signals] = []
        with contextlib.suppress(BlockingIOError):
            while data := self._receiver.recv(4096):
                caught.extend(signal.Signals(number) for number in data)
        return [number for number in caught if number is not signal.SIGCHLD]


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor tells `wait`; a handler must exist for that to happen."""
