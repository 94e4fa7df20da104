"""Bounds the work of proofs for those who can't wait for all of it: a few lines of policy can hold
more cases than anybody has time for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class ExhaustedError(Exception):
    """The work that was allowed is done, and the proofs are not."""


class _Effort:
    def __init__(self, left: int) -> None:
        self.left = left


_effort: ContextVar[_Effort | None] = ContextVar("effort", default=None)


@contextmanager
def effort_of(literals_max: int) -> Iterator[None]:
    """Let the block look at so many literals in pairs; without, there is no bound."""
    token = _effort.set(_Effort(literals_max))
    try:
        yield
    finally:
        _effort.reset(token)


def spend(literals: int) -> None:
    """Say that so many literals are to be held against each other.

    Raises:
        ExhaustedError: more than was allowed.
    """
    effort = _effort.get()
    if effort is None:
        return
    effort.left -= literals * literals
    if effort.left < 0:
        raise ExhaustedError
