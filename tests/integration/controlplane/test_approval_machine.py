"""Approvals under any sequence of acts, beside a model of what they may do (Hypothesis).

The database's time is moved by rewriting `expires_at` with the owner's rights and the guard off,
so that no example has to sleep.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

import asyncpg
import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tests.support.drawn  # noqa: F401
from controlplane.store.approvals import Answer, AnswerCameTo, ApprovalStore, Origin, Question
from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.model.approval import LEGAL_MOVES, ApprovalEvent, ApprovalState
from tests.support.database import connect_as
from tests.support.stored_machine import StoredMachine

DIGESTS = ("a" * 64, "b" * 64)
OPEN = {ApprovalState.PENDING, ApprovalState.APPROVED}
EVENTS = (ApprovalEvent.APPROVE, ApprovalEvent.REJECT, ApprovalEvent.CANCEL)


def question(tenant_id: uuid.UUID, agent: str, digest: str) -> Question:
    return Question(
        tenant_id, agent, None, digest, "d", "p", "o", "a", "create", "t", "i", "{}", "h:1", "POST",
        "/", "s", None, None, "R", "m", "{}", "r", "enforce", (), 1, 3600, False, None, None,
    )  # fmt: skip


class Approvals(StoredMachine):
    """The machine; a subclass names its database."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[uuid.UUID, tuple[str, ApprovalState]] = {}
        self.claims: dict[uuid.UUID, str] = {}
        self.escalated: set[uuid.UUID] = set()
        self.seen: dict[uuid.UUID, str] = {}
        self.agent = uuid.uuid4().hex

    @initialize()
    def open(self) -> None:
        self.connect()
        self.store = ApprovalStore(self.database)
        self.key = self.add_key()

    @rule(digest=st.sampled_from(DIGESTS))
    def ask(self, digest: str) -> None:
        asked = self.run(self.store.ask(question(self.tenant, self.agent, digest), 100))
        open_ones = [
            one for one, (of, state) in self.model.items() if of == digest and state in OPEN
        ]
        assert asked.is_new == (not open_ones)
        if asked.is_new:
            self.model[asked.row.approval_id] = (digest, ApprovalState.PENDING)
        else:
            assert [asked.row.approval_id] == open_ones

    @precondition(lambda self: self.model)
    @rule(data=st.data(), event=st.sampled_from(EVENTS))
    def answer(self, data: st.DataObject, event: ApprovalEvent) -> None:
        approval_id = data.draw(st.sampled_from(list(self.model)))
        digest, state = self.model[approval_id]
        sources = tuple(one for one, moves in LEGAL_MOVES.items() if event in moves)
        target = LEGAL_MOVES[sources[0]][event]
        answer = Answer(target, sources, "who", self.key, None, 3600.0)
        came_to = self.run(self.store.answer(self.tenant, approval_id, answer))
        is_legal = event in LEGAL_MOVES[state]
        assert came_to is (AnswerCameTo.DONE if is_legal else AnswerCameTo.WRONG_STATE)
        if is_legal:
            self.model[approval_id] = (digest, target)

    @rule(digest=st.sampled_from(DIGESTS))
    def ask_as_a_program(self, digest: str) -> None:
        """Never joined, and joined by nobody: so the model keeps it under another digest."""
        asked_for = replace(question(self.tenant, self.agent, digest), origin=Origin.API)
        row = self.run(self.store.ask_anew(asked_for, 100))
        assert row is not None
        self.model[row.approval_id] = (f"api {digest}", ApprovalState.PENDING)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def escalate(self, data: st.DataObject) -> None:
        """Once, while it is pending; that is no change of state."""
        approval_id = data.draw(st.sampled_from(list(self.model)))
        _, state = self.model[approval_id]
        came_to = self.run(self.store.escalate(self.tenant, approval_id, "who", self.key, None))
        if state is not ApprovalState.PENDING:
            assert came_to is AnswerCameTo.WRONG_STATE
        elif approval_id in self.escalated:
            assert came_to is AnswerCameTo.ESCALATED_BEFORE
        else:
            assert came_to is AnswerCameTo.DONE
            self.escalated.add(approval_id)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), digest=st.sampled_from(DIGESTS), is_void=st.booleans())
    def find_another_world(self, data: st.DataObject, digest: str, is_void: bool) -> None:
        """Of an open one it is written down; where a gateway finds it, that is the end."""
        approval_id = data.draw(st.sampled_from(list(self.model)))
        of, state = self.model[approval_id]
        if is_void:
            found = (digest, "{}")
            row = self.run(self.store.void(self.tenant, approval_id, "g", self.key, "WHY", found))
            assert (row is not None) == (state in OPEN)
            if row is not None:
                self.model[approval_id] = (of, ApprovalState.CANCELLED)
                self.seen[approval_id] = digest
            return
        is_news = self.run(self.store.note_world(self.tenant, approval_id, digest))
        assert is_news == (state in OPEN and self.seen.get(approval_id) != digest)
        if is_news:
            self.seen[approval_id] = digest

    @precondition(lambda self: self.model)
    @rule(data=st.data(), digest=st.sampled_from(DIGESTS), claim=st.sampled_from("xyz"))
    def use(self, data: st.DataObject, digest: str, claim: str) -> None:
        approval_id = data.draw(st.sampled_from(list(self.model)))
        of, state = self.model[approval_id]
        row = self.run(self.store.consume(self.tenant, approval_id, digest, claim))
        first = state is ApprovalState.APPROVED
        again = state is ApprovalState.CONSUMED and self.claims.get(approval_id) == claim
        assert (row is not None) == (of == digest and (first or again))
        if row is not None:
            self.model[approval_id] = (of, ApprovalState.CONSUMED)
            self.claims[approval_id] = claim

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def let_time_pass(self, data: st.DataObject) -> None:
        """The time of one approval is over."""
        approval_id = data.draw(st.sampled_from(list(self.model)))
        digest, state = self.model[approval_id]
        self.run(
            self.owner.execute(
                "begin; set local session_replication_role = replica; "
                "update approvals set expires_at = clock_timestamp() - interval '1 second' "
                f"where approval_id = '{approval_id}'; commit"
            )
        )
        after = {
            ApprovalState.PENDING: ApprovalState.EXPIRED,
            ApprovalState.APPROVED: ApprovalState.LAPSED,
        }
        self.model[approval_id] = (digest, after.get(state, state))

    @rule()
    def sweep(self) -> None:
        self.run(self.store.sweep(100))

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        for approval_id, (_, state) in self.model.items():
            row = self.run(self.store.get(self.tenant, approval_id))
            assert row.status_now is state
            assert (row.escalated_at is not None) == (approval_id in self.escalated)
            assert row.witness_now_hash == self.seen.get(approval_id)


