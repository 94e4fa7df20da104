"""Record lines as they arrive: one form, one gateway, no gap."""

from __future__ import annotations

import hashlib
import json

import pytest

from controlplane.faults import ControlFault, Fault
from controlplane.services.record.lines import LINE_BYTES_MAX, parse_lines
from tests.support.chains import chain


def test_a_good_batch_is_read():
    """Hashes are of the exact bytes; what is searched by is read out."""
    entries = [{}, {"kind": "intent", "agent": "a\0b", "effect": "ALLOW", "decision_id": "d"}]
    lines = chain("g", entries, first=5, prev="c" * 64)
    parsed = parse_lines("g", lines)
    assert [line.record.seq for line in parsed] == [5, 6]
    assert parsed[0].prev == "c" * 64
    assert parsed[1].prev == hashlib.sha256(lines[0].encode()).hexdigest() == parsed[0].record.hash
    second = parsed[1].record
    assert (second.kind, second.agent, second.effect, second.decision_id) == (
        "intent", "a\ufffdb", "ALLOW", "d",
    )  # fmt: skip
    assert second.line == lines[1]
    assert parse_lines("g", []) == ()


def _changed(**changes: object) -> list[str]:
    return chain("g", [changes])


GOOD = chain("g", [{}, {}, {}])

BAD = {
    "of another gateway": (_changed(gateway="other"), 0),
    "of another version": (_changed(v=2), 0),
    "with a number of zero": (_changed(seq=0), 0),
    "with a negative number": (_changed(seq=-1), 0),
    "with a boolean number": (_changed(seq=True), 0),
    "with a number beyond JSON's": (_changed(seq=2**60), 0),
    "of an unknown kind": (_changed(kind="party"), 0),
    "without a time": (_changed(at=None), 0),
    "without the hash before": (_changed(prev=7), 0),
    "too long": (_changed(detail="x" * LINE_BYTES_MAX), 0),
    "with a gap inside the batch": ([GOOD[0], GOOD[2]], 1),
    "twice in the batch": ([GOOD[0], GOOD[0]], 1),
    "backwards": ([GOOD[1], GOOD[0]], 1),
    "with a foreign line between": ([GOOD[0], chain("g", [{}], first=2)[0]], 1),
    "with spaces": ([json.dumps(json.loads(GOOD[0]))], 0),
    "with a lone surrogate": ([GOOD[0].replace("gateway", "\ud800", 1)], 0),
    "with escapes that need none": ([GOOD[0].replace("gateway", "\\u0067ateway", 1)], 0),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_by_its_place(name: str):
    """RECORD_INVALID for the whole batch; the first bad line is named."""
    lines, index = BAD[name]
    with pytest.raises(ControlFault, match=f"record {index} of the batch") as caught:
        parse_lines("g", lines)
    assert caught.value.fault is Fault.RECORD_INVALID
