"""Turns a download of record lines, of any number of gateways, into a verdict. Pure.

Every gateway's lines form their own chain; their order between gateways means nothing. The first
bad record of each chain is named, and what comes after it in that chain is not judged: once a
chain is broken, its later lines prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.model.codec import JsonValue
from gateway.model.errors import ChainError
from gateway.model.record import EntryKind
from gateway.record.chain import ChainReport, ChainVerifier, parse_line


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain stops being believable. `gateway` is empty where the line names none; then
    `seq` is the line's place in the download, from 1."""

    gateway: str
    seq: int
    message: str


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An act that was about to be sent and has no outcome: under way, or unknown for ever."""

    gateway: str
    seq: int
    decision_id: str
    at: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """`chains` are those that verify, by gateway. A chain can't
    know that its end was cut: compare `last_seq` and `head` with the gateway's own spool."""

    chains: tuple[ChainReport, ...]
    breaks: tuple[Break, ...]
    open_intents: tuple[OpenIntent, ...]
    line_count: int

    @property
    def is_intact(self) -> bool:
        return not self.breaks


def verify_lines(lines: Iterable[bytes], *, is_whole: bool = True) -> AuditReport:
    """Verify lines as they were downloaded, each without its newline.

    `is_whole`: every chain must begin at its first record. Pass False for a part of the record.
    """
    audit = _Audit(is_whole)
    for number, line in enumerate(lines, 1):
        audit.take(number, line)
    return audit.report()


class _Audit:
    def __init__(self, is_whole: bool) -> None:
        self._first_seq = 1 if is_whole else None
        self._verifiers: dict[str, ChainVerifier] = {}
        self._breaks: dict[str, Break] = {}
        self._open: dict[tuple[str, str], OpenIntent] = {}
        self._count = 0

    def take(self, number: int, line: bytes) -> None:
        self._count = number
        parsed = _parsed(line)
        gateway = _gateway_of(line, parsed)
        if gateway in self._breaks:
            return
        if not gateway:
            self._breaks[""] = Break("", number, f"line {number} names no gateway")
            return
        verifier = self._verifiers.get(gateway)
        if verifier is None:
            verifier = ChainVerifier(gateway=gateway, first_seq=self._first_seq)
            self._verifiers[gateway] = verifier
        try:
            self._note(gateway, verifier.accept(line, parsed))
        except ChainError as error:
            self._breaks[gateway] = Break(gateway, error.seq, error.message)

    def _note(self, gateway: str, fields: Mapping[str, JsonValue]) -> None:
        kind, decision_id = fields.get("kind"), str(fields.get("decision_id"))
        if kind == EntryKind.INTENT:
            seq = fields["seq"]
            assert isinstance(seq, int)
            intent = OpenIntent(gateway, seq, decision_id, str(fields.get("at")))
            self._open[gateway, decision_id] = intent
        elif kind == EntryKind.OUTCOME:
            self._open.pop((gateway, decision_id), None)

    def report(self) -> AuditReport:
        chains = []
        for gateway, verifier in sorted(self._verifiers.items()):
            if gateway in self._breaks:
                continue
            try:
                chains.append(verifier.finish())
            except ChainError as error:
                self._breaks[gateway] = Break(gateway, error.seq, error.message)
        return AuditReport(
            tuple(chains),
            tuple(self._breaks[gateway] for gateway in sorted(self._breaks)),
            tuple(self._open.values()),
            self._count,
        )


def _parsed(line: bytes) -> Mapping[str, JsonValue] | None:
    try:
        return parse_line(line, 0)
    except ChainError:
        return None


def _gateway_of(line: bytes, parsed: Mapping[str, JsonValue] | None) -> str:
    """The gateway that a line names, empty when it can't be told. A damaged line is searched for
    it: it breaks the chain of the gateway that it names."""
    if parsed is None:
        found = line.partition(b'"gateway":"')[2].partition(b'"')[0]
        return found.decode("utf-8", "replace")
    gateway = parsed.get("gateway")
    return gateway if isinstance(gateway, str) else ""
