"""Turns the text of a condition into tokens.

Strict where other engines guess: `50_000`, `5u`, a single `=`, a bytes literal or an unknown
escape is a positioned error, never a shorter token with something left over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from gateway.decide.conditions.syntax import (
    CONDITION_CHARS_MAX,
    INT64_MAX,
    INT64_MIN,
    ConditionError,
    Span,
)


class TokenKind(Enum):
    NAME = "name"
    INT = "whole number"
    DOUBLE = "decimal"
    TEXT = "text"
    SIGN = "sign"
    END = "end of the condition"


class Token(NamedTuple):
    """`text` is as written; `value` is what a literal means (an INT may be 2^63, for its minus)."""

    kind: TokenKind
    span: Span
    text: str
    value: str | int | float = ""


_NEXT = re.compile(
    r"""
    (?:[ \t\n\f\r]+|//[^\n]*)*
    (?:
        ([A-Za-z_][A-Za-z0-9_]*)(?![A-Za-z0-9_"'])
      | (==|!=|<=|>=|&&|\|\||\.(?![0-9])|[<>!+\-*/%()\[\],?:])
      | "((?!"")[^"\\\r\n]*)"
      | ([0-9]{1,18})(?![A-Za-z0-9_.])
    )?
    """,
    re.VERBOSE,
)
"""White space and comments, and behind them a name, a sign, plain text or a plain number. What is
none of these, such as text with escapes, is looked at more closely."""

_NAME_FOUND, _SIGN_FOUND, _TEXT_FOUND = 1, 2, 3
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOUBLE = re.compile(r"(?:[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)")
_INT = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_WORD_REST = re.compile(r"[A-Za-z0-9_]*")
_STRING_START = re.compile(r"""[rRbB]{0,2}('{3}|"{3}|'|")""")
_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "?": "?", '"': '"', "'": "'", "`": "`",
}  # fmt: skip
_CODE_ESCAPE = re.compile(
    r"x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})"
)

_HELP_FOR_SIGN = {
    "=": "write `==` to compare",
    "&": "write `&&` for and",
    "|": "write `||` for or",
    "{": "maps and blocks are not part of the language",
    "`": "text is written in double or single quotes",
    "$": "names have no sign before them: write `params.amount`",
    "@": "names have no sign before them: write `params.amount`",
    ";": "a condition is one expression; join two with `&&`",
    "#": "a comment begins with `//`",
    "\u201c": "text is written in double or single quotes",
    "\u2018": "text is written in double or single quotes",
    "^": "there is no such operator",
    "~": 'write `x.matches("pattern")` to look for a pattern',
}


def scan(text: str) -> list[Token]:
    """Split a condition into tokens; the last is END.

    Raises:
        ConditionError: the text holds something that is no token.
    """
    if len(text) > CONDITION_CHARS_MAX:
        raise ConditionError(
            f"the condition is longer than {CONDITION_CHARS_MAX} characters",
            Span(0, 1),
            "move values into `match`, or split the rule",
        )
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while True:
        found = _NEXT.match(text, at)
        assert found is not None, "all of it may be missing"
        which = found.lastindex
        if which is None:
            at = found.end()
            if at == len(text):
                yield Token(TokenKind.END, Span(at, at), "")
                return
            token = _uncommon(text, at)
            yield token
            at = token.span.end
            continue
        at = found.end()
        written = found[which]
        if which == _NAME_FOUND:
            yield Token(TokenKind.NAME, Span(at - len(written), at), written)
        elif which == _SIGN_FOUND:
            yield Token(TokenKind.SIGN, Span(at - len(written), at), written)
        elif which == _TEXT_FOUND:
            start = at - len(written) - 2
            yield Token(TokenKind.TEXT, Span(start, at), text[start:at], written)
        else:
            yield Token(TokenKind.INT, Span(at - len(written), at), written, int(written))


def _uncommon(text: str, at: int) -> Token:
    string = _STRING_START.match(text, at)
    if string is not None:
        return _string(text, at, string.group(1), string.start(1))
    name = _NAME.match(text, at)
    if name is not None:
        return Token(TokenKind.NAME, Span(at, name.end()), name.group())
    if text[at].isdecimal() or (text[at] == "." and text[at + 1 : at + 2].isdecimal()):
        return _number(text, at)
    raise ConditionError(
        f"unexpected `{text[at]}`", Span(at, at + 1), _HELP_FOR_SIGN.get(text[at], "")
    )


