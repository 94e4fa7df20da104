"""Ids as people write and read them: the first characters of one."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.cli.failures import EXIT_USAGE, CommandError

SHOWN_CHARACTERS = 8

WRITTEN_CHARACTERS_MIN = 4
"""Fewer could soon mean another one than the person has in mind."""


def short_id(whole: object) -> str:
    """An id as tables show it."""
    return str(whole)[:SHOWN_CHARACTERS]


def find_short_id(ids: Iterable[str], text: str, what: str, advice: str) -> str:
    """The one id that is, or begins with, the text. `what` names the things in the plural.

    Raises:
        CommandError: the text is too short, or no id or several begin with it.
    """
    if len(text) < WRITTEN_CHARACTERS_MIN:
        raise CommandError(
            f"`{text}` is too short for an id",
            f"give {WRITTEN_CHARACTERS_MIN} characters or more",
            status=EXIT_USAGE,
        )
    fitting = [each for each in ids if each.startswith(text.lower())]
    if len(fitting) == 1:
        return fitting[0]
    raise CommandError(
        f"{len(fitting) or 'no'} {what} have an id that begins with `{text}`", advice
    )
