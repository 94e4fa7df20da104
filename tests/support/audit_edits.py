"""Edits of an export as somebody would make them who wants it to lie: some careful, some not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support import audit_files
from tests.support.audit_files import MadeLog, canonical, compact, note


def lines_of(data: bytes) -> list[bytes]:
    """A file's lines; the header is the first, so record `i` is line `i + 1`."""
    return data.split(b"\n")[:-1]


def joined(lines: list[bytes]) -> bytes:
    """Lines as a file."""
    return b"".join(line + b"\n" for line in lines)


def with_header(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file with another first line."""
    first, _, rest = data.partition(b"\n")
    header = json.loads(first)
    change(header)
    return compact(header).encode() + b"\n" + rest


def edited(data: bytes, index: int, **changes: Any) -> bytes:
    """The file with other fields in one record."""
    lines = lines_of(data)
    value = {**json.loads(lines[index + 1]), **changes}
    lines[index + 1] = canonical(value).encode()
    return joined(lines)


def without(data: bytes, *gone: int) -> bytes:
    """The file without some records, its counts as if they had never been."""
    lines = [line for i, line in enumerate(lines_of(data), -1) if i not in gone]
    return with_header(joined(lines), lambda h: h.update(count=h["count"] - len(gone)))


def exchanged(data: bytes, one: int, other: int) -> bytes:
    """The file with two records in each other's place."""
    lines = lines_of(data)
    lines[one + 1], lines[other + 1] = lines[other + 1], lines[one + 1]
    return joined(lines)


def duplicated(data: bytes, index: int) -> bytes:
    """A record twice, counted."""
    lines = lines_of(data)
    lines.insert(index + 1, lines[index + 1])
    return with_header(joined(lines), lambda h: h.update(count=h["count"] + 1))


def signed_anew(data: bytes, secret: str) -> bytes:
    """The file with a checkpoint of just these records, of a key of somebody's choice."""
    leaves = [MadeLog.leaf(line.decode()) for line in lines_of(data)[1:]]
    root = audit_files.b64(audit_files.root_of(leaves))
    text = f"{audit_files.ORIGIN}\n{len(leaves)}\n{root}\n"

    def change(header: dict[str, Any]) -> None:
        header.update(count=len(leaves), size=len(leaves), left=[], right=[])
        header.update(checkpoint=note(text, audit_files.ORIGIN, secret))

    return with_header(data, change)


def gateway_named(header: dict[str, Any], name: str) -> dict[str, Any]:
    """What the first line says of a gateway."""
    found: dict[str, Any] = next(each for each in header["gateways"] if each["id"] == name)
    return found


def signed_by_another(text: str) -> str:
    """A head or checkpoint under a foreign key of the right name."""
    body = text.rpartition("\n\n")[0] + "\n"
    return note(body, body.partition("\n")[0], "somebody")


def flipped(data: bytes, bit: int) -> bytes:
    """One bit of a file changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
