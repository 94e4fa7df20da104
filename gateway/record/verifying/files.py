"""Tells what a file is, and has it verified: an export, proofs, a spool, or plain lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.record.verifying.export import verify_export
from gateway.record.verifying.own_lines import is_spool, verify_lines, verify_spool
from gateway.record.verifying.proof import verify_consistency_proof, verify_proofs
from gateway.record.verifying.reading import Lines, Progress, Readable, TooLongError
from gateway.record.verifying.report import Break, Kind, Report
from gateway.record.verifying.trust import Trust

_SIGN: Final = re.compile(rb'\{\s*"(export|proof|consistency)"')


class NotRecordError(ValueError):
    """What was named is nothing that can be verified. The sentence is safe to show."""


def verify_path(path: Path, trust: Trust, progress: Progress | None = None) -> Report:
    """Verify a file or a spool directory.

    Raises:
        NotRecordError: it is a directory, but no spool.
        OSError: it can't be read.
    """
    if path.is_dir():
        if not is_spool(path):
            raise NotRecordError(f"`{path}` is not a gateway's spool")
        return verify_spool(path, trust, progress)
    with path.open("rb") as stream:
        return verify_stream(stream, trust, progress)


def verify_stream(stream: Readable, trust: Trust, progress: Progress | None = None) -> Report:
    """Verify what a stream gives, read once and never held."""
    lines = Lines(stream, progress)
    try:
        first = lines.first()
    except TooLongError as error:
        return Report(Kind.LINES).found(Break(str(error), 0))
    found = _SIGN.match(first or lines.rest)
    if found is None:
        return verify_lines(first, lines, trust)
    if first is None:
        return Report(Kind(found[1].decode())).found(Break("the first line is cut off"))
    match found[1]:
        case b"export":
            return verify_export(first, lines, trust)
        case b"proof":
            return verify_proofs(first, lines, trust)
        case _:
            return verify_consistency_proof(first, lines, trust)
