"""Ids as people write and read them: the first characters of one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import LIST_COUNT_MAX

if TYPE_CHECKING:
    from gateway.cli.api import Api

SHOWN_CHARACTERS = 8

WRITTEN_CHARACTERS_MIN = 4
"""Fewer could soon mean another one than the person has in mind."""


def short_id(whole: object) -> str:
    """An id as tables show it."""
    return str(whole)[:SHOWN_CHARACTERS]


def find_id(api: Api, things: str, id_name: str, text: str, shown_by: str = "") -> str:
    """The id that the text is, or begins among the newest of what the API lists as `things`, whose
    field `id_name` has it. `shown_by` is the command that shows them, `things list` when empty.

    Raises:
        CommandError: it means none, or several.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        pass
    found = api.get(f"/v1/{things}", {"limit": LIST_COUNT_MAX})[things]
    advice = f"give more of it; `checkrein {shown_by or things + ' list'}` shows them"
    return find_short_id((str(each[id_name]) for each in found), text, things, advice)


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
