"""What narrow screens leave out of the dashboard (`wide`) is nothing that somebody needs."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import controlplane.dashboard

TEMPLATES = sorted((Path(controlplane.dashboard.__file__).parent / "templates").glob("*.html"))
USED = {"a", "button", "form", "input", "select", "summary", "textarea"}
_CODE = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)


class Narrow(HTMLParser):
    """Notes what can be used inside of what is left out, and the columns of each table that are."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[str] = []
        self.heads: list[tuple[int, bool]] = []
        self.cells: list[tuple[int, bool]] = []
        self._depth = 0
        self._column = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_wide = "wide" in (dict(attrs).get("class") or "").split()
        if tag == "tr":
            self._column = 0
        if tag in ("th", "td"):
            (self.heads if tag == "th" else self.cells).append((self._column, is_wide))
            self._column += 1
        if tag in USED and (self._depth or is_wide):
            self.lost.append(f"{tag} in line {self.getpos()[0]}")
        if tag not in ("input", "meter", "br"):
            self._depth += 1 if self._depth or is_wide else 0

    def handle_endtag(self, tag: str) -> None:
        self._depth -= 1 if self._depth else 0


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_a_phone_loses_nothing_that_is_needed(template: Path) -> None:
    """No link or button is left out, and no column without its head."""
    page = Narrow()
    page.feed(_CODE.sub("", template.read_text()))
    assert not page.lost
    # Of pages with one kind of table; a cell of many columns has no place of its own.
    if len({column for column, _ in page.heads}) == len(page.heads):
        assert {one for one in page.heads if one[1]} == {one for one in page.cells if one[1]}
