"""Bundles from publication to the gateway's answer: checked, numbered, signed, never changed."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.decide.envelope import key_id_of, open_bundle, parse_public_key
from gateway.decide.loader import load_bundle
from tests.support.control_plane import Answer, Client, running_plane
from tests.support.database import connect_as, make_database
from tests.support.tenants import make_key, make_tenant


def policy(name: str, effect: str = "BLOCK", action: str = "create_refund") -> str:
    """A policy of one rule."""
    return f"""\
apiVersion: checkrein/v1
kind: Policy
metadata:
  name: {name}
spec:
  rules:
    - id: the-rule
      priority: 10
      match:
        action: {action}
      effect: {effect}
      reason: REFUNDS
      message: refunds are for people
"""


MAPPER = """\
apiVersion: checkrein/v1
kind: Mapper
metadata:
  name: garden
spec:
  provider: garden
  hosts: [garden.example.com]
  operations:
    POST /plants:
      operation: garden.plants.create
      action: plant_a_tree
      kind: create
"""

_names = iter(range(1, 1_000_000))


def fresh() -> str:
    """A policy's name that no other test uses, so that its bundle is a new one."""
    return f"policy-{next(_names)}"


def body(*texts: str, **more: Any) -> dict[str, Any]:
    documents = [{"name": f"p{number}.yaml", "text": text} for number, text in enumerate(texts)]
    return {"documents": documents, **more}


async def published(client: Client, *texts: str, **more: Any) -> dict[str, Any]:
    answer = await client.call("POST", "/v1/bundles", body(*texts, **more))
    assert answer.status == 201, answer
    return dict(answer.body["bundle"])


async def current(client: Client, query: str = "", key: str = "gateway") -> Answer:
    return await client.call("GET", f"/v1/bundles/current{query}", key=key)


