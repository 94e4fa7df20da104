"""The lines of one gateway, as they come -> its chain, its keys and the heads that it signed.

A hash that doesn't fit tells only that one of two neighbours changed. What comes after tells
which: the following line, or a head that the gateway signed, vouches for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.record.log.checkpoint import Checkpoint, gateway_origin, parse_checkpoint
from gateway.record.log.leaf import LEAF_PREFIX
from gateway.record.log.signed_note import NoteError, VerifierKey, open_note, split_note
from gateway.record.verifying.line_facts import ZERO_HASH, BadLineError, LineFacts, parse_object
from gateway.record.verifying.report import Break, GatewayPart

SIGNING_KEY_EVENT: Final = "signing_key"
HEADS_MAX: Final = 100_000
"""Signed heads of one gateway that are looked at: some seconds of signatures."""
KEYS_MAX: Final = 1_000
"""Keys that one gateway may have had; each is announced by a record."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A key that the chain names, and the note by which it and the key before it vouch for it."""

    index: int
    seq: int
    key: str
    proof: str


@dataclass(frozen=True, slots=True)
class GatewayClaims:
    """What a file says about a gateway beside its lines. Nothing of it is trusted by itself."""

    keys: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()


@dataclass(slots=True)
class GatewayChain:
    """The state of one chain. The walk moves it line by line; everything rare is done here.

    `is_whole`: it must begin with its first record. `must_end_signed`: what the gateway sent last
    is here, so a signed head must cover it.
    """

    gateway: bytes
    is_whole: bool
    must_end_signed: bool = False
    first_seq: int = 0
    next_seq: int = 0
    next_text: bytes = b""
    head: bytes = b""
    last_index: int = -1
    count: int = 0
    erased_count: int = 0
    is_sound: bool = True
    watch_seq: int = 0
    leaf_prefix: bytes = b""
    found: Break | None = None
    signed_seq: int = 0
    announced: list[Announced] = field(default_factory=list)
    _heads: list[tuple[int, bytes, str]] = field(default_factory=list)
    _head_at: int = 0
    _met: list[tuple[int, str]] = field(default_factory=list)
    _suspect: tuple[int, int, int] | None = None
    _denied: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.leaf_prefix = b"\x00" + LEAF_PREFIX + self.gateway + b"\n"

    # --- heads ------------------------------------------------------------------------------------

    def expect(self, notes: Iterable[str]) -> None:
        """Hold the lines against these heads; who signed them is asked in `settle`.

        Raises:
            NoteError: one is no head of this gateway, or there are too many.
        """
        for note in notes:
            head = _read_head(note, self.gateway.decode())
            self._heads.append((head.size, head.root.hex().encode(), note))
            if len(self._heads) > HEADS_MAX:
                raise NoteError.malformed(f"a gateway has more than {HEADS_MAX} signed heads")
        self._heads.sort()

    def meet_heads(self, seq: int, line_hash: bytes, index: int) -> None:
        """Hold the line of the watched seq against what was signed of it."""
        while self._head_at < len(self._heads) and self._heads[self._head_at][0] <= seq:
            size, root, note = self._heads[self._head_at]
            self._head_at += 1
            if size != seq:
                continue
            if root == line_hash:
                self._met.append((seq, note))
                if self._suspect is not None and self._suspect[1] == seq:
                    self._blame(is_vouched_for=True)
            else:
                self._denied = index, seq
        self._watch()

    def _watch(self) -> None:
        has_more = self._head_at < len(self._heads)
        self.watch_seq = self._heads[self._head_at][0] if has_more else 0

    # --- lines ------------------------------------------------------------------------------------

    def begin(self, facts: LineFacts, index: int) -> None:
        """Take the place of the first line that is seen."""
        self.first_seq = self.next_seq = facts.seq
        self.head = facts.prev
        while self._head_at < len(self._heads) and self._heads[self._head_at][0] < facts.seq:
            self._head_at += 1
        self._watch()
        if facts.seq == 1 and facts.prev != ZERO_HASH:
            self.break_at(index, 1, "names a record before it")
        elif facts.seq != 1 and self.is_whole:
            self.break_at(index, 1, f"is missing: record {facts.seq} stands in its place")

    def take(self, facts: LineFacts, index: int) -> None:
        """Take a line by its facts: the slow and complete way."""
        if not self.is_sound:
            return
        seq = facts.seq
        if seq != self.next_seq:
            self.break_at(index, self.next_seq, f"is missing: record {seq} stands in its place")
            return
        if self._suspect is not None or self._denied is not None:
            self._blame(is_vouched_for=facts.prev == self.head)
            return
        if facts.prev != self.head:
            self._suspect = (index, seq, self.last_index)
            if self._met and self._met[-1][0] == seq - 1:
                self._blame(is_vouched_for=False)
                return
        self.count += 1
        self.erased_count += facts.is_erased
        self.next_seq = seq + 1
        self.next_text = b"%d," % self.next_seq
        self.head = facts.hash
        self.last_index = index
        if self.watch_seq == seq:
            self.meet_heads(seq, facts.hash, index)

    @property
    def needs_care(self) -> bool:
        """Whether the next line must be taken the slow way."""
        return not self.is_sound or self._suspect is not None or self._denied is not None

    def announce(self, line: bytes, index: int, seq: int) -> None:
        """Keep the key that a line names."""
        try:
            value = parse_object(line)
        except BadLineError:
            return
        if value.get("event") != SIGNING_KEY_EVENT or len(self.announced) >= KEYS_MAX:
            return
        key, proof = value.get("detail"), value.get("key_proof")
        self.announced.append(Announced(index, seq, str(key), str(proof)))

    def break_at(self, index: int | None, seq: int, what: str) -> None:
        """The chain stops being believable. What comes after it in this chain is not judged."""
        self.is_sound = False
        if self.found is None:
            self.found = Break(f"record {seq} {what}", index, self.gateway.decode(), seq)

    def _blame(self, *, is_vouched_for: bool) -> None:
        """Say which record was changed: what follows vouches for the last one, or does not."""
        if self._suspect is not None:
            index, seq, before = self._suspect
            if is_vouched_for and self._denied is None:
                index, seq = before, seq - 1
            self.break_at(index, seq, "was changed after it was written")
        elif self._denied is not None:
            index, seq = self._denied
            since = self._met[-1][0] + 1 if self._met else self.first_seq
            if not is_vouched_for:
                self.break_at(index, seq, "was changed after it was written")
            elif since == seq:
                self.break_at(index, seq, "is not the one that its gateway signed")
            else:
                what = (
                    f"is not the one that its gateway signed; the first bad one is from {since} on"
                )
                self.break_at(index, seq, what)

    # --- the end ----------------------------------------------------------------------------------

    def settle(self, pins: Sequence[VerifierKey], claims: GatewayClaims) -> _Settled:
        """Judge keys and signatures, once every line was seen."""
        self._blame(is_vouched_for=True)
        settled = _Settled(self._part())
        own = [pin for pin in pins if pin.name == gateway_origin(self.gateway.decode())]
        settled.part.is_key_pinned = bool(own)
        if self.is_sound:
            _Keys(self, own, claims).judge(settled)
        return settled

    @property
    def met(self) -> Sequence[tuple[int, str]]:
        """The heads that fit their lines: seq and note."""
        return self._met

    @property
    def all_heads(self) -> Iterable[tuple[int, str]]:
        """Every head: seq and note."""
        return ((size, note) for size, _, note in self._heads)

    @property
    def has_heads(self) -> bool:
        return bool(self._heads)

    @property
    def last_seq(self) -> int:
        return self.next_seq - 1

    def _part(self) -> GatewayPart:
        return GatewayPart(
            self.gateway.decode(),
            self.first_seq,
            self.last_seq,
            self.count,
            self.erased_count,
            self.head.decode(),
        )


