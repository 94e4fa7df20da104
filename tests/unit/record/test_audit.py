"""A download of many gateways' lines: who verifies, who does not, and what is still open."""

from __future__ import annotations

from gateway.model.record import Entry
from gateway.record.audit import verify_lines
from gateway.record.chain import ZERO_HASH, seal
from gateway.record.line import fields_of
from tests.support.entries import an_intent, an_outcome


def lines_of(gateway: str, *entries: Entry) -> list[bytes]:
    lines, prev = [], ZERO_HASH
    for seq, entry in enumerate(entries, 1):
        sealed = seal(fields_of(entry), gateway, seq, prev)
        lines.append(sealed.line)
        prev = sealed.hash
    return lines


A = lines_of("gw_a", an_intent("dec_1"), an_outcome("dec_1"), an_intent("dec_2"))
B = lines_of("gw_b", an_intent("dec_3", sends=False), an_intent("dec_3"), an_outcome("dec_3"))


def test_interleaved_chains_verify() -> None:
    """The order between gateways means nothing."""
    report = verify_lines([A[0], B[0], B[1], A[1], A[2], B[2]])
    assert report.is_intact
    assert [(c.gateway, c.count) for c in report.chains] == [("gw_a", 3), ("gw_b", 3)]
    assert report.line_count == 6


def test_an_intent_without_outcome_is_named() -> None:
    """What became of it is unknown, and somebody must look. A held decision is no intent."""
    report = verify_lines([*A, *B])
    assert [(o.gateway, o.seq, o.decision_id) for o in report.open_intents] == [
        ("gw_a", 3, "dec_2")
    ]


def test_one_broken_chain_leaves_the_other() -> None:
    """The break names gateway and record; the other gateway's chain still counts."""
    report = verify_lines([A[0], B[0], A[2], B[1], B[2]])
    assert not report.is_intact
    assert [(b.gateway, b.seq) for b in report.breaks] == [("gw_a", 2)]
    assert [c.gateway for c in report.chains] == ["gw_b"]


def test_a_damaged_line_breaks_the_chain_that_it_names() -> None:
    """Even when it is no JSON any more."""
    report = verify_lines([A[0], A[1][:-3], A[2], *B])
    assert [(b.gateway, b.seq, b.message) for b in report.breaks] == [
        ("gw_a", 2, "record 2 is not valid JSON")
    ]


def test_a_line_of_nobody_is_a_break() -> None:
    """It can belong to no chain, so the download is not what a gateway wrote."""
    report = verify_lines([A[0], b"rubbish", A[1], A[2]])
    assert [(b.gateway, b.seq) for b in report.breaks] == [("", 2)]


def test_a_part_of_the_record_needs_leave() -> None:
    """A whole record begins at 1; a part must be asked for as a part."""
    assert [b.seq for b in verify_lines(A[1:]).breaks] == [1]
    assert verify_lines(A[1:], is_whole=False).is_intact


def test_the_last_edit_is_found_at_the_end() -> None:
    """An edit just before the newest line shows when the stream ends."""
    tampered = A[1].replace(b'"status":200', b'"status":500')
    report = verify_lines([A[0], tampered, A[2]])
    assert [(b.gateway, b.seq) for b in report.breaks] == [("gw_a", 2)]
