"""Chains: what verifies, and how each kind of tampering is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.model.codec import JsonValue, canonical_json
from gateway.model.errors import ChainError
from gateway.record.chain import ZERO_HASH, line_hash, parse_line, seal, verify_chain

Lines = list[bytes]


def a_chain(count: int = 8, gateway: str = "gw_a") -> Lines:
    lines, prev = [], ZERO_HASH
    for seq in range(1, count + 1):
        sealed = seal({"kind": "gateway", "event": f"event {seq}", "at": "x"}, gateway, seq, prev)
        lines.append(sealed.line)
        prev = sealed.hash
    return lines


def edited(lines: Lines, seq: int, /, **changes: JsonValue) -> Lines:
    fields = {**parse_line(lines[seq - 1], seq), **changes}
    return [*lines[: seq - 1], canonical_json(fields), *lines[seq:]]


def resealed_from(lines: Lines, seq: int) -> Lines:
    """Edit a record and seal anew everything after it, as an insider would."""
    lines = edited(lines, seq, event="forged")
    prev = line_hash(lines[seq - 1])
    for place in range(seq, len(lines)):
        lines = edited(lines, place + 1, prev=prev)
        prev = line_hash(lines[place])
    return lines


Tamper = Callable[[Lines], Lines]
TAMPERINGS: dict[str, tuple[Tamper, int, str]] = {
    "a field is edited": (lambda c: edited(c, 4, event="other"), 4, "was changed"),
    "the record before the last is edited": (
        lambda c: edited(c, 7, event="other"), 7, "was changed",
    ),
    "the pointer to the record before is edited": (
        lambda c: edited(c, 4, prev="1" * 64), 4, "was changed",
    ),
    "the first record is edited": (lambda c: edited(c, 1, event="other"), 1, "was changed"),
    "the first record names one before it": (
        lambda c: edited(c, 1, prev="1" * 64), 1, "names a record before it",
    ),
    "a record in the middle is deleted": (
        lambda c: c[:3] + c[4:], 4, "record 4 is missing: record 5",
    ),
    "three records in the middle are deleted": (
        lambda c: c[:3] + c[6:], 4, "records from 4 are missing: record 7",
    ),
    "the first record is deleted": (lambda c: c[1:], 1, "record 1 is missing"),
    "two records are swapped": (
        lambda c: [*c[:3], c[4], c[3], *c[5:]], 4, "record 4 is missing: record 5",
    ),
    "a record is there twice": (lambda c: [*c[:4], *c[3:]], 5, "record 4 stands where record 5"),
    "a forged record is put in, the rest untouched": (
        lambda c: [*c[:3], seal({"kind": "gateway"}, "gw_a", 4, line_hash(c[2])).line, *c[3:]],
        5, "record 4 stands where record 5",
    ),
    "a forged record takes another's place": (
        lambda c: [*c[:3], seal({"kind": "gateway"}, "gw_a", 4, line_hash(c[2])).line, *c[4:]],
        4, "was changed",
    ),
    "another gateway's record is put in": (
        lambda c: [*c[:3], a_chain(gateway="gw_b")[3], *c[4:]], 4, "another gateway",
    ),
    "a line is cut": (lambda c: [*c[:3], c[3][:-5], *c[4:]], 4, "not valid JSON"),
    "a line is empty": (lambda c: [*c[:3], b"", *c[4:]], 4, "not valid JSON"),
    "a line is a list": (lambda c: [*c[:3], b"[]", *c[4:]], 4, "not a JSON object"),
    "a line has a space": (
        lambda c: [*c[:3], c[3].replace(b":", b": ", 1), *c[4:]], 4, "not in canonical form",
    ),
    "a line has a key twice": (
        lambda c: [*c[:3], c[3].replace(b'{"at"', b'{"at":"y","at"'), *c[4:]],
        4, "not in canonical form",
    ),
    "a line escapes what needs none": (
        lambda c: [*c[:3], c[3].replace(b"event 4", b"\\u0065vent 4"), *c[4:]],
        4, "not in canonical form",
    ),
    "a line has a float": (
        lambda c: [*c[:3], c[3].replace(b'"at":"x"', b'"at":1.5'), *c[4:]],
        4, "not in canonical form",
    ),
    "a line has a float deep inside": (
        lambda c: [*c[:3], c[3].replace(b'"at":"x"', b'"at":[{"a":[1.5]}]'), *c[4:]],
        4, "not in canonical form",
    ),
    "a line has no seq": (
        lambda c: [*c[:3], c[3].replace(b'"seq":4', b'"sec":4'), *c[4:]], 4, "no valid `seq`",
    ),
    "a seq is a boolean": (lambda c: edited(c, 4, seq=True), 4, "no valid `seq`"),
    "a version is unknown": (lambda c: edited(c, 4, v=2), 4, "unknown version"),
}  # fmt: skip


def test_an_untouched_chain_verifies() -> None:
    """The report names the gateway, both ends, the head and the count."""
    lines = a_chain()
    report = verify_chain(lines, gateway="gw_a", first_seq=1)
    assert (report.gateway, report.first_seq, report.last_seq) == ("gw_a", 1, 8)
    assert (report.head, report.count) == (line_hash(lines[-1]), 8)


def test_an_empty_chain_verifies() -> None:
    """Nothing recorded is nothing wrong."""
    report = verify_chain([])
    assert (report.count, report.first_seq, report.last_seq, report.head) == (0, 0, 0, ZERO_HASH)


def test_a_chain_verifies_from_its_middle() -> None:
    """What came before is taken from the first line, or given."""
    lines = a_chain()
    assert verify_chain(lines[3:]).first_seq == 4
    known = line_hash(lines[2])
    assert verify_chain(lines[3:], first_seq=4, prev=known).last_seq == 8
    with pytest.raises(ChainError, match="record 4 does not follow the known head"):
        verify_chain(lines[3:], first_seq=4, prev="1" * 64)


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_found_at_the_first_bad_record(what: str) -> None:
    """Each names the seq and says what is wrong there."""
    tamper, seq, sentence = TAMPERINGS[what]
    with pytest.raises(ChainError) as caught:
        verify_chain(tamper(a_chain()), gateway="gw_a", first_seq=1)
    assert caught.value.seq == seq
    assert sentence in caught.value.message


def test_what_a_chain_alone_cannot_see() -> None:
    """A cut tail and a chain sealed anew verify; only a head kept elsewhere shows them. That is
    why lines are shipped, and why heads will be signed."""
    lines = a_chain()
    assert verify_chain(lines[:5]).last_seq == 5
    forged = resealed_from(lines, 4)
    assert verify_chain(forged).head != verify_chain(lines).head


def test_a_line_carries_its_place() -> None:
    """Version, gateway, seq and the hash before are in the bytes that are hashed."""
    sealed = seal({"kind": "gateway"}, "gw_a", 7, "c" * 64)
    prev = "c" * 64
    expected = f'{{"gateway":"gw_a","kind":"gateway","prev":"{prev}","seq":7,"v":1}}'
    assert sealed.line == expected.encode()
    assert sealed.hash == line_hash(sealed.line)