@dataclass(slots=True)
class _Settled:
    """A chain, judged."""

    part: GatewayPart
    lacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Keys:
    """Which keys may vouch for a chain. A key is good that was pinned, or that a good one vouched
    for; without a pin, the first one that the chain names, and without that, what the file says."""

    def __init__(
        self, chain: GatewayChain, pins: Sequence[VerifierKey], claims: GatewayClaims
    ) -> None:
        self._chain = chain
        self._claims = claims
        self._name = chain.gateway.decode()
        self._pins = pins
        self._known: list[VerifierKey] = list(pins)
        self._good: list[VerifierKey] = list(pins)

    def judge(self, settled: _Settled) -> None:
        chain = self._chain
        try:
            claimed = [self._parse(text) for text in self._claims.keys]
        except NoteError as error:
            chain.found = Break(f"a key of gateway `{self._name}` is not one: {error.message}")
            return
        if not self._follow_chain():
            return
        is_named_all = chain.is_whole and not chain.erased_count and bool(chain.announced)
        self._known += [key for key in claimed if key not in self._known]
        if not self._pins and not is_named_all:
            self._good = list(self._known)
        self._judge_heads(settled)

    def _follow_chain(self) -> bool:
        """Take the keys that the chain names, each vouched for by the one before it."""
        before: VerifierKey | None = None
        for announced in self._chain.announced:
            try:
                key = self._parse(announced.key)
                _check_vouched(announced, [key])
                if before is not None and key != before:
                    _check_vouched(announced, [before])
            except NoteError as error:
                what = f"names a key that nobody vouches for: {error.message}"
                self._chain.break_at(announced.index, announced.seq, what)
                return False
            is_good = key in self._good or (
                before in self._good if before is not None else not self._pins
            )
            if is_good and key not in self._good:
                self._good.append(key)
            if key not in self._known:
                self._known.append(key)
            before = key
        return True

    def _judge_heads(self, settled: _Settled) -> None:
        chain, met = self._chain, {note for _, note in self._chain.met}
        if not chain.has_heads:
            settled.lacks.append(f"gateway `{self._name}`: nothing is signed by its own key")
            return
        has_good = False
        for seq, note in chain.all_heads:
            try:
                signers = _signers(note, self._known)
            except NoteError as error:
                chain.is_sound = False
                chain.found = Break(
                    f"the signed head of record {seq} does not verify: {error.message}",
                    chain.last_index if seq >= chain.last_seq else None,
                    self._name,
                    seq,
                )
                return
            is_good = any(key in self._good for key in signers)
            has_good = has_good or is_good
            if note in met and is_good:
                settled.part.signed_seq = max(settled.part.signed_seq, seq)
        if self._pins and not has_good:
            text = f"gateway `{self._name}`: nothing is signed by the key that was given for it"
            settled.lacks.append(text)
        is_all_seen = chain.first_seq == 1 and not chain.erased_count
        if self._pins and not settled.part.signed_seq and is_all_seen and chain.announced:
            first = chain.announced[0]
            what = "names a key that the given one does not vouch for"
            chain.break_at(first.index, first.seq, what)
        else:
            self._say_uncovered(settled)

    def _say_uncovered(self, settled: _Settled) -> None:
        part, chain = settled.part, self._chain
        uncovered = part.last_seq - max(part.signed_seq, part.first_seq - 1)
        if not uncovered:
            return
        plural = "record" if uncovered == 1 else "records"
        text = (
            f"gateway `{self._name}`: the last {uncovered} {plural} are not signed by its own key"
        )
        (settled.lacks if chain.must_end_signed else settled.notes).append(text)

    def _parse(self, text: str) -> VerifierKey:
        key = VerifierKey.parse(text)
        if key.name != gateway_origin(self._name):
            raise NoteError.malformed("it is the key of somebody else")
        return key


def _check_vouched(announced: Announced, keys: Sequence[VerifierKey]) -> None:
    if open_note(announced.proof, keys) != announced.key + "\n":
        raise NoteError.malformed("the proof is of another key")


def _read_head(note: str, gateway: str) -> Checkpoint:
    """A head by what it says; NOT verified."""
    head = parse_checkpoint(split_note(note)[0])
    if head.origin != gateway_origin(gateway):
        raise NoteError.malformed(f"a signed head of gateway `{gateway}` is of somebody else")
    if head.size < 1:
        raise NoteError.malformed(f"a signed head of gateway `{gateway}` is of no record")
    return head


def _signers(note: str, known: Sequence[VerifierKey]) -> list[VerifierKey]:
    """The known keys that signed a head: at a change of keys there are two, and one may be unknown
    here."""
    open_note(note, known)
    by_sign = {(key.name, key.key_hash): key for key in known}
    signatures = ((name, signature[:4]) for name, signature in split_note(note)[1])
    return [by_sign[each] for each in signatures if each in by_sign]
