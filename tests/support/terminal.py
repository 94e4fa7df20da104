"""Runs a command on a pseudo-terminal of its own, reads what it shows, types keys."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.command import COMMAND, Checkrein

SECONDS_MAX = 100.0


@contextmanager
def on_terminal(checkrein: Checkrein, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command as the leader of its own session; yields it and our end of the terminal."""
    terminal, child_end = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *COMMAND, *words],
        env={**checkrein.environment, "TERM": "xterm", "NO_COLOR": "1"},
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
    )
    os.close(child_end)
    try:
        yield process, terminal
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(terminal)


def read_until(terminal: int, words: bytes | None) -> bytes:
    """What the terminal shows, up to and with the words; to the end with None."""
    shown = b""
    for piece in _pieces(terminal):
        shown += piece
        if words is not None and words in shown:
            return shown
    assert words is None, f"{words!r} never came:\n{shown.decode()}"
    return shown


def _pieces(terminal: int) -> Iterator[bytes]:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if not ready:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            return
        if not piece:
            return
        yield piece
