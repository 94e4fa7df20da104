"""Single keys from a terminal: raw enough for one-key answers, put back whatever happens."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

from gateway.cli.failures import Interrupted
from gateway.cli.signals import SignalQueue

LINE_CHARACTERS_MAX = 500
_BACKSPACES = ("\x7f", "\x08")


def has_terminal() -> bool:
    """Whether a person can be shown something and answer with a key."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def single_keys() -> Iterator[int]:
    """Let keys arrive one by one, unechoed, while the block runs; yields the descriptor to wait
    on. Ctrl-C still is a signal. What was typed before is forgotten: it was not about this."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def forget_typed(fd: int) -> None:
    """Drop keys that were pressed before something new is shown, so that they can't answer it."""
    termios.tcflush(fd, termios.TCIFLUSH)


def read_keys(fd: int) -> str:
    """What was typed and is waiting; `\\x04` (end of input) when the terminal is gone."""
    try:
        data = os.read(fd, 64)
    except OSError:
        data = b""
    return data.decode("utf-8", "ignore") or "\x04"


def read_line(fd: int, signals: SignalQueue) -> str:
    """A line typed in single-key mode, echoed here.

    Raises:
        Interrupted: a signal came meanwhile.
    """
    line = ""
    while True:
        caught, ready = signals.wait(None, [fd])
        if caught:
            raise Interrupted(caught[0])
        if fd not in ready:
            continue
        for key in read_keys(fd):
            if key in "\r\n\x04":
                _echo("\r\n")
                return line.strip()
            if key in _BACKSPACES:
                _echo("\b \b" if line else "")
                line = line[:-1]
            elif key.isprintable() and len(line) < LINE_CHARACTERS_MAX:
                _echo(key)
                line += key


def _echo(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
