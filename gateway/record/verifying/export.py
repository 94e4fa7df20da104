"""An export of a tenant's log -> a verdict: each gateway's chain, the tree, and who signed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.model.dataclass import dataclass
from gateway.record.log.checkpoint import Checkpoint, log_origin
from gateway.record.log.merkle import RangeVerifier, root_of
from gateway.record.log.signed_note import NoteError
from gateway.record.verifying.chain import GatewayClaims
from gateway.record.verifying.line_facts import GATEWAY_ID, BadLineError, parse_object
from gateway.record.verifying.reading import Lines, TooLongError
from gateway.record.verifying.report import Break, Kind, LogPart, Report
from gateway.record.verifying.trust import UNPINNED_LOG, LogKey, Trust, decode_hashes, log_key
from gateway.record.verifying.walk import Walk

VERSION: Final = "checkrein/1"
_FIELDS: Final = frozenset(
    {
        "export",
        "tenant",
        "origin",
        "first",
        "count",
        "size",
        "checkpoint",
        "log_key",
        "left",
        "right",
        "gateways",
    }
)


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of an export, checked in itself. The checkpoint verified with `key`.

    `tree` is None where the hashes beside the range can't be its proof: then `fault` says why, and
    the lines are still looked at, because they may tell which record is wrong.
    """

    first: int
    count: int
    checkpoint: Checkpoint
    note: str
    left: Sequence[bytes]
    right: Sequence[bytes]
    key: LogKey
    tree: RangeVerifier | None
    fault: str
    gateways: Mapping[str, GatewayClaims]

    @property
    def is_whole(self) -> bool:
        """Whether the export begins at the log's beginning."""
        return self.first == 0


def read_header(line: bytes, trust: Trust) -> Header:
    """Read and check the first line.

    Raises:
        NoteError: it is not what an export begins with, or nobody trusted signed its checkpoint.
    """
    value = _parse(line)
    first, count, size = (_number(value, name) for name in ("first", "count", "size"))
    key = log_key(trust, _text(value, "log_key"))
    assert key is not None, "the header names one"
    note = _text(value, "checkpoint")
    checkpoint = key.open(note)
    if not value["origin"] == checkpoint.origin == log_origin(_text(value, "tenant")):
        raise NoteError.malformed("the checkpoint is of another tenant's log")
    if size != checkpoint.size:
        raise NoteError.malformed(f"the checkpoint is of {checkpoint.size} records, not of {size}")
    left, right = (decode_hashes(value[name], name) for name in ("left", "right"))
    tree, fault = None, ""
    try:
        tree = RangeVerifier(first, first + count, size, left, right)
    except ValueError as error:
        fault = str(error)
    claims = _gateways(value["gateways"])
    return Header(first, count, checkpoint, note, left, right, key, tree, fault, claims)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = parse_object(line)
    except BadLineError as error:
        raise NoteError.malformed(f"the first line {error}") from None
    # One spelling only, so that no bit of it can change unseen; names may stand in any order.
    spellings = (json.dumps(value, separators=(",", ":"), ensure_ascii=e) for e in (True, False))
    if line not in [spelling.encode("utf-8", "replace") for spelling in spellings]:
        raise NoteError.malformed("the first line is not written as an export's is")
    if value.get("export") != VERSION:
        raise NoteError.malformed("the export is of an unknown version")
    if set(value) != _FIELDS:
        raise NoteError.malformed("the first line has other fields than an export's")
    return value


def _gateways(values: object) -> dict[str, GatewayClaims]:
    claims: dict[str, GatewayClaims] = {}
    for each in values if isinstance(values, list) else [None]:
        if not isinstance(each, dict) or set(each) != {"id", "keys", "heads"}:
            raise NoteError.malformed("`gateways` is not a list of gateways")
        name = _text(each, "id")
        if name in claims or not GATEWAY_ID.fullmatch(name.encode("utf-8", "replace")):
            raise NoteError.malformed("a gateway in the first line has no name of its own")
        claims[name] = GatewayClaims(_texts(each["keys"]), _texts(each["heads"]))
    return claims


def verify_export(header_line: bytes, lines: Lines, trust: Trust) -> Report:
    """Verify an export, read to its end."""
    report = Report(Kind.EXPORT)
    try:
        header = read_header(header_line, trust)
        walk = Walk(
            first_index=header.first,
            is_whole=header.is_whole,
            must_end_signed=header.first + header.count == header.checkpoint.size,
            is_strict=trust.is_strict,
            add_leaf=header.tree.append if header.tree else None,
            claims=header.gateways,
        )
    except NoteError as error:
        return report.found(Break(f"the export's first line: {error.message}"))
    try:
        watched = _Watched(header, walk, trust, report)
    except NoteError as error:
        return report.found(Break(f"the given checkpoint: {error.message}"))
    report.log = LogPart(
        header.checkpoint.origin,
        header.first,
        header.count,
        header.checkpoint.size,
        header.checkpoint.root.hex(),
        str(header.key.keys[0]),
        header.key.is_pinned,
        header.checkpoint.extensions,
    )
    if not header.key.is_pinned:
        report.lacks.append(UNPINNED_LOG)
    _walk_lines(header, lines, walk, watched, report)
    walk.finish_into(report)
    report.record_count = walk.index - header.first
    settle_chains(walk, trust, header.gateways, report)
    _check_root(header, report, watched)
    _say_part(header, report)
    return report


