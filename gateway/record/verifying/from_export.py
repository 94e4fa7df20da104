"""An export on this machine -> proofs out of it: of one record, or that the log only grew.

Nothing is asked of a server. What is made here is verified like any other proof.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final

from gateway.model.dataclass import dataclass
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import (
    Range,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    perfect_ranges,
    root_of,
)
from gateway.record.verifying.export import Header, read_header
from gateway.record.verifying.line_facts import BadLineError, LineFacts, read_facts
from gateway.record.verifying.proof import VERSION, format_tlog_proof
from gateway.record.verifying.reading import Lines, Readable
from gateway.record.verifying.trust import Trust

HASH_BYTES: Final = 32


class NotInExportError(ValueError):
    """The export doesn't hold what was asked for. The sentence is safe to show."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records to prove: all of a decision, or the one at a place in a gateway's chain."""

    decision_id: str = ""
    gateway: str = ""
    seq: int = 0

    def is_in(self, line: bytes) -> bool:
        """Whether a line may be one; a look at its bytes, which `picks` makes sure of."""
        return (self.decision_id or self.gateway).encode() in line

    def picks(self, line: bytes, facts: LineFacts) -> bool:
        """Whether a line is one."""
        if self.gateway:
            return (facts.gateway.decode(), facts.seq) == (self.gateway, self.seq)
        return not facts.is_erased and json.loads(line).get("decision_id") == self.decision_id


@dataclass(slots=True)
class ReadExport:
    """The header of an export, the hashes of its leaves, and the records that were looked for."""

    header: Header
    leaves: bytearray = field(default_factory=bytearray)
    picked: list[tuple[int, bytes, LineFacts]] = field(default_factory=list)

    def roots(self, ranges: Sequence[Range]) -> list[bytes]:
        """The roots of ranges of leaves.

        Raises:
            NotInExportError: a range reaches beyond what the export knows.
        """
        beside = dict(zip(*_beside(self.header), strict=True))
        return [
            root_of([self._root(begin, end, beside) for begin, end in perfect_ranges(*each)])
            for each in ranges
        ]

    def _root(self, begin: int, end: int, beside: dict[Range, bytes]) -> bytes:
        known = beside.get((begin, end))
        if known is not None:
            return known
        if end - begin == 1:
            at = (begin - self.header.first) * HASH_BYTES
            if not 0 <= at < len(self.leaves):
                raise NotInExportError("the export is a part that does not reach so far")
            return bytes(self.leaves[at : at + HASH_BYTES])
        middle = (begin + end) // 2
        return node_hash(self._root(begin, middle, beside), self._root(middle, end, beside))


def _beside(header: Header) -> tuple[list[Range], list[bytes]]:
    """The perfect subtrees left and right of an export's lines, which its header gives."""
    past = header.first + header.count
    left = perfect_ranges(0, header.first)
    right = perfect_ranges(past, header.checkpoint.size)
    return [*left, *right], [*header.left, *header.right]


def read_export(stream: Readable, wanted: Wanted | None, trust: Trust) -> ReadExport:
    """Read an export and find what is wanted of it.

    Raises:
        NoteError: its first line is not one that is trusted.
        NotInExportError: a line is no record.
    """
    lines = Lines(stream)
    read = ReadExport(read_header(lines.first() or b"", trust))
    if read.header.tree is None:
        raise NotInExportError(f"the export does not verify: {read.header.fault}")
    index = read.header.first
    for batch in lines.batches():
        for line in batch:
            try:
                facts = read_facts(line)
                place = facts.gateway.decode(), facts.seq, facts.hash.decode()
                read.leaves += leaf_hash(leaf_data(*place))
            except (BadLineError, ValueError) as error:
                raise NotInExportError(f"record {index} of the log {error}") from None
            if wanted is not None and wanted.is_in(line) and wanted.picks(line, facts):
                read.picked.append((index, line, facts))
            index += 1
    if index != read.header.first + read.header.count or lines.rest:
        raise NotInExportError("the export is cut off")
    return read


def prove_records(read: ReadExport) -> list[dict[str, Any]]:
    """The proofs of the records that were found, under the export's own checkpoint.

    Raises:
        NotInExportError: none was found.
    """
    if not read.picked:
        raise NotInExportError("the export holds no such record")
    size, proofs = read.header.checkpoint.size, []
    for index, line, facts in read.picked:
        path = _texts(read.roots(inclusion_ranges(index, size)))
        proof: dict[str, Any] = {
            "proof": VERSION,
            "line": None if facts.is_erased else line.decode(),
            "gateway": facts.gateway.decode(),
            "seq": facts.seq,
            "tlog_proof": format_tlog_proof(index, path, read.header.note),
        }
        if facts.is_erased:
            proof["hash"] = facts.hash.decode()
        proofs.append(proof)
    return proofs


def consistency_path(read: ReadExport, old: int, new: int) -> list[str]:
    """The path from the log of size `old` to that of size `new`, in base64.

    Raises:
        NotInExportError: the export does not reach so far.
    """
    try:
        return _texts(read.roots(consistency_ranges(old, new)))
    except ValueError as error:
        raise NotInExportError(str(error)) from None


def _texts(hashes: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(each).decode("ascii") for each in hashes]
