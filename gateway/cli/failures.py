"""What a command says when it can't do its work: one sentence, what to do about it, an exit status.

Never a traceback for an expected failure, and never a secret in either sentence.
"""

from __future__ import annotations

import click

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class CommandError(click.ClickException):
    """An expected failure. Printed as `error: ...` and `help: ...` on standard error."""

    def __init__(self, message: str, advice: str = "", *, status: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.advice = advice
        self.status = status


class Interrupted(Exception):
    """A person or the system asked us to end; raised only where waiting happens."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