@pytest.fixture
async def empty(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> AsyncIterator[tuple[Client, str]]:
    """A control plane on a database of its own, and the database's name."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as client:
        yield client, name


# --- publication ----------------------------------------------------------------------------------


async def test_before_the_first_there_is_nothing(empty: tuple[Client, str]):
    """A gateway is told so with a code of its own; the lists are empty."""
    client, _ = empty
    answer = await current(client)
    assert (answer.status, answer.code) == (404, "BUNDLE_NONE")
    assert (await client.call("GET", "/v1/bundles")).body["bundles"] == []
    assert (await client.call("GET", "/v1/bundles/1")).status == 404
    found = (await client.call("GET", "/v1/gateways")).body
    assert found == {"gateways": [], "current": None}


async def test_what_is_published_is_what_a_gateway_opens(client: Client, tmp_path: Path):
    """The payload verifies with the published key, says the files word for word, and its revision
    is the one that a gateway makes of them."""
    text = policy(fresh())
    made = await published(client, text, comment="first try")
    assert made["comment"] == "first try"
    assert (made["createdBy"], made["isCurrent"]) == ("admin", True)
    key = (await client.call("GET", "/v1/bundles/key", key="gateway")).body
    got = (await current(client)).body
    public = parse_public_key(key["publicKey"])
    assert key["keyId"] == got["keyId"] == made["keyId"] == key_id_of(public)
    content = open_bundle(got["payload"], got["signature"], public)
    assert (content.sequence, content.revision) == (made["sequence"], made["revision"])
    assert content.tenant_id == str(client.plane.bootstrapped.tenant_id)
    assert [(one.name, one.text) for one in content.documents] == [("p0.yaml", text)]
    (tmp_path / "p0.yaml").write_text(text)
    assert load_bundle([tmp_path]).revision == content.revision
    assert content.created_at.isoformat()[:19] == made["createdAt"][:19]


async def test_numbers_run_without_a_gap_and_the_newest_is_current(client: Client):
    """Three publications are three numbers; the list has the newest first, and pages."""
    made = [await published(client, policy(fresh())) for _ in range(3)]
    first = made[0]["sequence"]
    assert [one["sequence"] for one in made] == [first, first + 1, first + 2]
    page = (await client.call("GET", "/v1/bundles?limit=2")).body
    assert [one["sequence"] for one in page["bundles"]] == [first + 2, first + 1]
    assert [one["isCurrent"] for one in page["bundles"]] == [True, False]
    rest = (await client.call("GET", f"/v1/bundles?limit=1&before={page['nextCursor']}")).body
    assert [one["sequence"] for one in rest["bundles"]] == [first]


SAME = {
    "the very same files": (lambda text: body(text), True),
    "another comment in the file": (lambda text: body(f"# why not\n{text}"), True),
    "the file under another name": (
        lambda text: {"documents": [{"name": "other.yaml", "text": text}]}, True,
    ),
    "another message": (lambda text: body(text.replace("for people", "for us")), False),
    "a mapper beside them": (
        lambda text: body(text, mappers=[{"name": "garden.yaml", "text": MAPPER}]), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
async def test_what_means_the_same_is_not_published_twice(client: Client, name: str):
    """The answer is the current bundle and 200; what means something else is a new one."""
    change, is_same = SAME[name]
    text = policy(fresh())
    first = await published(client, text)
    again = await client.call("POST", "/v1/bundles", change(text))
    assert again.status == (200 if is_same else 201)
    assert again.body["isNew"] is not is_same
    assert again.body["bundle"]["sequence"] == first["sequence"] + (0 if is_same else 1)


async def test_a_dry_run_checks_and_publishes_nothing(client: Client):
    """It says whether something would be published, and what is wrong."""
    text = policy(fresh())
    before = await published(client, text)
    would = await client.call("POST", "/v1/bundles", body(policy(fresh()), dryRun=True))
    assert (would.status, would.body) == (200, {"bundle": None, "isNew": False})
    same = await client.call("POST", "/v1/bundles", body(text, dryRun=True))
    assert same.body["bundle"]["sequence"] == before["sequence"]
    wrong = await client.call("POST", "/v1/bundles", body("kind: Pony", dryRun=True))
    assert wrong.status == 422
    assert (await current(client)).body["sequence"] == before["sequence"]


async def test_names_of_the_bundles_own_mappers_are_known(client: Client):
    """A rule may name an action that only the bundle's mapper makes, and only with that mapper."""
    text = policy(fresh(), action="plant_a_tree")
    alone = await client.call("POST", "/v1/bundles", body(text))
    assert alone.status == 422
    assert "plant_a_tree" in alone.body["error"]["problems"][0]["message"]
    together = body(text, mappers=[{"name": "garden.yaml", "text": MAPPER}])
    assert (await client.call("POST", "/v1/bundles", together)).status == 201


# --- what is refused ------------------------------------------------------------------------------


async def test_every_problem_of_every_file_comes_back_with_its_place(client: Client):
    """Two policies and a mapper are wrong: one answer names all places, and nothing changes."""
    before = await published(client, policy(fresh()))
    broken = policy("a", effect="PERHAPS", action="create_refnud")
    answer = await client.call(
        "POST",
        "/v1/bundles",
        {
            "documents": [
                {"name": "a.yaml", "text": broken},
                {"name": "b.yaml", "text": "apiVersion: checkrein/v1\nkind: [\n"},
            ],
            "mappers": [{"name": "m.yaml", "text": MAPPER.replace("kind: create", "kind: grow")}],
        },
    )
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")
    error = answer.body["error"]
    assert error["reason_code"] == "BUNDLE_INVALID"
    assert error["problemCount"] == len(error["problems"])
    places = {(one["file"], one["line"]) for one in error["problems"]}
    assert ("a.yaml", 11) in places
    assert {file for file, _ in places} == {"a.yaml", "b.yaml", "m.yaml"}
    assert all(
        set(one) == {"file", "line", "column", "message", "help"} for one in error["problems"]
    )
    assert "/tmp" not in json.dumps(error)
    # With good mappers the name is looked up too, and the nearest right one is given.
    named = await client.call(
        "POST", "/v1/bundles", {"documents": [{"name": "a.yaml", "text": broken}]}
    )
    assert "create_refund" in json.dumps(named.body["error"]["problems"])
    assert (await current(client)).body["sequence"] == before["sequence"]


REFUSED = {
    "no document": ({"documents": []}, "there is no policy"),
    "an empty document": (body(""), "p0.yaml"),
    "a name with a folder": (
        {"documents": [{"name": "a/b.yaml", "text": "x"}]}, "can't be named `a/b.yaml`",
    ),
    "a name that climbs": (
        {"documents": [{"name": "../x.yaml", "text": "x"}]}, "can't be named",
    ),
    "a mapper's name that climbs": (
        body(policy("x"), mappers=[{"name": "../../x.yaml", "text": "x"}]), "can't be named",
    ),
    "a name that hides": ({"documents": [{"name": ".x.yaml", "text": "x"}]}, "can't be named"),
    "a name of another kind": ({"documents": [{"name": "x.txt", "text": "x"}]}, "can't be named"),
    "a name twice": (
        {"documents": [{"name": "x.yaml", "text": policy("x")}] * 2},
        "two documents have this name",
    ),
    "a name twice but for its case": (
        {"documents": [{"name": "x.yaml", "text": "x"}, {"name": "X.yaml", "text": "x"}]},
        "two documents have this name",
    ),
    "the list of action names as a mapper": (
        body(policy("x"), mappers=[{"name": "actions.yaml", "text": "actions: {}"}]),
        "actions.yaml",
    ),
    "a mapper that extends what is not there": (
        body(policy("x"), mappers=[{"name": "m.yaml", "text": MAPPER.replace(
            "hosts:", "extends: nowhere\n  hosts:")}]),
        "nowhere",
    ),
    "a NUL in the text": (body("a\0b"), "p0.yaml"),
    "two policies of one name": (body(policy("x"), policy("x")), "is taken by the policy"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_bundle_is_refused_with_its_problem(client: Client, name: str):
    """422 with the problem in words; nothing is published."""
    sent, words = REFUSED[name]
    answer = await client.call("POST", "/v1/bundles", sent)
    assert (answer.status, answer.body["error"]["reason_code"]) == (422, "BUNDLE_INVALID")
    assert words in json.dumps(answer.body["error"]["problems"])


MALFORMED = {
    "no list": {"documents": "x"},
    "no documents": {},
    "a field that is not known": {**body("x"), "force": True},
    "a file without a text": {"documents": [{"name": "x.yaml"}]},
    "too many files": {
        "documents": [{"name": f"n{number}.yaml", "text": ""} for number in range(501)]
    },
    "a comment that is a book": {**body("x"), "comment": "x" * 9_000},
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_publication_is_refused(client: Client, name: str):
    """422, the envelope, and no 500."""
    answer = await client.call("POST", "/v1/bundles", MALFORMED[name])
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")


TOO_LARGE = {
    "more than a bundle holds": (3, 422, "BUNDLE_INVALID"),
    "more than is read": (4, 413, ""),
}


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_giant_publication_is_refused(client: Client, name: str):
    """Before any of it is looked into."""
    count, status, reason_code = TOO_LARGE[name]
    documents = [{"name": f"n{n}.yaml", "text": "x" * 8_000_000} for n in range(count)]
    async with client.http.post(
        f"{client.url}/v1/bundles",
        data=io.BytesIO(json.dumps({"documents": documents}).encode()),
        headers={"x-api-key": client.keys["admin"]},
    ) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert error["reason_code"] == reason_code
    assert error.get("problemCount", 1) == 1


# --- going back -----------------------------------------------------------------------------------


async def test_an_older_bundle_comes_back_under_a_new_number(client: Client):
    """The files are the old ones; history stays as it was."""
    old = await published(client, policy(fresh()))
    new = await published(client, policy(fresh()))
    path = f"/v1/bundles/{old['sequence']}"
    answer = await client.call("POST", f"{path}/activate", {})
    assert answer.status == 201
    back = answer.body["bundle"]
    assert (back["sequence"], back["revision"]) == (new["sequence"] + 1, old["revision"])
    assert back["comment"] == f"bundle {old['sequence']} again"
    shown = (await client.call("GET", f"/v1/bundles/{back['sequence']}")).body["bundle"]
    before = (await client.call("GET", path)).body["bundle"]
    assert shown["documents"] == before["documents"]
    assert (shown["isVerified"], before["isVerified"]) == (True, True)
    again = await client.call("POST", f"{path}/activate", {"comment": "once more"})
    assert (again.status, again.body["isNew"]) == (200, False)
    assert (await client.call("POST", "/v1/bundles/999999/activate", {})).status == 404


async def test_what_another_key_signed_is_not_signed_again(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """After a new key nothing vouches for the old rows: their files are not shown, they can't be
    activated; the same files published again are a new bundle under the new key."""
    name = await asyncio.to_thread(make_database, postgres_server)
    text = policy(fresh())
    async with running_plane(postgres_server, name, tmp_path) as client:
        old = await published(client, text)
    (tmp_path / "bundle-key.pem").unlink()
    async with running_plane(postgres_server, name, tmp_path) as client:
        shown = (await client.call("GET", "/v1/bundles/1")).body["bundle"]
        assert (shown["isVerified"], shown["documents"]) == (False, None)
        answer = await client.call("POST", "/v1/bundles/1/activate", {})
        assert (answer.status, answer.code) == (409, "BUNDLE_UNVERIFIED")
        new = await published(client, text)
    assert (new["sequence"], new["revision"]) == (2, old["revision"])
    assert new["keyId"] != old["keyId"]


async def test_a_row_that_was_forged_in_the_database_is_not_signed(
    empty: tuple[Client, str], postgres_server: EmbeddedPostgres
):
    """Who can write into the database, but has no key, can't make a gateway run anything: what
    they put there does not verify, and activation refuses it."""
    client, database = empty
    await published(client, policy(fresh()))
    connection = await connect_as(postgres_server, Role.OWNER, database)
    try:
        await connection.execute(
            "insert into bundles (tenant_id, sequence, revision, mappers_digest, payload, "
            "signature, key_id, created_by, created_at) select tenant_id, 2, revision, "
            "mappers_digest, replace(payload, 'BLOCK', 'ALLOW'), signature, key_id, created_by, "
            "created_at from bundles"
        )
    finally:
        await connection.close()
    answer = await client.call("POST", "/v1/bundles/2/activate", {})
    assert (answer.status, answer.code) == (409, "BUNDLE_UNVERIFIED")


# --- the database ---------------------------------------------------------------------------------


async def test_two_replicas_publish_at_once_without_a_gap(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """Ten publications through two control planes are the numbers 1 to 10, each once."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with (
        running_plane(postgres_server, name, tmp_path) as one,
        running_plane(postgres_server, name, tmp_path) as two,
    ):
        made = await asyncio.gather(
            *(published(client, policy(fresh())) for _ in range(5) for client in (one, two))
        )
        listed = (await two.call("GET", "/v1/bundles")).body["bundles"]
    assert sorted(bundle["sequence"] for bundle in made) == list(range(1, 11))
    assert [bundle["sequence"] for bundle in listed] == list(range(10, 0, -1))
    assert len({bundle["keyId"] for bundle in made}) == 1


TAMPERING = {
    "a text is changed": "update bundles set payload = 'x'",
    "a row is deleted": "delete from bundles",
    "all rows are cut": "truncate bundles",
    "a number is left out": (
        "insert into bundles select tenant_id, sequence + 2, revision, mappers_digest, payload, "
        "signature, key_id, created_by, comment, created_at from bundles order by sequence desc "
        "limit 1"
    ),
    "a number is put before the first": (
        "insert into bundles select tenant_id, 0, revision, mappers_digest, payload, signature, "
        "key_id, created_by, comment, created_at from bundles limit 1"
    ),
}


@pytest.mark.parametrize("role", [Role.APPLICATION, Role.OWNER])
@pytest.mark.parametrize("name", TAMPERING)
async def test_the_database_refuses_to_change_history(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, name: str, role: Role
):
    """Neither the service's role nor the owner of the tables gets it through."""
    await published(client, policy(fresh()))
    connection = await connect_as(postgres_server, role, database_name)
    try:
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.CheckViolationError)):
            await connection.execute(TAMPERING[name])
    finally:
        await connection.close()


async def test_another_tenants_bundles_are_nowhere(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Theirs begin at 1, ours are 404 for them on every route, and their publication wakes and
    changes nothing of ours."""
    ours = await published(client, policy(fresh()))
    await current(client, "?gatewayId=ours")
    tenant = await make_tenant(postgres_server, database_name)
    admin, gateway = [
        await make_key(postgres_server, database_name, [permission], tenant=tenant)
        for permission in ("Admin", "Gateway")
    ]
    assert (await current(client, key=gateway)).code == "BUNDLE_NONE"
    assert (await client.call("GET", "/v1/bundles", key=admin)).body["bundles"] == []
    assert (await client.call("GET", "/v1/gateways", key=admin)).body["gateways"] == []
    path = f"/v1/bundles/{ours['sequence']}"
    assert (await client.call("GET", path, key=admin)).status == 404
    assert (await client.call("POST", f"{path}/activate", {}, admin)).status == 404
    theirs = await client.call("POST", "/v1/bundles", body(policy(fresh())), admin)
    assert theirs.body["bundle"]["sequence"] == 1
    assert (await current(client)).body["sequence"] == ours["sequence"]


# --- gateways -------------------------------------------------------------------------------------


async def waiting_count(client: Client) -> float:
    return float(client.plane.metrics.waiting.collect()[0].samples[0].value)


async def until_waiting(client: Client) -> None:
    while await waiting_count(client) < 1:
        await asyncio.sleep(0.005)


async def test_a_waiting_gateway_of_another_replica_is_answered_by_a_publication(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """The long poll hangs at one control plane, the publication comes through the other."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with (
        running_plane(postgres_server, name, tmp_path) as one,
        running_plane(postgres_server, name, tmp_path) as two,
    ):
        waiting = asyncio.create_task(current(one, "?waitSeconds=25"))
        await until_waiting(one)
        first = await published(two, policy(fresh()))
        got = (await waiting).body
        assert got["sequence"] == first["sequence"]
        waiting = asyncio.create_task(current(one, f"?waitSeconds=25&sequence={got['sequence']}"))
        await until_waiting(one)
        second = await published(two, policy(fresh()))
        assert (await waiting).body["sequence"] == second["sequence"]


async def test_who_has_the_current_one_gets_no_payload(client: Client):
    """Nothing is sent again; an unknown number gets the current one, higher or lower."""
    made = await published(client, policy(fresh()))
    number = made["sequence"]
    same = (await current(client, f"?sequence={number}&waitSeconds=0.05")).body
    assert same == {"sequence": number, "payload": None, "signature": None, "keyId": None}
    for other in (number - 1, number + 1):
        got = (await current(client, f"?sequence={other}&waitSeconds=20")).body
        assert got["sequence"] == number
        assert got["payload"] is not None


async def gateway_in_list(client: Client, name: str) -> dict[str, Any]:
    listed = (await client.call("GET", "/v1/gateways")).body["gateways"]
    return dict(next(one for one in listed if one["gatewayId"] == name))


async def test_the_list_of_gateways_says_what_each_runs(client: Client):
    """Up to date, behind, and one that has nothing yet."""
    old = await published(client, policy(fresh()))
    new = await published(client, policy(fresh()))
    for name, sequence, running in (
        ("gw-new", new["sequence"], new["revision"]),
        ("gw-old", old["sequence"], old["revision"]),
        ("gw-empty", 0, None),
    ):
        query = f"?gatewayId={name}&sequence={sequence}"
        await current(client, query + (f"&running={running}" if running else ""))
    answer = (await client.call("GET", "/v1/gateways")).body
    assert answer["current"] == {"sequence": new["sequence"], "revision": new["revision"]}
    found = {one["gatewayId"]: one for one in answer["gateways"]}
    assert {name: found[name]["isUpToDate"] for name in found if name.startswith("gw-")} == {
        "gw-new": True, "gw-old": False, "gw-empty": False,
    }  # fmt: skip
    assert found["gw-empty"]["revision"] is None
    since = found["gw-old"]["runningSince"]
    await current(client, f"?gatewayId=gw-old&sequence={new['sequence']}&running={new['revision']}")
    moved = await gateway_in_list(client, "gw-old")
    assert moved["isUpToDate"]
    assert moved["runningSince"] > since


async def test_a_gateway_that_says_the_same_again_is_not_written_again(client: Client):
    """A poll in a tight loop is one write; a change is one more."""
    made = await published(client, policy(fresh()))
    query = f"?gatewayId=gw-loop&sequence={made['sequence']}&running={made['revision']}"
    await current(client, query)
    before = await gateway_in_list(client, "gw-loop")
    for _ in range(5):
        await current(client, query)
    assert await gateway_in_list(client, "gw-loop") == before
    await current(client, "?gatewayId=gw-loop")
    assert (await gateway_in_list(client, "gw-loop"))["sequence"] == 0


BAD_POLLS = {
    "a negative number": "?sequence=-1",
    "a number beyond all": "?sequence=99999999999999999999",
    "a revision that is none": "?gatewayId=g&running=latest",
    "no name": "?gatewayId=",
    "a name that is a book": f"?gatewayId={'x' * 300}",
    "for ever": "?waitSeconds=inf",
    "a parameter twice": "?sequence=1&sequence=2",
    "a parameter that is not known": "?tenant=x",
}


@pytest.mark.parametrize("name", BAD_POLLS)
async def test_a_bad_poll_is_refused(client: Client, name: str):
    """422, and nothing is noted."""
    answer = await current(client, BAD_POLLS[name])
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")


@pytest.mark.parametrize("number", ["0", "x", "-1", "1.0", "٣", "9" * 30, "current2"])
async def test_what_is_no_number_names_nothing(client: Client, number: str):
    """404 as for a number that is not there."""
    assert (await client.call("GET", f"/v1/bundles/{number}")).status == 404


async def test_a_full_table_of_gateways_refuses_no_bundle(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """Beyond the limit a new gateway is not listed, is answered, and the known stay noted."""
    made = await published(client, policy(fresh()))
    await current(client, "?gatewayId=gw-known")
    monkeypatch.setattr("controlplane.services.gateways.GATEWAYS_MAX", 1)
    assert (await current(client, "?gatewayId=gw-one-too-many")).status == 200
    await current(client, f"?gatewayId=gw-known&sequence={made['sequence']}")
    monkeypatch.undo()
    listed = (await client.call("GET", "/v1/gateways")).body["gateways"]
    found = {one["gatewayId"]: one["sequence"] for one in listed}
    assert found["gw-known"] == made["sequence"]
    assert "gw-one-too-many" not in found


async def test_a_silent_gateway_is_forgotten(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """When another one comes, those that were silent for too long go; the others stay."""
    await published(client, policy(fresh()))
    await current(client, "?gatewayId=gw-gone")
    await current(client, "?gatewayId=gw-here")
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    await connection.execute(
        "update gateways set last_seen_at = now() - interval '8 days' where gateway_id = 'gw-gone'"
    )
    await connection.close()
    await current(client, "?gatewayId=gw-comes")
    listed = (await client.call("GET", "/v1/gateways")).body["gateways"]
    names = {one["gatewayId"] for one in listed}
    assert {"gw-here", "gw-comes"} <= names
    assert "gw-gone" not in names
