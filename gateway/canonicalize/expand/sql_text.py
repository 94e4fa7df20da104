"""Cuts SQL text into statements and tells whether every server would cut it alike.

Knows only what all dialects share: quotes, comments, parentheses and semicolons. Where a text uses
anything else that hides or ends a string or a comment, it is not plain, and `sql` believes it less.
Linear in the text, whatever it holds.
"""

from __future__ import annotations

import re

from gateway.canonicalize.expand.sql_functions import acts_by_name
from gateway.model.dataclass import dataclass

SQL_CHARS_MAX = 262_144
"""Longer texts are bulk loads by statement; nobody reviews them."""
CUT_TOKENS_MAX = 20_000
"""Cutting so many takes some 35 milliseconds."""
STATEMENTS_MAX = 100
DEPTH_MAX = 48
"""Parentheses within each other. Written queries have some ten."""

COUNTED_MAX = {"[": 40, "join": 48, "select": 250}
"""Pieces of a text that sqlglot parses in more than linear time: 600 subscripts take it two
seconds, 200 joins a third of one. A text with more counts as too deep."""

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<line>--[^\n]*)
  | (?P<block>/\*(?>[^*]|\*(?!/))*\*/)
  | (?P<dollar>\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$)
  | (?P<single>'(?>[^']|'')*')
  | (?P<double>"(?>[^"]|"")*")
  | (?P<back>`[^`]*`)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<end>;)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ODD = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000"
    "\ufeff]|\r(?!\n)"
)
_DOLLAR_QUOTES = frozenset({"postgres", "redshift", "snowflake"})
_HASH_COMMENTS = frozenset({"mysql", "bigquery", "clickhouse", ""})
_BACKTICKS = frozenset({"mysql", "bigquery", "clickhouse", "databricks", "sqlite"})
_DASHES_NEED_SPACE = frozenset({"mysql", ""})
_TRIPLE_QUOTES = frozenset({"bigquery", ""})
_BRACKET_NAMES = frozenset({"sqlite", ""})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text, its first words in lower case, and how many tokens it has."""

    text: str
    words: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class SqlText:
    """`is_plain`: every server cuts the text into these statements and these words.
    `is_whole` is false where it can't be cut at all, `depth` is of parentheses, and `size` is how
    many tokens were looked at."""

    statements: tuple[Statement, ...]
    is_plain: bool
    is_whole: bool
    depth: int
    size: int


class _Cutter:
    def __init__(self, text: str, dialect: str) -> None:
        self.text = text
        self.dialect = dialect
        self.is_plain = "\\" not in text and not _ODD.search(text)
        if dialect in _TRIPLE_QUOTES and ("'''" in text or '"""' in text):
            self.is_plain = False
        self.statements: list[Statement] = []
        self.start = 0
        self.words: list[str] = []
        self.count = 0

    def end(self, at: int) -> None:
        if self.count:
            text = self.text[self.start : at]
            self.statements.append(Statement(text, tuple(self.words), self.count))
        self.words, self.count = [], 0

    def note(self, kind: str, found: str) -> None:
        """Count a token, and see whether it is one to every server."""
        if kind in ("line", "block"):
            self._note_comment(kind, found)
            return
        self.count += 1
        if kind == "word":
            if len(self.words) < WORDS_KEPT:
                self.words.append(found.lower())
            if "$$" in found:
                self.is_plain = False
        elif kind in ("single", "double", "back") or (kind == "sign" and found in "'\"`"):
            if kind == "back" and self.dialect not in _BACKTICKS:
                self.is_plain = False
        elif (found == "[" and self.dialect in _BRACKET_NAMES) or (
            found == "#" and self.dialect in _HASH_COMMENTS
        ):
            self.is_plain = False

    def _note_comment(self, kind: str, found: str) -> None:
        if kind == "line":
            if self.dialect in _DASHES_NEED_SPACE and found[2:3] not in ("", " ", "\t", "\n", "\r"):
                self.is_plain = False
        elif "/*" in found[2:] or found[2:3] in ("!", "M", "+"):
            self.is_plain = False


WORDS_KEPT = 8


def cut(text: str, dialect: str, room: int = CUT_TOKENS_MAX) -> SqlText:
    """Cut a text of at most `SQL_CHARS_MAX` and `room` tokens into statements. `dialect` is empty
    where the server's one is not known."""
    cutter = _Cutter(text, dialect)
    depth = deepest = position = total = 0
    left = dict(COUNTED_MAX)
    previous = ""
    while position < len(text):
        found = _TOKEN.match(text, position)
        assert found is not None, "the last alternative takes every character"
        kind, piece = found.lastgroup or "", found.group()
        position = found.end()
        total += 1
        if total > room:
            return SqlText((), False, False, deepest, total)
        if kind == "space":
            previous = ""
            continue
        counted = piece.lower() if kind in ("word", "open") else ""
        if counted in left:
            left[counted] -= 1
            deepest = max(deepest, DEPTH_MAX + 1) if left[counted] < 0 else deepest
        if kind == "dollar":
            position = text.find(piece, position) + len(piece)
            if position < found.end() + len(piece):
                return SqlText((), False, False, deepest, total)
            cutter.is_plain = cutter.is_plain and dialect in _DOLLAR_QUOTES
        elif kind == "sign" and (piece in "'\"`" or (piece == "*" and previous == "/")):
            # A quote or a comment that never ends.
            return SqlText((), False, False, deepest, total)
        elif kind == "open":
            depth += 1
            deepest = max(deepest, depth)
        elif kind == "close":
            depth -= 1
        elif kind == "end" and depth <= 0:
            cutter.end(found.start())
            cutter.start, depth = position, 0
            if len(cutter.statements) > STATEMENTS_MAX:
                return SqlText((), False, False, deepest, total)
            continue
        if kind == "end":
            cutter.is_plain = False
        if (previous + piece in ("{#", "{%", "{{", "//")) and (piece != "/" or _slashes(dialect)):
            cutter.is_plain = False
        cutter.note(kind, piece)
        previous = piece if kind in ("sign", "open") else ""
    cutter.end(len(text))
    return SqlText(tuple(cutter.statements), cutter.is_plain, depth == 0, deepest, total)


def _slashes(dialect: str) -> bool:
    """Whether `//` may begin a comment."""
    return dialect in ("snowflake", "")


_ACTING = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:insert|update|delete|merge|replace|truncate|drop|alter|create|grant"
    r"|revoke|call|exec|execute|do|copy|load|unload|export|put|remove|rename|attach|detach|vacuum"
    r"|optimize|kill|system|into|lock|refresh|set|undrop|handler|import|restore|reindex|notify)"
    r"(?![A-Za-z0-9])"
)


_CALLED = re.compile(r"(?<![A-Za-z0-9_$])([A-Za-z_][A-Za-z0-9_$]{0,63})\s{0,8}\(")


def acting_words(text: str) -> set[str]:
    """Every word that could begin an act or call one, in strings and comments too."""
    called = {name.lower() for name in _CALLED.findall(text) if acts_by_name(name)}
    return {word.lower() for word in _ACTING.findall(text)} | called
