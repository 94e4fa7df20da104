"""Grants under any sequence of acts, beside a model of what they may do (Hypothesis).

The database's time is moved by rewriting ends with the superuser's rights and the guards off, so
that no example has to sleep.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tests.support.drawn  # noqa: F401
from controlplane.services.approvals.grants import claim_of_question
from controlplane.store.approvals import Answer, AnswerCameTo, ApprovalStore, Question
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.grants import GrantStore
from controlplane.store.keys import KeyStore
from gateway.model.approval import ApprovalState
from gateway.model.grant import LEGAL_MOVES, AmountTerms, GrantState, GrantTerms
from tests.support.control_plane import fresh_digest
from tests.support.database import connect_as
from tests.support.stored_machine import StoredMachine

AMOUNTS = st.integers(0, 40)


def question(tenant_id: uuid.UUID, agent: str, amount: int) -> Question:
    return Question(
        tenant_id, agent, None, fresh_digest(), "d", "p", "o", "a", "create", "t", "i",
        f'{{"amount":{amount}}}', "h:1", "POST", "/", "s", None, None, "R", "m",
        '{"score":1,"factors":[]}', "r", "enforce", (), 1, 3600, False, None, None,
    )  # fmt: skip


@dataclass
class Given:
    """A grant as the model has it. `uses` are those in force, with what each takes."""

    grant_id: uuid.UUID
    key: uuid.UUID
    uses_max: int
    amount_max: int
    each_max: int | None
    state: GrantState = GrantState.ACTIVE
    uses: dict[uuid.UUID, int] = field(default_factory=dict)

    def takes(self, amount: int) -> bool:
        return (
            self.state is GrantState.ACTIVE
            and len(self.uses) < self.uses_max
            and sum(self.uses.values()) + amount <= self.amount_max
            and (self.each_max is None or amount <= self.each_max)
        )


class Grants(StoredMachine):
    """The machine; a subclass names its database."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Given] = []
        self.approvals: dict[uuid.UUID, ApprovalState] = {}
        self.questions: dict[uuid.UUID, Question] = {}
        self.agent = uuid.uuid4().hex
        self.claims = (f"claim-{number}" for number in itertools.count())

    @initialize()
    def open(self) -> None:
        self.connect()
        self.store, self.grants = ApprovalStore(self.database), GrantStore(self.database)

    def ask(self, amount: int) -> tuple[Question, Any]:
        asked = question(self.tenant, self.agent, amount)
        row = self.run(self.store.ask(asked, 1000, claim_of_question(asked), 3600.0)).row
        expected = next((one for one in self.given if one.takes(amount)), None)
        assert row.grant_id == (None if expected is None else expected.grant_id)
        assert (row.status_now is ApprovalState.APPROVED) == (expected is not None)
        if expected is not None:
            expected.uses[row.approval_id] = amount
        self.approvals[row.approval_id] = row.status_now
        self.questions[row.approval_id] = asked
        return asked, row

    def close(self, approval_id: uuid.UUID, state: ApprovalState) -> None:
        """What was not sent is given back."""
        self.approvals[approval_id] = state
        for one in self.given:
            one.uses.pop(approval_id, None)

    @rule(amount=AMOUNTS)
    def use(self, amount: int) -> None:
        self.ask(amount)

    @rule(
        first=AMOUNTS,
        more=st.integers(0, 60),
        uses=st.integers(2, 5),
        is_each=st.booleans(),
    )
    def give(self, first: int, more: int, uses: int, is_each: bool) -> None:
        """A person answers with a grant; a question that a grant has answered takes none."""
        _, row = self.ask(first)
        # A name of its own: another person.
        key = self.add_key(uuid.uuid4().hex)
        each = first if is_each else None
        bound = AmountTerms("amount", None, first + more, each, first)
        offer = GrantTerms(600, uses, False, False, 69, bound)
        answer = Answer(
            ApprovalState.APPROVED, (ApprovalState.PENDING,), "who", key, None, 3600.0, offer=offer
        )
        came_to = self.run(self.store.answer(self.tenant, row.approval_id, answer))
        made = self.run(self.grants.of_approval(self.tenant, row.approval_id))
        if row.status_now is ApprovalState.APPROVED:
            assert (came_to, made) == (AnswerCameTo.WRONG_STATE, None)
            return
        assert came_to is AnswerCameTo.DONE
        self.approvals[row.approval_id] = ApprovalState.APPROVED
        self.given.append(
            Given(made.grant_id, key, uses, first + more, each, uses={row.approval_id: first})
        )

    @precondition(lambda self: self.approvals)
    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        approval_id = data.draw(st.sampled_from(list(self.approvals)))
        digest = self.questions[approval_id].request_digest
        row = self.run(self.store.consume(self.tenant, approval_id, digest, next(self.claims)))
        assert (row is not None) == (self.approvals[approval_id] is ApprovalState.APPROVED)
        if row is not None:
            self.approvals[approval_id] = ApprovalState.CONSUMED

    @precondition(lambda self: self.approvals)
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        approval_id = data.draw(st.sampled_from(list(self.approvals)))
        row = self.run(
            self.store.void(self.tenant, approval_id, "gateway", self._any_key(), "changed")
        )
        is_open = self.approvals[approval_id] in (ApprovalState.PENDING, ApprovalState.APPROVED)
        assert (row is not None) == is_open
        if is_open:
            self.close(approval_id, ApprovalState.CANCELLED)

    def _any_key(self) -> uuid.UUID:
        key: uuid.UUID = self.run(self.owner.fetchval("select key_id from api_keys limit 1"))
        return key

    @precondition(lambda self: self.approvals)
    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        """The time of one approval is over, and the sweeper comes by, twice."""
        approval_id = data.draw(st.sampled_from(list(self.approvals)))
        self.run(self._let_pass("approvals", "approval_id", approval_id))
        for _ in range(2):
            self.run(self.store.sweep(100))
        after = {
            ApprovalState.PENDING: ApprovalState.EXPIRED,
            ApprovalState.APPROVED: ApprovalState.LAPSED,
        }.get(self.approvals[approval_id])
        if after is not None:
            self.close(approval_id, after)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """The time of one grant is over, swept or not."""
        one = data.draw(st.sampled_from(self.given))
        self.run(self._let_pass("grants", "grant_id", one.grant_id))
        if data.draw(st.booleans()):
            self.run(self.grants.sweep(100))
        if one.state is GrantState.ACTIVE:
            one.state = GrantState.EXPIRED

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.given))
        is_revoked = self.run(
            self.grants.revoke(self.tenant, one.grant_id, "who", one.key, "enough")
        )
        assert is_revoked == (one.state is GrantState.ACTIVE)
        if is_revoked:
            self._end(one)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def revoke_key(self, data: st.DataObject) -> None:
        """Whoever gave it is not believed any more; what it had let through can't be sent."""
        one = data.draw(st.sampled_from(self.given))
        if (
            any(self.approvals[used] is ApprovalState.APPROVED for used in one.uses)
            and one.state is not GrantState.ACTIVE
        ):
            return  # of an expired grant: refused when it is consumed, and closed when it lapses
        self.run(KeyStore(self.database).revoke(self.tenant, one.key))
        if one.state is GrantState.ACTIVE:
            self._end(one)

    def _end(self, one: Given) -> None:
        one.state = GrantState.REVOKED
        for used in list(one.uses):
            if self.approvals[used] is ApprovalState.APPROVED:
                self.close(used, ApprovalState.CANCELLED)

    async def _let_pass(self, table: str, column: str, one: uuid.UUID) -> None:
        await self.owner.execute(
            "begin; set local session_replication_role = replica; "
            f"update {table} set expires_at = clock_timestamp() - interval '1 second' "
            f"where {column} = '{one}'; commit"
        )

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        for approval_id, state in self.approvals.items():
            assert self.run(self.store.get(self.tenant, approval_id)).status_now is state
        for one in self.given:
            row = self.run(self.grants.get(self.tenant, one.grant_id))
            assert row.state_now is one.state
            assert (row.uses_count, row.amount.used) == (len(one.uses), sum(one.uses.values()))
            assert row.uses_count <= row.uses_max
            assert row.amount.used <= row.amount.amount_max


