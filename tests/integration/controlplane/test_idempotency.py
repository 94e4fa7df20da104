"""A POST with an Idempotency-Key is carried out once, however often it is sent."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from controlplane.faults import ControlFault, Fault
from controlplane.services import idempotency
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.idempotency import IdempotencyStore
from controlplane.store.keys import KeyStore, NewKey
from tests.support.control_plane import Answer, Client, ask_body, running_plane
from tests.support.database import connect_as, everybodys
from tests.support.tenants import make_key, make_tenant


async def make(client: Client, name: str, idem: str, key: str = "admin", **more: Any) -> Answer:
    """Make a key for a person, with an idempotency key."""
    body = {"name": name, "permissions": ["ApprovalRead"], **more}
    return await client.call("POST", "/v1/keys", body, key, {"Idempotency-Key": idem})


def fresh() -> str:
    return uuid.uuid4().hex


async def names(client: Client) -> list[str]:
    listed = await client.call("GET", "/v1/keys?limit=500")
    return [key["name"] for key in listed.body["keys"]]


async def test_the_same_request_again_gets_the_first_answer_again(client: Client):
    """Status and body, a new key's secret too; and nothing is made a second time."""
    idem, name = fresh(), f"p-{fresh()}"
    first, again = await make(client, name, idem), await make(client, name, idem)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["X-Request-Id"] != again.headers["X-Request-Id"]
    assert (await names(client)).count(name) == 1


async def test_another_request_with_the_same_key_is_refused(client: Client):
    """Whether the body differs or the path; on another route the key is another one."""
    idem = fresh()
    assert (await make(client, "one", idem)).status == 201
    other = await make(client, "two", idem)
    assert (other.status, other.body["error"]["reason_code"]) == (422, "IDEMPOTENCY_MISMATCH")
    agent = {"name": f"a-{fresh()}"}
    made = await client.call("POST", "/v1/agents", agent, headers={"Idempotency-Key": idem})
    assert made.status == 201


async def test_one_callers_key_is_not_anothers(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Not within the organisation, nor in another one."""
    colleague = await make_key(postgres_server, database_name, ["Admin"])
    tenant = await make_tenant(postgres_server, database_name)
    stranger = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    idem = fresh()
    made = [await make(client, "same", idem, key) for key in ("admin", colleague, stranger)]
    assert [answer.status for answer in made] == [201, 201, 201]
    assert len({answer.body["keyId"] for answer in made}) == 3


async def test_of_many_at_once_one_is_carried_out(client: Client):
    """The others wait for its answer."""
    idem, name = fresh(), f"p-{fresh()}"
    answers = await asyncio.gather(*(make(client, name, idem) for _ in range(20)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["key"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert (await names(client)).count(name) == 1


async def test_what_was_refused_is_judged_again(client: Client):
    """It changed nothing; the same key may carry the request that was meant."""
    idem = fresh()
    wrong = await make(client, "not a name", idem)
    assert wrong.status == 422
    assert (await make(client, "a-name", idem)).status == 201


async def test_a_request_that_died_is_not_carried_out_again(
    client: Client,
    postgres_server: EmbeddedPostgres,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """Nobody knows what it did: the repeat is refused until the time is over."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS_MAX", 0.05)
    idem, name = fresh(), f"p-{fresh()}"
    assert (await make(client, name, idem)).status == 201
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        where = "where idempotency_key = $1"
        await connection.execute(
            f"update idempotency_keys set status = null, sealed_answer = null {where}", idem
        )
        refused = await make(client, name, idem)
        assert (refused.status, refused.code) == (409, "ABORTED")
        assert refused.body["error"]["reason_code"] == "IDEMPOTENCY_IN_PROGRESS"
        await connection.execute(f"update idempotency_keys set expires_at = now() {where}", idem)
    finally:
        await connection.close()
    assert (await make(client, name, idem)).status == 201
    assert (await names(client)).count(name) == 2


