"""Reads mail: addresses in the spellings that APIs take, and the headers of a whole mail in base64.

Strict, because a recipient that is overlooked is a leak: what is not plainly a list of addresses,
or plainly a header block, is None, and nothing of it is believed. Linear in what it reads.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from email.errors import MessageError
from email.header import decode_header, make_header

RAW_CHARS_MAX = 131_072
"""Base64 of the 96 KB at the beginning of a mail; headers that don't end there are not read."""
ADDRESSES_MAX = 1_000

_ADDRESS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+"
_MAILBOX = re.compile(
    rf'\s*(?:(?:"(?:[^"\\\r\n]|\\[^\r\n])*"|[^",;:<>()\[\]\\@])*<({_ADDRESS})>|({_ADDRESS}))\s*(,|\Z)'
)
_HEADER = re.compile(r"([!-9;-~]+):(.*)")
_TO_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
"""Both alphabets to one, white space away."""
_RECIPIENTS = ("to", "cc", "bcc")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def bare_addresses(texts: Sequence[str]) -> list[str] | None:
    """The addresses of `a@x.com`, `Ann <a@x.com>` and comma-separated lists of them, in lower case;
    None where one of the texts is anything else."""
    found: list[str] = []
    for text in texts:
        position = 0
        while True:
            box = _MAILBOX.match(text, position)
            if box is None or len(found) >= ADDRESSES_MAX:
                return None
            found.append((box.group(1) or box.group(2)).lower())
            position = box.end()
            if not box.group(3):
                break
    return found


def raw_recipients(raw: str) -> list[str] | None:
    """Everybody in `To`, `Cc` and `Bcc` of a mail in base64, which may be nobody; None where that
    can't be told."""
    headers = _headers(raw)
    if headers is None:
        return None
    return bare_addresses([text for name in _RECIPIENTS for text in headers.get(name, ())])


def raw_sender(raw: str) -> str | None:
    """The one address in `From` of a mail in base64."""
    headers = _headers(raw) or {}
    found = bare_addresses(headers.get("from", ()))
    return found[0] if found and len(found) == 1 else None


def raw_subject(raw: str) -> str | None:
    """The subject of a mail in base64, decoded."""
    subjects = (_headers(raw) or {}).get("subject", [])
    if len(subjects) != 1:
        return None
    try:
        return str(make_header(decode_header(subjects[0])))
    except (MessageError, ValueError, LookupError):
        return None


def _headers(raw: str) -> dict[str, list[str]] | None:
    """The header block by lower-case names, lines unfolded."""
    block = _header_block(raw)
    if block is None:
        return None
    headers: dict[str, list[str]] = {}
    parts: list[str] | None = None
    for ended in block.split("\n"):
        line = ended.removesuffix("\r")
        if "\r" in line:
            return None
        if line[:1] in (" ", "\t"):
            if parts is None:
                return None
            parts[-1] += line
            continue
        found = _HEADER.fullmatch(line)
        if found is None:
            return None
        parts = headers.setdefault(found.group(1).lower(), [])
        parts.append(found.group(2).strip())
    return headers


def _header_block(raw: str) -> str | None:
    """All before the first empty line."""
    text = raw[:RAW_CHARS_MAX].translate(_TO_STANDARD)
    is_whole = len(raw) <= RAW_CHARS_MAX
    if not is_whole:
        text = text[: len(text) // 4 * 4]
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    ends = [end for end in (data.find(b"\r\n\r\n"), data.find(b"\n\n")) if end >= 0]
    if not ends and not is_whole:
        return None
    try:
        block = data[: min(ends)].decode() if ends else data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(block) else block
