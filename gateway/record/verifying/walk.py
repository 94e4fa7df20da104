"""Lines in the order of a file -> the chains of their gateways, their leaves, their open intents.

The loop in `take` is what a million records cost: it knows lines by their bytes alone. Whatever
is unusual about a line (the first of a gateway, a mismatch, an erased one) takes the slow way,
which parses it and names what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import leaf_hash
from gateway.record.verifying.chain import GatewayChain, GatewayClaims
from gateway.record.verifying.line_facts import (
    BadLineError,
    LineFacts,
    check_canonical,
    read_facts,
)
from gateway.record.verifying.report import BREAKS_MAX, OPEN_SHOWN_MAX, Break, OpenIntent, Report

GATEWAYS_MAX: Final = 10_000
"""Gateways in one file: what they cost in memory stays below some tens of MB."""
OPEN_MAX: Final = 100_000
"""Intents that may wait for an outcome at once, some tens of MB; more are not followed."""

_FOLLOWED: Final = frozenset(b"io")
_OUTCOME: Final = ord("o")
_GATEWAY: Final = ord("g")

AddLeaf = Callable[[bytes], None]


class Walk:
    """Walks through a file's lines. `index` is that of the next line in the log.

    `is_whole` and `must_end_signed` are said of every chain (`GatewayChain`).
    """

    def __init__(
        self,
        *,
        first_index: int = 0,
        is_whole: bool,
        must_end_signed: bool,
        is_strict: bool = False,
        add_leaf: AddLeaf | None = None,
        claims: Mapping[str, GatewayClaims] | None = None,
    ) -> None:
        """Raises NoteError: a head that is claimed is none."""
        self.index = first_index
        self.chains: dict[bytes, GatewayChain] = {}
        self.breaks: list[Break] = []
        self._is_whole = is_whole
        self._must_end_signed = must_end_signed
        self._is_strict = is_strict
        self._add_leaf = add_leaf
        self._opened: dict[tuple[bytes, bytes], tuple[int, int]] = {}
        self._unfollowed = 0
        self._waiting: dict[bytes, GatewayChain] = {}
        for name, claim in (claims or {}).items():
            chain = GatewayChain(name.encode(), is_whole, must_end_signed)
            chain.expect(claim.heads)
            self._waiting[chain.gateway] = chain

    @property
    def unseen(self) -> Iterable[GatewayChain]:
        """Gateways that were claimed and have no line."""
        return self._waiting.values()

    def take(self, lines: Sequence[bytes]) -> None:
        """Take the next lines, each without its newline."""
        chains, opened, add_leaf, index = self.chains, self._opened, self._add_leaf, self.index
        if self._is_strict:
            self._check_strictly(lines)
        for line in lines:
            # From the end: what is searched ends where the name after it in the alphabet begins.
            seq_at = line.rfind(b',"seq":')
            prev_at = line.rfind(b',"prev":"', 0, seq_at)
            kind_at = line.rfind(b'"kind":"', 0, prev_at)
            gateway_at = line.rfind(b'"gateway":"', 0, kind_at) + 11
            gateway = line[gateway_at : line.find(b'"', gateway_at, gateway_at + 65)]
            chain = chains.get(gateway)
            if (
                chain is None
                or seq_at < 0
                or prev_at < 0
                or not line.startswith(chain.next_text, seq_at + 7)
                or not line.startswith(chain.head, prev_at + 9)
                or chain.needs_care
                or line[2:8] == b"erased"
            ):
                self._take_slowly(line, index)
                index += 1
                continue
            line_hash = sha256(line).hexdigest().encode()
            if add_leaf is not None:
                leaf = chain.leaf_prefix + chain.next_text[:-1] + b"\n" + line_hash + b"\n"
                add_leaf(sha256(leaf).digest())
            kind = line[kind_at + 8]
            if kind in _FOLLOWED:
                id_at = line.rfind(b'"decision_id":"', 0, gateway_at) + 15
                decision = gateway, line[id_at : line.find(b'"', id_at)]
                if kind == _OUTCOME:
                    opened.pop(decision, None)
                else:
                    self._open(decision, index, chain.next_seq)
            elif kind == _GATEWAY and b'"event":"signing_key"' in line:
                chain.announce(line, index, chain.next_seq)
            seq = chain.next_seq
            chain.next_seq = seq + 1
            chain.next_text = b"%d," % (seq + 1)
            chain.head = line_hash
            chain.last_index = index
            chain.count += 1
            if seq == chain.watch_seq:
                chain.meet_heads(seq, line_hash, index)
            index += 1
        self.index = index

    def _open(self, decision: tuple[bytes, bytes], index: int, seq: int) -> None:
        if len(self._opened) < OPEN_MAX:
            self._opened[decision] = index, seq
        else:
            self._unfollowed += 1

    def finish_into(self, report: Report) -> None:
        """Add what the lines say, apart from keys and signatures."""
        report.record_count = self.index
        report.found(*self.breaks)
        intents = sorted(
            (index, gateway.decode(), seq, decision_id.decode("utf-8", "replace"))
            for (gateway, decision_id), (index, seq) in self._opened.items()
        )
        report.open_count = len(intents) + self._unfollowed
        report.open_intents = [OpenIntent(*each) for each in intents[:OPEN_SHOWN_MAX]]
        if self._unfollowed:
            report.notes.append(f"{self._unfollowed} open intents were too many to follow")

    # --- the slow way -----------------------------------------------------------------------------

    def _take_slowly(self, line: bytes, index: int) -> None:
        try:
            facts = read_facts(line)
        except BadLineError as error:
            self._bad_line(line, index, str(error))
            return
        if facts.is_missing:
            self._missing_line(facts, index)
            return
        if self._add_leaf is not None:
            place = facts.gateway.decode(), facts.seq, facts.hash.decode()
            self._add_leaf(leaf_hash(leaf_data(*place)))
        chain = self._chain_of(facts, index)
        if chain is None:
            return
        chain.take(facts, index)
        if chain.is_sound and not facts.is_erased:
            self._note_kind(chain, line, facts, index)

    def _chain_of(self, facts: LineFacts, index: int) -> GatewayChain | None:
        chain = self.chains.get(facts.gateway)
        if chain is None:
            if len(self.chains) >= GATEWAYS_MAX:
                self._found(Break("there are too many gateways", index))
                return None
            chain = self._waiting.pop(facts.gateway, None)
            if chain is None:
                chain = GatewayChain(facts.gateway, self._is_whole, self._must_end_signed)
            self.chains[facts.gateway] = chain
            chain.begin(facts, index)
        return chain

    def _note_kind(self, chain: GatewayChain, line: bytes, facts: LineFacts, index: int) -> None:
        kind_at = line.rfind(b'"kind":"', 0, line.rfind(b',"prev":"')) + 8
        id_at = line.rfind(b'"decision_id":"', 0, line.rfind(b'"gateway":"')) + 15
        decision = facts.gateway, line[id_at : line.find(b'"', id_at)]
        if line.startswith(b"intent", kind_at):
            self._open(decision, index, facts.seq)
        elif line.startswith(b"outcome", kind_at):
            self._opened.pop(decision, None)
        elif line.startswith(b"gateway", kind_at):
            chain.announce(line, index, facts.seq)

    def _bad_line(self, line: bytes, index: int, what: str) -> None:
        """A line that is none breaks the chain of the gateway that it names, as far as it does."""
        if self._add_leaf is not None:
            self._add_leaf(sha256(b"").digest())
        name = line.partition(b'"gateway":"')[2].partition(b'"')[0]
        chain = self.chains.get(name)
        if chain is None and len(self.chains) == 1:
            chain = next(iter(self.chains.values()))
        if chain is None:
            self._found(Break(f"the line {what}", index))
        elif chain.is_sound:
            chain.break_at(index, chain.next_seq, what)

    def _missing_line(self, facts: LineFacts, index: int) -> None:
        """The exporter itself says that its database lost a line that has a leaf."""
        what = "is gone from the database that the log was exported from"
        chain = self.chains.get(facts.gateway)
        if chain is not None and chain.is_sound:
            chain.break_at(index, facts.seq or chain.next_seq, what)
        else:
            name = facts.gateway.decode()
            self._found(Break(f"a record {what}", index, name, facts.seq))

    def _found(self, found: Break) -> None:
        if len(self.breaks) < BREAKS_MAX:
            self.breaks.append(found)

    def _check_strictly(self, lines: Sequence[bytes]) -> None:
        for index, line in enumerate(lines, self.index):
            try:
                check_canonical(line)
                read_facts(line)
            except BadLineError as error:
                self._found(Break(f"the line {error}", index))
