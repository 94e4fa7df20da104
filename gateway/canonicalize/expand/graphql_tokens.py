"""Turns the text of a GraphQL document into tokens (specification of October 2021, section 2.1).

Linear, and bounded by length and number. What two lexers read differently is refused: a comment
beside line ends that only some of them know.
"""

from __future__ import annotations

import re

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError

DOCUMENT_CHARS_MAX = 262_144
"""Generated clients write documents of some tens of kilobytes."""
TOKENS_MAX = 15_000
"""What graphql-java takes by default; reading as many takes some 25 milliseconds."""


class GraphqlSyntaxError(Exception):
    """The text is no executable document."""


Token = tuple[str, str]
"""Kind (`name string block int float punctuator end`) and text; strings with their quotes."""

_TOKEN = re.compile(
    r"""
    (?P<skip>[ \t\r\n,\ufeff]+ | \#[^\n\r]*)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<punctuator>\.\.\.|[!$&()\[\]{}:=@|])
  | (?P<block>(?>\"{3}(?>[^"\\]|\\\"{3}|\\|\"{1,2}(?!\"))*\"{3}))
  | (?P<string>"(?!\"{2})(?>[^"\\\n\r]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4}|\\u\{[0-9A-Fa-f]{1,8}\})*")
  | (?P<float>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)(?![A-Za-z0-9_.]))
  | (?P<int>-?(?:0|[1-9][0-9]*)(?![A-Za-z0-9_.]))
    """,
    re.VERBOSE,
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNSURE_LINE_END = re.compile("\r(?!\n)|[\x85\u2028\u2029]")


def tokens_of(text: str, room: int = TOKENS_MAX) -> list[Token]:
    """All tokens and an `end`.

    Raises:
        AmbiguityError: `ambiguous_body`, for what is too large or unsure.
        GraphqlSyntaxError: something is no token.
    """
    if len(text) > DOCUMENT_CHARS_MAX:
        raise AmbiguityError(ambiguity.BODY, "the GraphQL document is too large")
    if "#" in text and _UNSURE_LINE_END.search(text):
        raise AmbiguityError(ambiguity.BODY, "a GraphQL comment ends differently by server")
    if _CONTROL.search(text):
        raise GraphqlSyntaxError("a control character")
    tokens: list[Token] = []
    position = 0
    for found in _TOKEN.finditer(text):
        if found.start() != position:
            break
        position = found.end()
        kind = found.lastgroup or ""
        if kind != "skip":
            tokens.append((kind, found.group()))
            if len(tokens) > room:
                raise AmbiguityError(ambiguity.BODY, "the GraphQL document has too many tokens")
    if position != len(text):
        raise GraphqlSyntaxError("not a token")
    tokens.append(("end", ""))
    return tokens


# --- strings --------------------------------------------------------------------------------------

_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,8})\}|(.))",
    re.DOTALL,
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def string_value(token: Token) -> str:
    """The text that a string token means.

    Raises:
        AmbiguityError: a lone surrogate.
    """
    kind, text = token
    if kind == "block":
        return _block_value(text[3:-3])
    inner = text[1:-1]
    return _ESCAPE.sub(_unescaped, inner) if "\\" in inner else inner


def _unescaped(found: re.Match[str]) -> str:
    high, low, four, braced, plain = found.groups()
    if plain is not None:
        return _ESCAPED.get(plain, plain)
    if high is not None:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    number = int(four or braced, 16)
    if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF:
        raise AmbiguityError(ambiguity.BODY, "a GraphQL string has a lone surrogate")
    return chr(number)


def _block_value(raw: str) -> str:
    """Section 2.9.4: without common indentation, and without blank lines at both ends."""
    lines = re.split(r"\r\n|[\n\r]", raw.replace('\\"""', '"""'))
    indents = [len(line) - len(line.lstrip(" \t")) for line in lines[1:] if line.strip(" \t")]
    if indents:
        common = min(indents)
        lines = [lines[0], *(line[common:] for line in lines[1:])]
    while lines and not lines[0].strip(" \t"):
        lines.pop(0)
    while lines and not lines[-1].strip(" \t"):
        lines.pop()
    return "\n".join(lines)
