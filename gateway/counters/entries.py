"""What a journal of counters says, as bytes: entries in, one line out, and back.

A line is a batch of entries that were made durable together, behind its checksum; so what a crash
can tear is the last line, and nothing else.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from gateway.counters.counter import Counter
from gateway.counters.ledger import Ledger, Place, Reservation, Share

VERSION: Final = 1
COUNTERS_PER_LINE: Final = 1_000
USES_PER_LINE: Final = 10_000
"""From how much on a line is full: encoding one keeps the interpreter for some milliseconds."""

Entry = tuple[object, ...]
"""`v` version; `c` a counter; `r` taken; `s` in flight; `e` settled; `x` released."""


class Damaged(Exception):
    """A line that is not one of ours."""


def encode_line(entries: Iterable[Entry]) -> bytes:
    """One batch as one line."""
    data = orjson.dumps(list(entries))
    return b"%08x %b\n" % (zlib.crc32(data), data)


def decode_line(line: bytes) -> list[Any]:
    """The entries of a line without its line feed.

    Raises:
        Damaged: it is not as it was written.
    """
    data = line[9:]
    if line[8:9] != b" " or line[:8] != b"%08x" % zlib.crc32(data):
        raise Damaged
    entries = orjson.loads(data)
    assert isinstance(entries, list), "what has our checksum was written by us"
    return entries


def taken(reservation: Reservation) -> Entry:
    shares = [
        (*share.place, share.amount, share.seconds, share.used) for share in reservation.shares
    ]
    return (
        "r", reservation.token, reservation.owner, reservation.at, reservation.lapses_at, shares,
    )  # fmt: skip


def started(token: str) -> Entry:
    return "s", token


def settled(token: str, at: int) -> Entry:
    return "e", token, at


def released(token: str) -> Entry:
    return "x", token


def snapshot_lines(ledger: Ledger) -> Iterator[bytes]:
    """Everything that a ledger holds now. It is copied at once, which is quick; the lines, which
    are not, are made as they are taken, in whichever thread."""
    counters = [
        (*place, counter.seconds, *counter.columns)
        for place, counter in ledger.counters
        if len(counter)
    ]
    return _lines(counters, [taken(reservation) for reservation in ledger.reservations])


def _lines(
    counters: Sequence[tuple[str, str, int, array[int], array[int]]], reservations: list[Entry]
) -> Iterator[bytes]:
    batch: list[Entry] = [("v", VERSION)]
    uses = 0
    for limit, key, seconds, at, amounts in counters:
        batch.append(("c", limit, key, seconds, at.tolist(), amounts.tolist()))
        uses += len(at)
        if len(batch) >= COUNTERS_PER_LINE or uses >= USES_PER_LINE:
            yield encode_line(batch)
            batch, uses = [], 0
    yield encode_line(batch + reservations)


def replay(entries: Iterable[Any], ledger: Ledger, now: int) -> None:
    """Do to a ledger what the entries say.

    Raises:
        Damaged: they are of a version that is not ours.
    """
    for kind, *fields in entries:
        match kind, fields:
            case "v", [version]:
                if version != VERSION:
                    raise Damaged
            case "c", [limit, key, seconds, at, amounts]:
                ledger.restore((limit, key), Counter(seconds, (at, amounts)))
            case "r", [token, owner, at, lapses_at, shares]:
                _end_of_owner(ledger, owner, now)
                ledger.open(Reservation(token, owner, at, tuple(map(_share, shares)), lapses_at))
            case "s", [token]:
                reservation = ledger.find(token)
                if reservation is not None:
                    reservation.lapses_at = None
            case "e", [token, at]:
                ledger.settle(token, at)
            case "x", [token]:
                ledger.release(token)
            case _:
                raise Damaged


def _share(fields: list[Any]) -> Share:
    limit, key, amount, seconds, used = fields
    place: Place = (limit, key)
    return Share(place, amount, seconds, used)


def _end_of_owner(ledger: Ledger, owner: str, now: int) -> None:
    """An owner that takes anew had nothing open: what it had held has lapsed."""
    before = ledger.of_owner(owner)
    if before is None:
        return
    if before.lapses_at is None:
        ledger.settle(before.token, now)
    else:
        ledger.release(before.token)
