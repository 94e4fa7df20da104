"""Splits a pasted shell command into its words, as a POSIX shell and bash do.

Expands nothing: a `$NAME` or a backtick stays as it is written. Takes one command only; what
follows a `;`, `|` or `&` is refused, because it would be silently ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

COMMAND_CHARS_MAX: Final = 4_000_000
WORDS_MAX: Final = 10_000

_ESCAPES: Final = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b",
    "E": "\x1b", "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_ANSI: Final = re.compile(
    r"\\u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|(.))",
    re.DOTALL,
)
_ANSI_END: Final = re.compile(r"((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE_END: Final = re.compile(r'((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN: Final = re.compile(r"[^\s'\"\\;|&<>()$`#]+")
_SPACE: Final = re.compile(r"(?:[ \t\r\n]|\\\r?\n)+")


class ShellWordsError(ValueError):
    """Text that no shell would take as one command; its text says why."""


def shell_words(text: str) -> list[str]:
    """The words of one command, its quotes and line continuations resolved.

    Raises:
        ShellWordsError: an open quote, a second command, a redirection.
    """
    if len(text) > COMMAND_CHARS_MAX:
        raise ShellWordsError("the command is too long")
    words: list[str] = []
    text = text.strip()
    at, end = 0, len(text)
    while at < end:
        space = _SPACE.match(text, at)
        if space:
            at = space.end()
            continue
        if text[at] == "#":
            at = (text.find("\n", at) + 1) or end
            continue
        word, at = _word(text, at)
        words.append(word)
        if len(words) > WORDS_MAX:
            raise ShellWordsError("the command has too many words")
    return words


def _word(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    end = len(text)
    while at < end and not _SPACE.match(text, at):
        part, at = _part(text, at)
        parts.append(part)
    return "".join(parts), at


def _part(text: str, at: int) -> tuple[str, int]:
    """One piece of a word, quoted in one way, and where the next begins."""
    plain = _PLAIN.match(text, at)
    if plain:
        return plain[0], plain.end()
    sign = text[at]
    if text.startswith("$'", at):
        return _quoted(_ANSI_END, text, at + 2, _ansi_text)
    if sign == "'":
        close = text.find("'", at + 1)
        if close < 0:
            raise ShellWordsError("a `'` is never closed")
        return text[at + 1 : close], close + 1
    if sign == '"' or text.startswith('$"', at):
        return _quoted(_DOUBLE_END, text, at + (1 if sign == '"' else 2), _double_text)
    if sign == "\\":
        if at + 1 >= len(text):
            raise ShellWordsError("the command ends in a backslash")
        return text[at + 1], at + 2
    if sign in ";|&<>()":
        raise ShellWordsError(
            f"a `{sign}` outside of quotes: paste one command, with its URL in quotes"
        )
    return sign, at + 1


def _quoted(
    pattern: re.Pattern[str], text: str, at: int, unescape: Callable[[str], str]
) -> tuple[str, int]:
    found = pattern.match(text, at)
    if found is None:
        raise ShellWordsError("a quote is never closed")
    return unescape(found[1]), found.end()


def _double_text(text: str) -> str:
    return re.sub(r"\\(\r?\n|[$`\"\\])", lambda part: part[1].strip("\r\n"), text)


def _ansi_text(text: str) -> str:
    """The text of `$'...'`: escapes as in C. Bytes beyond ASCII are put together as UTF-8."""
    escaped = _ANSI.sub(_unescaped, text)
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unescaped(part: re.Match[str]) -> str:
    first, second, byte, octal, short, long, letter = part.groups()
    if first:
        return chr(0x10000 + ((int(first, 16) & 0x3FF) << 10 | int(second, 16) & 0x3FF))
    if byte or octal:
        value = int(byte, 16) if byte else int(octal, 8) & 0xFF
        return chr(value) if value < 0x80 else chr(0xDC00 + value)
    if short or long:
        code = int(short or long, 16)
        is_character = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
        return chr(code) if is_character else "\ufffd"
    return _ESCAPES.get(letter, part[0])