FAILURES = {
    "the database goes away": (ControlFault(Fault.UNAVAILABLE, "gone"), 503),
    "a bug shows itself": (RuntimeError("a bug"), 500),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_what_failed_in_the_middle_is_not_carried_out_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, case: str
):
    """It may have been done, as here; the failure itself is not given again as the answer."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS_MAX", 0.05)
    failure, status = FAILURES[case]
    insert = KeyStore.insert

    async def insert_and_fail(self: KeyStore, new: NewKey) -> None:
        await insert(self, new)
        raise failure

    idem, name = fresh(), f"p-{fresh()}"
    with monkeypatch.context() as failing:
        failing.setattr(KeyStore, "insert", insert_and_fail)
        assert (await make(client, name, idem)).status == status
    again = await make(client, name, idem)
    assert (again.status, again.body["error"]["reason_code"]) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert (await names(client)).count(name) == 1


async def test_an_answer_that_is_too_long_is_not_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """The repeat is refused, and not carried out again."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS_MAX", 0.05)
    monkeypatch.setattr(idempotency, "ANSWER_BYTES_MAX", 10)
    idem, name = fresh(), f"p-{fresh()}"
    assert (await make(client, name, idem)).status == 201
    assert (await make(client, name, idem)).status == 409
    assert (await names(client)).count(name) == 1


async def test_what_failed_before_it_began_is_sent_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Nothing was noted, and nothing done."""
    idem, name = fresh(), f"p-{fresh()}"

    async def away(*_: Any) -> bool:
        raise ControlFault(Fault.UNAVAILABLE, "gone")

    with monkeypatch.context() as failing:
        failing.setattr(IdempotencyStore, "begin", away)
        assert (await make(client, name, idem)).status == 503
    assert (await make(client, name, idem)).status == 201
    assert (await names(client)).count(name) == 1


async def test_answers_lie_sealed(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """No row holds the secret that was given out, and the table alone can't open it."""
    idem = fresh()
    secret = (await make(client, "sealed", idem)).body["key"]
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        row = await connection.fetchrow(
            "select * from idempotency_keys where idempotency_key = $1", idem
        )
    finally:
        await connection.close()
    assert row["status"] == 201
    assert secret.encode() not in row["sealed_answer"]


async def test_what_is_over_is_swept(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """And what is not over is left."""
    store = IdempotencyStore(everybodys(client.plane.database))
    over, kept = fresh(), fresh()
    assert (await make(client, "swept", over)).status == 201
    first = await make(client, "kept", kept)
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute(
            "update idempotency_keys set expires_at = now() where idempotency_key = $1", over
        )
        assert await store.sweep(100) >= 1
        assert await store.sweep(100) == 0
        left = await connection.fetch("select idempotency_key from idempotency_keys")
    finally:
        await connection.close()
    assert kept in {row["idempotency_key"] for row in left}
    assert over not in {row["idempotency_key"] for row in left}
    assert (await make(client, "kept", kept)).body == first.body


async def test_a_caller_has_so_many_keys_and_no_more(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    """One that floods is told so, and what it has still answers."""
    monkeypatch.setattr(idempotency, "COUNT_MAX", 3)
    key = await make_key(postgres_server, database_name, ["Admin"])
    idems = [fresh() for _ in range(4)]
    answers = [await make(client, "one", idem, key) for idem in idems]
    assert [answer.status for answer in answers] == [201, 201, 201, 429]
    assert answers[3].body["error"]["reason_code"] == "IDEMPOTENCY_FULL"
    assert (await make(client, "one", idems[0], key)).body == answers[0].body


BAD_KEYS = {
    "it is empty": "",
    "it has a space": "a b",
    "it is too long": "x" * 256,
    "it is no ASCII": "schlüssel",
}


@pytest.mark.parametrize("case", BAD_KEYS)
async def test_a_bad_key_is_refused(client: Client, case: str):
    """Rather than left out of account: the caller relies on it."""
    answer = await make(client, "one", BAD_KEYS[case])
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")


async def test_an_approval_is_asked_for_once(client: Client):
    """Of a gateway too, and its consumption is as it was."""
    body, headers = ask_body(), {"Idempotency-Key": fresh()}
    asked = [await client.call("POST", "/v1/approvals", body, "gateway", headers) for _ in range(2)]
    assert [answer.status for answer in asked] == [201, 201]
    assert asked[0].body == asked[1].body


async def test_of_two_replicas_one_carries_it_out(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """A repeat may come to another replica than the first one did."""
    async with running_plane(postgres_server, database_name, data_dir) as other:
        idem, name = fresh(), f"p-{fresh()}"
        asked = [make(one, name, idem) for one in (client, other) for _ in range(10)]
        answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["key"] for answer in answers}) == 1
    assert (await names(client)).count(name) == 1
