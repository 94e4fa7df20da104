"""The offline verifier on files that somebody edited at will: it never fails, and never verifies
what says something else than what was signed."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.record.log.signed_note import NoteError, VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.from_export import (
    NotInExportError,
    Wanted,
    consistency_path,
    prove_records,
    read_export,
)
from gateway.record.verifying.report import Status
from gateway.record.verifying.trust import Trust
from gateway.record.verifying.wording import report_lines
from tests.support.audit_files import MadeLog

LOG = MadeLog(24)
TRUST = Trust((VerifierKey.parse(LOG.key),))
FILES = [
    LOG.export(),
    LOG.export(5, 9),
    LOG.export(erased={3, 9, 14}),
    LOG.proof(5),
    LOG.consistency(3, 24),
    "".join(line + "\n" for line in LOG.lines).encode(),
]
PIECES = [
    b"", b"\n", b"\0", b"\xff", b'"', b"=", b"A", b"0", b'"prev":"', b',"seq":7,', b'"kind":"',
    b'{"erased":{', b'{"missing":{', b'{"missing":{},"missing":5}\n', b'{"export":', b'"gateway":"',
]  # fmt: skip
ODD: list[Any] = [
    None, True, 0, -1, "", [], {}, 2**70, "x" * 100, [1], {"id": 1}, [None], "\N{EM DASH} \n",
]  # fmt: skip


@st.composite
def edited_files(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A file, and the same with some bytes replaced, taken out or put in."""
    data = draw(st.sampled_from(FILES))
    changed = data
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(changed)))
        gone = draw(st.sampled_from([0, 1, 1, 1, 2, 30]))
        changed = changed[:at] + draw(st.sampled_from(PIECES)) + changed[at + gone :]
    return data, changed


@st.composite
def rewritten_files(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A file, and the same with another value somewhere in one of its lines."""
    data = draw(st.sampled_from(FILES))
    lines = data.split(b"\n")[:-1]
    number = draw(st.sampled_from([0, draw(st.integers(0, len(lines) - 1))]))
    value = json.loads(lines[number])
    holder, name = value, draw(st.sampled_from(sorted(value)))
    while isinstance(holder[name], dict | list) and holder[name] and draw(st.booleans()):
        holder = holder[name]
        names = sorted(holder) if isinstance(holder, dict) else range(len(holder))
        name = draw(st.sampled_from(names))
    holder[name] = draw(st.sampled_from(ODD))
    lines[number] = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return data, b"".join(line + b"\n" for line in lines)


def said(data: bytes) -> object:
    """What a file says, whatever its spelling; None where it is no lines of JSON."""
    try:
        return [json.loads(line) for line in data.split(b"\n")[:-1]]
    except ValueError:
        return None


@given(st.one_of(edited_files(), rewritten_files()))
def test_an_edited_file_never_verifies_as_something_else(files: tuple[bytes, bytes]) -> None:
    """In both modes; and its verdict can always be told."""
    data, changed = files
    for is_strict in (False, True):
        report = verify_stream(io.BytesIO(changed), Trust(TRUST.log_keys, is_strict=is_strict))
        assert all(line for _, line in report_lines(report))
        json.dumps(report.to_json())
        if report.status is Status.VERIFIED:
            assert said(changed) == said(data)


@given(st.one_of(edited_files(), rewritten_files()))
def test_proofs_out_of_an_edited_export_are_refused_or_verify(files: tuple[bytes, bytes]) -> None:
    """Whatever is read of it, nothing fails but with a sentence."""
    try:
        read = read_export(io.BytesIO(files[1]), Wanted(gateway="gw_a", seq=3), TRUST)
        proofs = prove_records(read)
        consistency_path(read, 3, 9)
    except (NoteError, NotInExportError):
        return
    for proof in proofs:
        verify_stream(io.BytesIO(json.dumps(proof).encode() + b"\n"), TRUST)
