"""Turns YAML text into a tree of positioned nodes.

A small, strict subset: no anchors, aliases, tags or merge keys; only `true`, `false`, `null` and
whole numbers are not text (`on`, `no` and `1_000` are text). Built from the parser's events, so
that neither depth nor aliases of a hostile file cost more than its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import yaml

from gateway.model.dataclass import dataclass
from gateway.model.errors import Problem

FILE_CHARS_MAX: Final = 8 * 1024 * 1024
"""Of one policy file: room for some 30,000 rules."""

DEPTH_MAX: Final = 16
"""Nesting of a document; a policy needs eight."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})")
_WHOLE_BEGINS: Final = frozenset("+-0123456789")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(slots=True, eq=False)
class Mark:
    """`line` and `column` count from 1; `index` is an offset into the text. Not frozen, because
    that takes three times as long, and a large file has a hundred thousand."""

    line: int
    column: int
    index: int


class Scalar(NamedTuple):
    """`written` is the whole value as text, `value` what it means. `end` is its end's offset."""

    mark: Mark
    end: int
    style: str | None
    written: str
    value: str | int | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    mark: Mark
    items: list[Item]


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Keys in the order of the file. A repeated key is kept, for the reader to complain of."""

    mark: Mark
    entries: list[tuple[Scalar, Item]]


Item = Scalar | Items | Fields


class DocumentError(Exception):
    """The text is not the YAML that we take."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse_documents(text: str, file: str) -> Iterator[Item]:
    """Yield each document of a file that holds anything.

    Raises:
        DocumentError: the first thing that is no YAML, or outside the subset.
    """
    if len(text) > FILE_CHARS_MAX:
        raise DocumentError(
            Problem(file, 0, 0, f"the file is longer than {FILE_CHARS_MAX} characters", "split it")
        )
    builder = _Builder(file)
    try:
        loader = _LOADER(text)
        while (event := loader.get_event()) is not None:
            document = builder.take(event)
            if document is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        message = f"this is not YAML: {error.problem or error.context or 'unreadable'}"
        raise DocumentError(Problem(file, line, column, message)) from error
    except yaml.YAMLError as error:
        raise DocumentError(
            Problem(file, 0, 0, "the file holds characters that YAML does not allow")
        ) from error


class _Builder:
    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[Items | Fields] = []
        self._keys: list[Scalar | None] = []

    def take(self, event: yaml.Event) -> Item | None:
        """Take one event; give the document when it is complete."""
        if type(event) is yaml.ScalarEvent:
            return self._add(self._scalar(event))
        match event:
            case yaml.MappingStartEvent():
                self._start(Fields(self._plain(event, event.tag), []))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._keys.pop()
                return self._add(self._open.pop())
            case yaml.SequenceStartEvent():
                self._start(Items(self._plain(event, event.tag), []))
            case yaml.AliasEvent():
                self._plain(event, None)
        return None

    def _plain(self, event: yaml.NodeEvent, tag: str | None) -> Mark:
        """The mark of an event that is nothing but a value."""
        mark = _mark(event)
        # An alias is the anchor that it names.
        if event.anchor is not None:
            raise self._refusal(mark, "anchors and aliases are not allowed", "write it out")
        if tag is not None and tag != "!":
            raise self._refusal(mark, "tags are not allowed", "leave it out")
        return mark

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        # Four fifths of all events: what `_plain` refuses is asked here first.
        start, end = event.start_mark, event.end_mark
        if event.anchor is not None or event.tag is not None or start is None or end is None:
            mark = self._plain(event, event.tag)
        else:
            mark = Mark(start.line + 1, start.column + 1, start.index)
        written: str = event.value
        value: str | int | bool | None = written
        if event.implicit[0]:
            if written in _WORDS:
                value = _WORDS[written]
            elif written[0] in _WHOLE_BEGINS and _WHOLE.fullmatch(written):
                value = int(written)
        assert end is not None, "a parser's events have marks"
        return Scalar(mark, end.index, event.style or None, written, value)

    def _start(self, item: Items | Fields) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise self._refusal(item.mark, f"the file is nested deeper than {DEPTH_MAX}", "")
        if self._open and isinstance(self._open[-1], Fields) and self._keys[-1] is None:
            raise self._refusal(item.mark, "a key must be text", "")
        self._open.append(item)
        self._keys.append(None)

    def _add(self, item: Item) -> Item | None:
        if not self._open:
            is_nothing = isinstance(item, Scalar) and item.value is None
            return None if is_nothing else item
        parent, key = self._open[-1], self._keys[-1]
        if isinstance(parent, Items):
            parent.items.append(item)
        elif key is None:
            assert isinstance(item, Scalar), "`_start` refuses other keys"
            self._keys[-1] = item
        else:
            parent.entries.append((key, item))
            self._keys[-1] = None
        return None

    def _refusal(self, mark: Mark, message: str, help_text: str) -> DocumentError:
        return DocumentError(Problem(self._file, mark.line, mark.column, message, help_text))


def _mark(event: yaml.Event) -> Mark:
    start = event.start_mark
    assert start is not None, "a parser's events have marks"
    return Mark(start.line + 1, start.column + 1, start.index)


def place_inside(scalar: Scalar, text: str, offset: int) -> tuple[int, int]:
    """Line and column, in the file, of the character at `offset` of a scalar's value.

    Walks value and file side by side: quoting, escapes, indentation and folding lie between. The
    character must not be white space, unless it is the end.
    """
    at, seen = scalar.mark.index, 0
    if scalar.style in ("'", '"'):
        at += 1
    elif scalar.style in ("|", ">"):
        at = text.find("\n", at, scalar.end) + 1
        at += len(_space_at(text, at, scalar.end))
        seen = len(_space_at(scalar.written, 0, len(scalar.written)))
    while seen < offset and at < scalar.end:
        sign = text[at]
        if sign == "\\" and scalar.style == '"':
            at += _escape_length(text, at)
            seen += 1
        elif sign.isspace() and "\n" in (run := _space_at(text, at, scalar.end)):
            # Folding turns a run of white space into a shorter one: take both runs whole.
            at += len(run)
            seen += len(_space_at(scalar.written, seen, len(scalar.written)))
        else:
            at += 2 if sign == "'" and scalar.style == "'" else 1
            seen += 1
    before = text.rfind("\n", 0, at) + 1
    return text.count("\n", 0, at) + 1, at - before + 1


def _space_at(text: str, start: int, end: int) -> str:
    """The run of white space that starts here."""
    at = start
    while at < end and text[at].isspace():
        at += 1
    return text[start:at]


def _escape_length(text: str, at: int) -> int:
    return {"x": 4, "u": 6, "U": 10}.get(text[at + 1 : at + 2], 2)