def _walk_lines(
    header: Header, lines: Lines, walk: Walk, watched: _Watched, report: Report
) -> None:
    end = header.first + header.count
    try:
        for batch in lines.batches():
            if walk.index + len(batch) > end:
                watched.take(batch[: end - walk.index])
                report.found(Break(f"a line stands behind the last of {header.count}", end))
                return
            watched.take(batch)
    except TooLongError as error:
        report.found(Break(str(error), walk.index))
        return
    if lines.rest:
        report.found(Break("the last line is cut off", walk.index))
    elif walk.index < end:
        missing = end - walk.index
        text = f"the export was cut off: {missing} of {header.count} records are missing"
        report.found(Break(text, walk.index))


class _Watched:
    """Walks on, and holds the tree against older checkpoints as it passes their sizes."""

    def __init__(self, header: Header, walk: Walk, trust: Trust, report: Report) -> None:
        self._header = header
        self._walk = walk
        self._report = report
        self._older: list[Checkpoint] = []
        self.proven_size = header.first
        for note in trust.checkpoints:
            self._take_checkpoint(header.key.open(note))
        self._older.sort(key=lambda each: -each.size)

    def _take_checkpoint(self, given: Checkpoint) -> None:
        header, report = self._header, self._report
        ours = header.checkpoint
        if given.origin != ours.origin:
            raise NoteError.malformed("it is of another log")
        if given.size == ours.size:
            if given.root != ours.root:
                text = f"two checkpoints of {ours.size} records were signed over different logs"
                report.found(Break(text))
        elif header.is_whole and given.size <= header.count and header.tree is not None:
            self._older.append(given)
        else:
            report.lacks.append(
                f"the given checkpoint is of {given.size} records, so this export of records "
                f"{header.first} to {header.first + header.count - 1} of {ours.size} can't be "
                "held against it: ask for `checkrein audit consistency`"
            )

    def take(self, batch: list[bytes]) -> None:
        while self._older and self._older[-1].size <= self._walk.index + len(batch):
            older = self._older.pop()
            cut = older.size - self._walk.index
            self._walk.take(batch[:cut])
            batch = batch[cut:]
            assert self._header.tree is not None, "nothing is held against a tree that is none"
            if root_of(self._header.tree.hashes) == older.root:
                self.proven_size = older.size
            else:
                text = f"the first {older.size} records are not those of the given checkpoint"
                self._report.found(Break(text))
        self._walk.take(batch)


def settle_chains(
    walk: Walk, trust: Trust, claims: Mapping[str, GatewayClaims], report: Report
) -> None:
    """Judge the keys and signatures of every gateway into the report."""
    for name in sorted(walk.chains):
        chain = walk.chains[name]
        settled = chain.settle(trust.gateway_keys, claims.get(name.decode(), GatewayClaims()))
        report.gateways.append(settled.part)
        report.lacks += settled.lacks
        report.notes += settled.notes
        if chain.found is not None:
            report.found(chain.found)
    for chain in walk.unseen:
        settled = chain.settle(trust.gateway_keys, claims[chain.gateway.decode()])
        if chain.found is not None:
            report.found(chain.found)
        elif chain.is_whole:
            report.lacks.append(f"gateway `{settled.part.gateway}` is listed, but has no record")


def _check_root(header: Header, report: Report, watched: _Watched) -> None:
    """Hold the tree against the checkpoint, unless the leaves are known to be others already."""
    if report.breaks:
        return
    if header.tree is None:
        report.found(Break(f"the export's first line: {header.fault}"))
    elif header.tree.root() != header.checkpoint.root:
        begin, end = watched.proven_size, header.first + header.count - 1
        report.found(
            Break(
                "the log is not the one that was signed: a record, or the order of records of "
                f"several gateways, was changed somewhere from {begin} to {end}, or the hashes "
                "beside them"
            )
        )


def _say_part(header: Header, report: Report) -> None:
    size = header.checkpoint.size
    if header.count != size:
        last = header.first + header.count - 1
        report.notes.append(
            f"this is a part: records {header.first} to {last} of a log of {size}"
            if header.count
            else f"this is an empty part of a log of {size}"
        )


def _number(value: Mapping[str, Any], name: str) -> int:
    number = value[name]
    if type(number) is not int or number < 0:
        raise NoteError.malformed(f"`{name}` is not a number of records")
    return number


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value[name]
    if not isinstance(text, str):
        raise NoteError.malformed(f"`{name}` is not a text")
    return text


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise NoteError.malformed("a gateway's keys and heads are lists of texts")
    return tuple(values)
