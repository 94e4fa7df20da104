"""Deliveries under any sequence of acts, beside a model of what they may do (Hypothesis).

Time is moved by rewriting `due_at` with the owner's rights, so that no example has to sleep.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tests.support.drawn  # noqa: F401
from controlplane.store.channels import ChannelKind, ChannelPlan, ChannelStore
from controlplane.store.deliveries import DeliveryRow, DeliveryStore, NewDelivery
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.events import EventCursor
from controlplane.store.keys import KeyStore
from gateway.model.delivery import LEGAL_MOVES, DeliveryEvent, DeliveryStatus
from tests.support.database import connect_as, open_test_database

SUBJECTS = ("one", "other")
ENDS = (DeliveryEvent.ARRIVE, DeliveryEvent.SKIP, DeliveryEvent.GIVE_UP)
LEASE_SECONDS = 3600.0


class Deliveries(RuleBasedStateMachine):
    """The machine; a subclass names its database. Senders hold claims, some of them too long."""

    server: EmbeddedPostgres
    database_name: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model: dict[uuid.UUID, DeliveryStatus] = {}
        self.subject: dict[uuid.UUID, str] = {}
        self.due: set[uuid.UUID] = set()
        self.attempts: dict[uuid.UUID, int] = {}
        self.newest: dict[uuid.UUID, DeliveryRow] = {}
        self.claims: list[DeliveryRow] = []
        self.events = 0

    def run(self, what: Any) -> Any:
        return self.loop.run_until_complete(what)

    @initialize()
    def open(self) -> None:
        self.database = self.run(open_test_database(self.server, self.database_name))
        self.store = DeliveryStore(self.database)
        self.tenant = self.run(KeyStore(self.database).ensure_tenant("default"))
        self.owner = self.run(connect_as(self.server, Role.OWNER, self.database_name))
        self.channel = uuid.uuid4()
        plan = ChannelPlan(
            self.channel.hex, ChannelKind.WEBHOOK, {"url": "https://a.test/"}, None, (), (), None,
            True,
        )  # fmt: skip
        self.run(ChannelStore(self.database).insert(self.tenant, self.channel, plan))

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            self.run(ChannelStore(self.database).remove(self.tenant, self.channel))
            self.run(self.owner.close())
            self.run(self.database.close())
        self.loop.close()

    @rule(subject=st.sampled_from(SUBJECTS), repeats=st.integers(1, 2))
    def happen(self, subject: str, repeats: int) -> None:
        """However often an event is read, there is one delivery of it."""
        self.events += 1
        new = NewDelivery(
            self.tenant, self.channel, "", self.events, "stop.pulled", "stop", subject,
            datetime.now(UTC),
        )  # fmt: skip
        for _ in range(repeats):
            self.run(self._move([new]))
        rows = self.run(self.store.list(self.tenant, self.channel, None, None, 500))
        (made,) = [row for row in rows if row.delivery_id not in self.model]
        self.model[made.delivery_id] = DeliveryStatus.PENDING
        self.subject[made.delivery_id] = subject
        self.attempts[made.delivery_id] = 0
        self.due.add(made.delivery_id)

    async def _move(self, made: list[NewDelivery]) -> None:
        async with self.store.turn(self.tenant) as turn:
            assert turn is not None
            await turn.move(made, EventCursor(1, self.events))

    @rule()
    def claim(self) -> None:
        """What is due, the earliest of each thing, and nothing else."""
        wanted = set()
        for subject in SUBJECTS:
            open_ones = [
                one
                for one, status in self.model.items()
                if status is DeliveryStatus.PENDING and self.subject[one] == subject
            ]
            wanted |= set(open_ones[:1]) & self.due
        claimed = self.run(self.store.claim((), 50, 50, LEASE_SECONDS))
        ours = [row for row in claimed if row.new.channel_id == self.channel]
        assert {row.delivery_id for row in ours} == wanted
        for row in ours:
            self.attempts[row.delivery_id] += 1
            assert row.attempts == self.attempts[row.delivery_id]
            self.due.discard(row.delivery_id)
            self.newest[row.delivery_id] = row
        self.claims += ours

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), event=st.sampled_from(ENDS))
    def settle(self, data: st.DataObject, event: DeliveryEvent) -> None:
        """Only the newest claim of an open delivery has a say."""
        claimed = data.draw(st.sampled_from(self.claims))
        target = LEGAL_MOVES[DeliveryStatus.PENDING][event]
        counts = self._is_newest(claimed)
        assert self.run(self.store.settle(claimed, target, "why")) is counts
        if counts:
            self.model[claimed.delivery_id] = target
            self.due.discard(claimed.delivery_id)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def put_off(self, data: st.DataObject) -> None:
        claimed = data.draw(st.sampled_from(self.claims))
        counts = self._is_newest(claimed)
        assert self.run(self.store.put_off(claimed, LEASE_SECONDS, "later")) is counts
        if counts:
            self.due.discard(claimed.delivery_id)

    def _is_newest(self, claimed: DeliveryRow) -> bool:
        is_open = self.model[claimed.delivery_id] is DeliveryStatus.PENDING
        return is_open and claimed is self.newest[claimed.delivery_id]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def wait(self, data: st.DataObject) -> None:
        """A pause or a lease is over."""
        delivery_id = data.draw(st.sampled_from(list(self.model)))
        self.run(
            self.owner.execute(
                "update deliveries set due_at = now() - interval '1 s' where delivery_id = $1",
                delivery_id,
            )
        )
        if self.model[delivery_id] is DeliveryStatus.PENDING:
            self.due.add(delivery_id)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        """Only what has ended; a claim of before has a say only until the next one."""
        delivery_id = data.draw(st.sampled_from(list(self.model)))
        is_legal = DeliveryEvent.RESEND in LEGAL_MOVES[self.model[delivery_id]]
        row = self.run(self.store.resend(self.tenant, delivery_id))
        assert (row is not None) is is_legal
        if is_legal:
            self.model[delivery_id] = DeliveryStatus.PENDING
            self.attempts[delivery_id] = 0
            self.due.add(delivery_id)

    @invariant()
    def the_database_says_the_same(self) -> None:
        if not self.model:
            return
        rows = self.run(self.store.list(self.tenant, self.channel, None, None, 500))
        assert {row.delivery_id: row.status for row in rows} == self.model
        for row in rows:
            assert (row.ended_at is None) is (row.status is DeliveryStatus.PENDING)


def test_deliveries_do_only_what_the_table_says(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Under made, claimed, ended, forgotten, repeated and resent ones, in any order."""

    class Here(Deliveries):
        pass

    Here.server, Here.database_name = postgres_server, database_name
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