def test_any_sequence_of_acts_agrees_with_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Twenty-five sequences of up to twenty acts each, on the real statements."""

    class OnThisDatabase(Approvals):
        server = postgres_server

    OnThisDatabase.database_name = database_name
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


async def test_the_schema_knows_the_same_moves_as_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """Every pair of states: the trigger lets pass exactly what `LEGAL_MOVES` has."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    tenant, key = uuid.uuid4(), uuid.uuid4()
    columns = (
        "approval_id, tenant_id, agent, request_digest, decision_id, provider, operation, action, "
        "kind, target_type, target_id, params, authority, method, path, summary, reason_code, "
        "message, risk, bundle_revision, mode, approver_groups, quorum, timeout_seconds, "
        "witness_required, expires_at, status"
    )
    try:
        await connection.execute("insert into tenants values ($1, $2)", tenant, str(tenant))
        await connection.execute(
            "insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions) "
            "values ($1, $2, 'k', 'k', $3, '{Admin}')",
            key, tenant, key.bytes * 2,
        )  # fmt: skip
        for old in ApprovalState:
            for new in ApprovalState:
                approval_id = uuid.uuid4()
                await connection.execute(
                    f"insert into approvals ({columns}) values ($1, $2, $3, repeat('0', 64), '', "
                    "'', '', '', '', '', '', '{}', '', '', '', '', '', '', '{}', '', '', '{}', 1, "
                    "1, false, now(), $4)",
                    approval_id, tenant, approval_id.hex, old,
                )  # fmt: skip
                await connection.execute(
                    "insert into approval_answers (tenant_id, approval_id, key_id, answered_by, "
                    "answer) values ($1, $2, $3, 'k', 'APPROVED')",
                    tenant, approval_id, key,
                )  # fmt: skip
                statement = "update approvals set status = $2 where approval_id = $1"
                legal = new is old or new in LEGAL_MOVES[old].values()
                try:
                    await connection.execute(statement, approval_id, new)
                    moved = True
                except asyncpg.CheckViolationError:
                    moved = False
                assert moved == legal, (old, new)
    finally:
        await connection.close()