def _number(text: str, at: int) -> Token:
    double = _DOUBLE.match(text, at)
    match = double or _INT.match(text, at)
    end = match.end() if match is not None else at
    rest = _WORD_REST.match(text, end)
    assert rest is not None
    # `1.` would be a field without a name, and `1.5.2` or `1..2` half a number.
    has_bare_point = text.startswith(".", end) and not _NAME.match(text, end + 1)
    if match is None or rest.group() or has_bare_point:
        written = text[at : max(rest.end(), at + 1)] + ("." if has_bare_point else "")
        raise ConditionError(
            f"`{written}` is not a number", Span(at, at + len(written)), _number_help(written)
        )
    span, written = Span(at, end), match.group()
    if double is not None:
        value = float(written)
        if value in (float("inf"), float("-inf")):
            raise ConditionError(f"`{written}` is too large for a decimal", span)
        return Token(TokenKind.DOUBLE, span, written, value)
    # Checked by length first: Python refuses to read thousands of digits with an error of its own.
    digits = written.lstrip("0xX") if written[:2].lower() == "0x" else written.lstrip("0")
    whole = int(written, 0 if written[:2].lower() == "0x" else 10) if len(digits) <= 20 else None
    if whole is None or whole > INT64_MAX + 1:
        raise too_large(written, span)
    return Token(TokenKind.INT, span, written, whole)


def too_large(written: str, span: Span) -> ConditionError:
    """The error for a whole number that has no place in the language."""
    help_text = f"whole numbers go from {INT64_MIN} to {INT64_MAX}"
    return ConditionError(f"`{written}` does not fit into 64 bits", span, help_text)


def _number_help(written: str) -> str:
    if "_" in written:
        return f"write `{written.replace('_', '')}`: digits are not grouped"
    if written[-1] in "uU" and written[:-1].isdecimal():
        return f"write `{written[:-1]}`: there are no unsigned numbers"
    if written.count(".") > 1:
        return "put what is no number, such as a version, into quotes"
    if written[-1] == ".":
        return f"write `{written}0` for a decimal; there are no ranges such as `8..18`"
    digits = _INT.match(written)
    if digits is not None and digits.group() + "x" != written.lower():
        return f"write `{digits.group()}`: a number has no unit; amounts are in minor units"
    return "put a space or an operator behind the number"


def _string(text: str, at: int, quote: str, quote_at: int) -> Token:
    prefix = text[at:quote_at].lower()
    if "b" in prefix:
        raise ConditionError(
            "bytes are not part of the language", Span(at, quote_at + 1), "leave the `b` out"
        )
    if prefix == "rr":
        raise ConditionError("unexpected `rr` before text", Span(at, quote_at))
    is_raw, position, parts = prefix == "r", quote_at + len(quote), []
    while not text.startswith(quote, position):
        if position >= len(text) or (text[position] in "\r\n" and len(quote) == 1):
            raise ConditionError(
                "text is not closed", Span(at, position), f"close it with `{quote}`"
            )
        if text[position] != "\\" or is_raw:
            parts.append(text[position])
            position += 1
        else:
            piece, position = _escape(text, position)
            parts.append(piece)
    end = position + len(quote)
    return Token(TokenKind.TEXT, Span(at, end), text[at:end], "".join(parts))


def _escape(text: str, at: int) -> tuple[str, int]:
    simple = _SIMPLE_ESCAPES.get(text[at + 1 : at + 2])
    if simple is not None:
        return simple, at + 2
    code = _CODE_ESCAPE.match(text, at + 1)
    if code is None:
        raise ConditionError(
            f"unknown escape `{text[at : at + 2]}`",
            Span(at, at + 2),
            r"write `\\` for one backslash, or put `r` before the quotes",
        )
    octal = code.group(5)
    digits = next(group for group in code.groups() if group is not None)
    point = int(digits, 8 if octal is not None else 16)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise ConditionError("this escape names no character", Span(at, code.end()))
    return chr(point), code.end()
