"""Writes the little YAML that proposals are made of, so that it reads as a person would write it.

Whatever the texts are: what is written here is read back as the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_PLAIN_KEY: Final = re.compile(r"[A-Z]+ /[A-Za-z0-9_./{}+~$-]*")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_PRINTABLE: Final = re.compile(r"[^ !#-\[\]-~]")

_SINGLE: Final = re.compile(r"[ -&(-~]+")
"""What reads better in single quotes: JSON."""


def scalar(value: str | int | bool | None) -> str:
    """A value inside braces or behind a key."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if '"' in value and _SINGLE.fullmatch(value):
        return f"'{value}'"
    return f'"{_PRINTABLE.sub(_escaped, value)}"'


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    if sign in '"\\':
        return f"\\{sign}"
    code = ord(sign)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else (f"\\U{code:08x}")
    )


def key(text: str) -> str:
    """A key of a block: `GET /v1/orders/{order}` needs no quotes."""
    return text if _PLAIN_KEY.fullmatch(text) else scalar(text)


def flow(value: object) -> str:
    """A value on one line: `{type: order, id: path.order}`."""
    if isinstance(value, Mapping):
        pairs = (f"{scalar(str(name))}: {flow(item)}" for name, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(flow, value))}]"
    assert value is None or isinstance(value, str | int)
    return scalar(value)


def comment(text: str) -> str:
    """A comment's text on one line, whatever was in it."""
    return "# " + _PRINTABLE.sub(lambda found: found[0] if found[0] in '"\\' else "?", text)
