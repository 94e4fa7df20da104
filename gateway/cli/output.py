"""Turns values into what a person or a program reads: tables on a terminal, JSON in a pipe.

INVARIANT(plain): text that an agent chose reaches a terminal only through `plain`, as rich `Text`
and never as markup, so that it can't move the cursor, colour a lie or hide a line.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

from gateway.model.dataclass import dataclass

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

CELL_CHARACTERS_MAX = 300
"""A longer text in a table is cut; `--json` shows all of it."""

WIDTH_WITHOUT_TERMINAL = 120
"""Tables in a log file or a CI's output aren't squeezed into an old terminal's 80 columns."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (bidi overrides, zero-width), surrogate, private, unassigned, line separators."""

EFFECT_STYLES = {"ALLOW": "green", "BLOCK": "red", "REQUIRE_APPROVAL": "yellow"}
STATE_STYLES = {"APPROVED": "green", "CONSUMED": "green", "DENIED": "red", "PENDING": "yellow"}
OUTCOME_STYLES = {"executed": "green", "refused": "red", "unknown": "magenta"}


def plain(value: object) -> str:
    """Text of `value` with everything invisible or terminal-steering made visible."""
    text = value if isinstance(value, str) else str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN_CATEGORIES:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cut(text: str, length_max: int = CELL_CHARACTERS_MAX) -> str:
    """The text, ended by an ellipsis where it is longer than a cell may be."""
    return text if len(text) <= length_max else text[: length_max - 1] + "…"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, the styles of known values, and whether it may shrink."""

    heading: str
    styles: dict[str, str] | None = None
    justify: str = "left"
    is_fixed: bool = False


def wants_colour(stream: IO[str]) -> bool:
    """Whether colours are welcome: a terminal that isn't dumb, and no `NO_COLOR` (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Output:
    """Where a command's result goes. `as_json` is set by `--json` and by not being a terminal."""

    def __init__(self, *, json_wanted: bool = False, stream: IO[str] | None = None) -> None:
        self.stream = stream if stream is not None else sys.stdout
        self.as_json = json_wanted or not self.stream.isatty()
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The terminal; made when first used, because importing rich takes a while."""
        if self._console is None:
            self._console = make_console(self.stream)
        return self._console

    def emit(self, value: object) -> None:
        """Write one JSON value as one line, at once."""
        self.stream.write(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
        self.stream.flush()

    def say(self, text: str, style: str = "") -> None:
        """Write one line of our own words; control characters in it are made visible."""
        self.console.print(styled(text, style), soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
        """Draw a table; every cell is shown as plain text."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
        for column in columns:
            justify: Any = column.justify
            table.add_column(column.heading, justify=justify, no_wrap=column.is_fixed)
        for row in rows:
            table.add_row(
                *(_cell(column, value) for column, value in zip(columns, row, strict=True))
            )
        self.console.print(table)


def make_console(stream: IO[str]) -> Console:
    """A rich console that reads no markup, guesses no highlights and obeys `NO_COLOR`."""
    from rich.console import Console

    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        no_color=not wants_colour(stream),
        force_terminal=None if stream.isatty() else False,
        width=None if stream.isatty() else WIDTH_WITHOUT_TERMINAL,
    )


def styled(text: object, style: str = "") -> Text:
    """A rich text of `plain(text)`."""
    from rich.text import Text

    return Text(plain(text), style=style)


def _cell(column: Column, value: object) -> Text:
    text = "" if value is None else cut(plain(value))
    return styled(text, (column.styles or {}).get(text, ""))


def complain(message: str, advice: str = "") -> None:
    """Write `error: ...` and `help: ...` to standard error, as every command does."""
    stream = sys.stderr
    red, blue, end = ("\x1b[31m", "\x1b[36m", "\x1b[0m") if wants_colour(stream) else ("", "", "")
    stream.write(f"{red}error:{end} {_indented(message)}\n")
    if advice:
        stream.write(f"{blue}help:{end} {_indented(advice)}\n")


def _indented(text: str) -> str:
    return "\n  ".join(plain(line) for line in text.splitlines())
