"""The ledger says what a naive model says, whatever is asked of it in whatever order and time."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.counters.entries import decode_line, encode_line, replay, snapshot_lines
from gateway.counters.entries import released as released_entry
from gateway.counters.entries import settled as settled_entry
from gateway.counters.entries import started as started_entry
from gateway.counters.entries import taken as taken_entry
from gateway.counters.ledger import Ledger
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim, Reserved
from tests.support.limits import SECOND, claim

START = 1_700_000_000 * SECOND


@dataclass
class Held:
    owner: str
    token: str
    claims: tuple[LimitClaim, ...]
    used: tuple[int, ...]
    lapses_at: int | None


@dataclass
class Model:
    """Every use ever settled in one list, every open one in another; everything is looked through
    for every answer."""

    uses: list[tuple[str, str, int, int]] = field(default_factory=list)
    open: list[Held] = field(default_factory=list)

    def lapse(self, now: int) -> None:
        self.open = [held for held in self.open if held.lapses_at is None or held.lapses_at > now]

    def used(self, one: LimitClaim) -> int:
        settled = sum(
            amount
            for limit, key, at, amount in self.uses
            if (limit, key) == (one.limit, one.key) and at > one.since
        )
        held = sum(
            other.amount or 0
            for each in self.open
            for other in each.claims
            if (other.limit, other.key) == (one.limit, one.key)
        )
        return settled + held

    def reserve(
        self, owner: str, claims: tuple[LimitClaim, ...], now: int, lapses_at: int | None
    ) -> tuple[bool, tuple[int, ...]]:
        """Whether something is taken or joined, and what was read."""
        self.lapse(now)
        for held in self.open:
            if held.owner == owner:
                return True, held.used
        used = tuple(self.used(one) for one in claims)
        for one, before in zip(claims, used, strict=True):
            exceeded = one.amount is None or before + one.amount > one.max
            if exceeded and one.effect is Effect.BLOCK and one.mode is Mode.ENFORCE:
                return False, used
        self.open.append(Held(owner, "", claims, used, lapses_at))
        return True, used

    def find(self, token: str) -> Held | None:
        return next((held for held in self.open if held.token == token), None)

    def settle(self, token: str, now: int) -> None:
        held = self.find(token)
        if held is not None:
            self.open.remove(held)
            self.uses += [(one.limit, one.key, now, one.amount or 0) for one in held.claims]

    def release(self, token: str) -> None:
        held = self.find(token)
        if held is not None:
            self.open.remove(held)

    def start(self, token: str, now: int) -> bool:
        self.lapse(now)
        held = self.find(token)
        if held is None or held.lapses_at is None:
            return False
        held.lapses_at = None
        return True


LIMITS = {"p/count": (2, 60), "p/sum": (7, 600)}
KEYS = ("agent:a", "agent:b")
ASKED = st.tuples(
    st.sampled_from(sorted(LIMITS)),
    st.sampled_from(KEYS),
    st.one_of(st.none(), st.integers(0, 4)),
    st.sampled_from([Effect.BLOCK, Effect.REQUIRE_APPROVAL]),
    st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.MONITOR]),
)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            st.sampled_from("abcdefgh"),
            st.lists(ASKED, min_size=1, max_size=3, unique_by=lambda each: each[:2]),
            st.one_of(st.none(), st.integers(1, 900)),
        ),
        st.tuples(st.sampled_from(["start", "settle", "release"]), st.integers(0, 6)),
        st.tuples(st.just("wait"), st.sampled_from([1, 59, 60, 540])),
    ),
    max_size=60,
)


class Both:
    """The ledger and the model, asked the same; and the journal of what was done."""

    def __init__(self) -> None:
        self.now = START
        self.ledger = Ledger()
        self.model = Model()
        self.tokens: list[str] = []
        self.lines: list[bytes] = []

    def note(self, entry: tuple[object, ...]) -> None:
        self.lines.append(encode_line([entry]))

    def reserve(self, owner: str, asked: list[tuple[object, ...]], held: int | None) -> None:
        claims = tuple(
            claim(
                self.now, amount, LIMITS[limit][0], limit=limit, key=key,  # type: ignore[arg-type,index]
                seconds=LIMITS[limit][1], effect=effect, mode=mode,  # type: ignore[arg-type,index]
            )
            for limit, key, amount, effect, mode in asked
        )  # fmt: skip
        joined = next((each for each in self.model.open if each.owner == owner), None)
        lapses_at = None if held is None else self.now + held * SECOND
        takes, used = self.model.reserve(owner, claims, self.now, lapses_at)
        reserved, is_new = self.ledger.reserve(owner, claims, self.now, lapses_at)
        assert bool(reserved.token) is takes
        is_joined = joined is not None and joined in self.model.open
        assert is_new is (takes and not is_joined)
        if is_joined:
            assert joined is not None
            assert reserved.token == joined.token
            return
        self._compare(reserved, used)
        if is_new:
            self.model.open[-1].token = reserved.token
            self.tokens.append(reserved.token)
            reservation = self.ledger.find(reserved.token)
            assert reservation is not None
            self.note(taken_entry(reservation))

    def _compare(self, reserved: Reserved, used: tuple[int, ...]) -> None:
        assert tuple(reading.used for reading in reserved.readings) == used
        for reading in reserved.readings:
            amount = reading.claim.amount
            exceeded = amount is None or reading.used + amount > reading.claim.max
            assert reading.is_exceeded is exceeded

    def tell(self, what: str, number: int) -> None:
        token = self.tokens[number] if number < len(self.tokens) else "unknown"
        match what:
            case "start":
                started = self.ledger.start(token, self.now)
                assert started is self.model.start(token, self.now)
                if started:
                    self.note(started_entry(token))
            case "settle":
                if self.ledger.settle(token, self.now):
                    self.note(settled_entry(token, self.now))
                self.model.settle(token, self.now)
            case _:
                if self.ledger.release(token):
                    self.note(released_entry(token))
                self.model.release(token)

    def do(self, operation: tuple[object, ...]) -> None:
        match operation:
            case ("reserve", owner, asked, held):
                self.reserve(owner, asked, held)  # type: ignore[arg-type]
            case ("wait", seconds):
                self.now += seconds * SECOND  # type: ignore[operator]
            case (what, number):
                self.tell(what, number)  # type: ignore[arg-type]

    def read_all(self, ledger: Ledger) -> dict[tuple[str, str], int]:
        """What every counter holds, asked without taking anything."""
        found = {}
        for limit, (_, seconds) in LIMITS.items():
            for key in KEYS:
                one = claim(
                    self.now, 0, 0, limit=limit, key=key, seconds=seconds, mode=Mode.MONITOR
                )
                reserved, _ = ledger.reserve("reader", [one], self.now, None)
                ledger.release(reserved.token)
                found[limit, key] = reserved.readings[0].used
        return found


@settings(max_examples=300)
@given(OPERATIONS)
def test_the_ledger_is_the_model(operations: list[tuple[object, ...]]) -> None:
    """Every answer is the same; and nothing that ended leaves anything behind."""
    both = Both()
    for operation in operations:
        both.do(operation)
    both.model.lapse(both.now)
    for token in both.tokens:
        both.tell("release", both.tokens.index(token))
    assert not list(both.ledger.reservations)
    assert all(
        counter.open_count == 0 == counter.open_amount for _, counter in both.ledger.counters
    )


@settings(max_examples=200)
@given(OPERATIONS, st.integers(0, 60))
def test_a_journal_tells_all(operations: list[tuple[object, ...]], snapshot_at: int) -> None:
    """Read again, from its beginning or from a copy made in between, it gives the same counters."""
    both = Both()
    for number, operation in enumerate(operations):
        if number == snapshot_at:
            both.lines = list(snapshot_lines(both.ledger))
        both.do(operation)
    again = Ledger("1")
    for line in both.lines:
        replay(decode_line(line[:-1]), again, both.now)
    assert both.read_all(again) == both.read_all(both.ledger)
    assert [each.token for each in again.reservations] == [
        each.token for each in both.ledger.reservations
    ]
