"""The third answer of a condition, beside true and false."""

from __future__ import annotations


class Unresolved(Exception):
    """A value can't be told. `subject` names the field that it failed on, as far as known."""

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.subject = subject