def test_any_sequence_of_acts_agrees_with_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """No use and no amount beyond what was given, none of what is over, each given back once."""

    class OnThisDatabase(Grants):
        server = postgres_server

    OnThisDatabase.database_name = database_name
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
async def owner(postgres_server: EmbeddedPostgres, database_name: str) -> Any:
    """The owner of the tables: nothing but triggers stands in its way."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    yield connection
    await connection.close()


async def _insert_grant(owner: asyncpg.Connection, state: GrantState) -> tuple[uuid.UUID, ...]:
    """A grant of two uses and a tenant, key and approval of its own; the ids of all."""
    tenant, key, approval, grant = (uuid.uuid4() for _ in range(4))
    await owner.execute("insert into tenants values ($1, $2)", tenant, str(tenant))
    await owner.execute(
        "insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions) "
        "values ($1, $2, 'k', 'k', $3, '{Admin}')",
        key, tenant, key.bytes * 2,
    )  # fmt: skip
    await _insert_approval(owner, tenant, approval)
    await owner.execute(
        "insert into grants (grant_id, tenant_id, approval_id, agent, state, uses_max, this_run, "
        "same_target, risk_max, amount_param, amount_max, each_max, expires_at, ended_at) "
        "values ($1, $2, $3, 'a', $4, 2, false, false, 5, 'amount', 10, 8, now() + '1 h', "
        "case when $4 = 'ACTIVE' then null else now() end)",
        grant, tenant, approval, state,
    )  # fmt: skip
    return tenant, approval, grant


async def _insert_approval(
    owner: asyncpg.Connection, tenant: uuid.UUID, approval: uuid.UUID
) -> None:
    await owner.execute(
        "insert into approvals (approval_id, tenant_id, agent, request_digest, decision_id, "
        "provider, operation, action, kind, target_type, target_id, params, authority, method, "
        "path, summary, reason_code, message, risk, bundle_revision, mode, approver_groups, "
        "quorum, timeout_seconds, witness_required, expires_at, status) "
        "values ($1, $2, $3, repeat('0', 64), '', '', '', '', '', '', '', '{}', '', '', '', '', "
        "'', '', '{}', '', '', '{}', 1, 1, false, now() + '1 h', 'APPROVED')",
        approval, tenant, approval.hex,
    )  # fmt: skip


async def test_the_schema_knows_the_same_moves_as_the_model(owner: asyncpg.Connection):
    """Every pair of states: the trigger lets pass exactly what `LEGAL_MOVES` has."""
    for old in GrantState:
        for new in GrantState:
            _, _, grant = await _insert_grant(owner, old)
            statement = (
                "update grants set state = $2, ended_at = case when $2 = 'ACTIVE' then null "
                "else coalesce(ended_at, now()) end where grant_id = $1"
            )
            try:
                await owner.execute(statement, grant, new)
                moved = True
            except asyncpg.CheckViolationError:
                moved = False
            assert moved == (new is old or new in LEGAL_MOVES[old].values()), (old, new)


async def test_no_statement_takes_more_than_there_is(owner: asyncpg.Connection):
    """Nor of a grant that is over, nor back what was sent, nor twice."""
    tenant, first, grant = await _insert_grant(owner, GrantState.ACTIVE)

    async def use(amount: int, of: uuid.UUID = grant, at: uuid.UUID | None = None) -> uuid.UUID:
        approval = at or uuid.uuid4()
        if at is None:
            await _insert_approval(owner, tenant, approval)
        await owner.execute(
            "insert into grant_uses (tenant_id, grant_id, approval_id, amount) "
            "values ($1, $2, $3, $4)",
            tenant, of, approval, amount,
        )  # fmt: skip
        return approval

    await use(5, at=first)
    for amount in (6, 9):
        with pytest.raises(asyncpg.CheckViolationError, match="used up"):
            await use(amount)
    second = await use(5)
    with pytest.raises(asyncpg.CheckViolationError, match="used up"):
        await use(0)
    back = "update grant_uses set given_back_at = now() where approval_id = $1"
    with pytest.raises(asyncpg.CheckViolationError, match="came to nothing"):
        await owner.execute(back, second)
    await owner.execute("update approvals set status = 'LAPSED' where approval_id = $1", second)
    with pytest.raises(asyncpg.CheckViolationError, match="came to nothing"):
        await owner.execute(back, second)
    await use(5)
    for state in (GrantState.REVOKED, GrantState.EXPIRED):
        tenant, _, over = await _insert_grant(owner, state)
        with pytest.raises(asyncpg.CheckViolationError, match="over"):
            await use(0, of=over)


@pytest.mark.parametrize("table", ["grants", "grant_uses", "grant_offers"])
async def test_nothing_of_a_grant_is_deleted_or_changed(owner: asyncpg.Connection, table: str):
    """By nobody: what was given, on which terms, and what for, stays."""
    tenant, first, grant = await _insert_grant(owner, GrantState.ACTIVE)
    await owner.execute(
        "insert into grant_uses (tenant_id, grant_id, approval_id) values ($1, $2, $3)",
        tenant, grant, first,
    )  # fmt: skip
    await owner.execute(
        "insert into grant_offers (tenant_id, approval_id, key_id, seconds, uses_max, this_run, "
        "same_target, risk_max) select $1, $2, key_id, 1, 2, false, false, 5 from api_keys "
        "where tenant_id = $1",
        tenant, first,
    )  # fmt: skip
    column = {"grants": "uses_max", "grant_uses": "amount", "grant_offers": "uses_max"}[table]
    for statement in (
        f"update {table} set {column} = {column} + 1",
        f"delete from {table}",
        f"truncate {table} cascade",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
            await owner.execute(statement)
