"""Policies and their versions: drafted, put in force with the bundle of them, taken out again."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.events import EventCursor, EventStore
from controlplane.store.tenancy import acting_for
from gateway.model.policy_version import LEGAL_MOVES, VersionState
from tests.support.bundles import body, fresh, policy, published
from tests.support.control_plane import Answer, Client
from tests.support.database import connect_as
from tests.support.tenants import make_key, make_tenant

SEED_RULES: list[dict[str, Any]] = [
    {
        "ruleId": "00000000-0000-0000-0000-000000000010", "priority": 10, "targetType": "TOOL",
        "targetSelector": "read_file", "action": "ALLOW", "reasonCode": "SAFE_READ",
        "enabled": True,
    },
    {
        "ruleId": "00000000-0000-0000-0000-000000000030", "priority": 30,
        "targetType": "WRITE_ACTION", "targetSelector": "*", "action": "REQUIRE_APPROVAL",
        "reasonCode": "WRITE_NEEDS_REVIEW", "enabled": True,
    },
]  # fmt: skip


async def drafted(client: Client, name: str, **changes: Any) -> dict[str, Any]:
    """A new policy, a draft."""
    answer = await client.call("POST", "/v1/policies", {"document": policy(name, **changes)})
    assert answer.status == 201, answer
    return dict(answer.body["policy"])


async def version(client: Client, policy_id: str, name: str, effect: str) -> dict[str, Any]:
    answer = await client.call(
        "POST", f"/v1/policies/{policy_id}/versions", {"document": policy(name, effect)}
    )
    assert answer.status == 201, answer
    return dict(answer.body["version"])


async def activate(client: Client, policy_id: str, **more: Any) -> Answer:
    return await client.call("POST", f"/v1/policies/{policy_id}/activate", more)


async def in_bundle(client: Client) -> dict[str, str]:
    """The files of the newest bundle."""
    listed = await client.call("GET", "/v1/bundles?limit=1")
    newest = listed.body["bundles"][0]["sequence"]
    shown = await client.call("GET", f"/v1/bundles/{newest}")
    return {one["name"]: one["text"] for one in shown.body["bundle"]["documents"]}


async def test_the_first_apis_policy_is_kept_listed_and_put_in_force(client: Client):
    """As its walk-through sends it: fields, not a document."""
    tenant = str(client.tenant_id)
    made = await client.call(
        "POST",
        "/v1/policies",
        {
            "scope": {"scopeType": "ORG", "scopeId": tenant},
            "name": "code-agent-guardrails",
            "description": "Allow reads, require approval for writes",
            "defaultAction": "DENY",
            "rules": SEED_RULES,
        },
    )
    assert made.status == 201, made
    found = made.body["policy"]
    assert made.body["policyId"] == found["policyId"]
    assert (found["status"], found["version"], found["defaultAction"]) == ("DRAFT", 1, "BLOCK")
    assert found["scope"] == {"scopeType": "ORG", "scopeId": tenant}
    told = {name: found["rules"][0][name] for name in SEED_RULES[0]}
    assert told == SEED_RULES[0]
    listed = await client.call("GET", f"/v1/policies?scopeId={tenant}&scopeType=ORG")
    assert found["policyId"] in {one["policyId"] for one in listed.body["policies"]}
    on = await activate(client, found["policyId"])
    assert (on.status, on.body["policy"]["status"]) == (200, "ACTIVE")
    assert "code-agent-guardrails.yaml" in await in_bundle(client)


async def test_a_version_goes_from_draft_to_active_to_archived(client: Client):
    """And the next one takes its place; gateways get a bundle for each."""
    name = fresh()
    made = await drafted(client, name)
    first = await activate(client, made["policyId"])
    assert first.body["isNew"]
    second = await version(client, made["policyId"], name, "ALLOW")
    assert (second["version"], second["status"]) == (2, "DRAFT")
    assert "effect: BLOCK" in (await in_bundle(client))[f"{name}.yaml"]
    on = await activate(client, made["policyId"], comment="refunds are fine")
    assert on.body["bundle"]["sequence"] == first.body["bundle"]["sequence"] + 1
    assert "effect: ALLOW" in (await in_bundle(client))[f"{name}.yaml"]
    history = await client.call("GET", f"/v1/policies/{made['policyId']}/versions")
    states = [(one["version"], one["status"]) for one in history.body["versions"]]
    assert states == [(2, "ACTIVE"), (1, "ARCHIVED")]
    assert history.body["versions"][1]["archivedBy"] == "admin"


async def test_an_archived_version_comes_back_as_a_new_one(client: Client):
    """Versions are a line, as bundles are."""
    name = fresh()
    made = await drafted(client, name)
    await activate(client, made["policyId"])
    await version(client, made["policyId"], name, "ALLOW")
    await activate(client, made["policyId"])
    back = await activate(client, made["policyId"], version=1)
    assert (back.status, back.body["policy"]["version"]) == (200, 3)
    assert "effect: BLOCK" in (await in_bundle(client))[f"{name}.yaml"]
    again = await activate(client, made["policyId"])
    assert (again.status, again.body["isNew"]) == (200, False)


async def test_a_policy_is_taken_out_of_force_but_not_the_last(client: Client):
    """Without any, everything would be blocked."""
    kept, other = fresh(), fresh()
    await published(client, policy(kept))
    made = await drafted(client, other)
    await activate(client, made["policyId"])
    off = await client.call("POST", f"/v1/policies/{made['policyId']}/deactivate", {})
    assert (off.status, off.body["policy"]["status"]) == (200, "ARCHIVED")
    twice = await client.call("POST", f"/v1/policies/{made['policyId']}/deactivate", {})
    assert (twice.status, twice.body["error"]["reason_code"]) == (409, "POLICY_NOT_ACTIVE")
    last = (await client.call("GET", f"/v1/policies?name={kept}")).body["policies"][0]
    refused = await client.call("POST", f"/v1/policies/{last['policyId']}/deactivate", {})
    assert (refused.status, refused.body["error"]["reason_code"]) == (409, "POLICY_LAST_ACTIVE")
    assert [*(await in_bundle(client))] == [f"{kept}.yaml"]


async def test_published_files_become_the_active_versions(client: Client):
    """There is one truth: what a bundle holds is active, what it does not hold is archived."""
    here, gone = fresh(), fresh()
    await published(client, policy(here), policy(gone))
    active = await client.call("GET", "/v1/policies?status=active")
    assert {one["name"] for one in active.body["policies"]} == {here, gone}
    both = f"# two in one file\n{policy(here, 'ALLOW')}---\n# the other\n{policy('other')}"
    await published(client, both)
    active = await client.call("GET", "/v1/policies?status=ACTIVE")
    found = {one["name"]: one for one in active.body["policies"]}
    assert found.keys() == {here, "other"}
    assert found[here]["version"] == 2
    shown = await client.call("GET", f"/v1/policies/{found['other']['policyId']}")
    assert shown.body["policy"]["document"] == f"\n# the other\n{policy('other')}"
    archived = (await client.call("GET", f"/v1/policies?name={gone}")).body["policies"][0]
    assert archived["status"] == "ARCHIVED"


async def test_settings_and_mappers_of_the_bundle_stay(client: Client):
    """An activation changes one policy, and nothing of what stands beside."""
    settings = (
        "apiVersion: checkrein/v1\nkind: Organisation\nmetadata: {name: us}\n"
        "spec: {environments: [production]}\n"
    )
    await published(client, policy(fresh()), settings)
    made = await drafted(client, fresh())
    await activate(client, made["policyId"])
    assert (await in_bundle(client))["p1.yaml"] == settings
    wrong = policy(fresh()).replace("action: create_refund", "environment: prodction")
    refused = await client.call("POST", "/v1/policies", {"document": wrong})
    assert (refused.status, refused.body["error"]["reason_code"]) == (422, "POLICY_INVALID")
    assert "prodction" in refused.body["error"]["problems"][0]["message"]


async def test_a_set_that_does_not_check_is_refused_with_its_problems(client: Client):
    """A draft may have been good when it was written."""
    mapper = (
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata:\n  name: yard\nspec:\n"
        "  provider: yard\n  hosts: [yard.example.com]\n  operations:\n    POST /trees:\n"
        "      operation: yard.trees.create\n      action: plant_in_the_yard\n      kind: create\n"
    )
    kept = fresh()
    files = body(policy(kept))
    await client.call(
        "POST", "/v1/bundles", {**files, "mappers": [{"name": "yard.yaml", "text": mapper}]}
    )
    made = await drafted(client, fresh(), action="plant_in_the_yard")
    await published(client, policy(kept, "ALLOW"))
    before = await in_bundle(client)
    refused = await activate(client, made["policyId"])
    assert (refused.status, refused.body["error"]["reason_code"]) == (422, "BUNDLE_INVALID")
    problem = refused.body["error"]["problems"][0]
    assert (problem["file"], problem["line"]) == (f"{made['name']}.yaml", 10)
    assert await in_bundle(client) == before
    still = await client.call("GET", f"/v1/policies/{made['policyId']}")
    assert still.body["policy"]["status"] == "DRAFT"


ETAGS = {
    "in the header": ({"If-Match": '"{0}"'}, {}, 412),
    "in the header, weak": ({"If-Match": 'W/"{0}"'}, {}, 412),
    "in the body": ({}, {"etag": "{0}"}, 409),
}


@pytest.mark.parametrize("case", ETAGS)
async def test_a_lost_race_is_told(client: Client, case: str):
    """The one whose etag is old changes nothing."""
    headers, more, status = ETAGS[case]
    name = fresh()
    made = await drafted(client, name)
    etag = made["etag"]
    await version(client, made["policyId"], name, "ALLOW")

    async def attempt(etag: str) -> Answer:
        filled = {key: text.format(etag) for key, text in headers.items()}
        async with client.http.post(
            f"{client.url}/v1/policies/{made['policyId']}/activate",
            json={key: text.format(etag) for key, text in more.items()},
            headers={"x-api-key": client.keys["admin"], **filled},
        ) as response:
            return Answer(response.status, await response.json(), response.headers)

    lost = await attempt(etag)
    assert (lost.status, lost.body["error"]["reason_code"]) == (status, "POLICY_CHANGED")
    now = (await client.call("GET", f"/v1/policies/{made['policyId']}")).body["etag"]
    assert (await attempt(now)).status == 200


async def test_of_many_who_activate_at_once_one_wins_each_etag(client: Client):
    """The others are told that it changed, and the bundle is what is active."""
    await published(client, policy(fresh()))
    name = fresh()
    made = await drafted(client, name)
    for effect in ("ALLOW", "REQUIRE_APPROVAL", "BLOCK"):
        await version(client, made["policyId"], name, effect)
    etag = (await client.call("GET", f"/v1/policies/{made['policyId']}")).body["etag"]
    answers = await asyncio.gather(
        *(activate(client, made["policyId"], version=n, etag=etag) for n in (1, 2, 3, 4))
    )
    assert sorted(one.status for one in answers) == [200, 409, 409, 409]
    won = next(one for one in answers if one.status == 200)
    files = await in_bundle(client)
    assert files[f"{name}.yaml"] == won.body["policy"]["document"]


async def test_two_versions_are_compared_as_texts_and_as_rules(client: Client):
    """A person sees the lines, and what they come to."""
    name = fresh()
    made = await drafted(client, name)
    await version(client, made["policyId"], name, "ALLOW")
    found = await client.call("GET", f"/v1/policies/{made['policyId']}/diff?before=1&after=2")
    assert "-      effect: BLOCK" in found.body["lines"]
    assert found.body["rules"] == [
        {"fate": "changed", "ruleId": "the-rule", "action": "ALLOW", "fields": ["effect"]}
    ]


REFUSED = {
    "neither a document nor rules": ({"name": "x"}, 422, "INVALID_FIELD"),
    "both": ({"document": "x", "rules": []}, 422, "INVALID_FIELD"),
    "no policy at all": ({"document": "# nothing"}, 422, "POLICY_INVALID"),
    "two policies": ({"document": f"{policy('a')}---\n{policy('b')}"}, 422, "POLICY_INVALID"),
    "a policy and settings": (
        {"document": f"{policy('a')}---\napiVersion: checkrein/v1\nkind: Organisation\n"
         "metadata: {name: us}\nspec: {}\n"}, 422, "POLICY_INVALID",
    ),
    "an unknown field of a rule": (
        {"name": "x", "rules": [{**SEED_RULES[0], "colour": "red"}]}, 422, "POLICY_INVALID",
    ),
    "a name that is none": ({"name": "No Name", "rules": SEED_RULES}, 422, "POLICY_INVALID"),
    "another tenant's scope": (
        {"name": "x", "rules": SEED_RULES,
         "scope": {"scopeType": "ORG", "scopeId": str(uuid.UUID(int=7))}}, 404, "",
    ),
}  # fmt: skip


async def test_a_policy_that_can_not_be_kept_is_refused(client: Client):
    """With the place, where it is a place in the text."""
    for case, (given, status, reason) in REFUSED.items():
        refused = await client.call("POST", "/v1/policies", given)
        assert (refused.status, refused.body["error"]["reason_code"]) == (status, reason), case


STRANGE = ("\x00", "\x85", "\u2028", "\ufeff", "\U0001f600", "\x7f", "é")


async def test_signs_that_yaml_reads_otherwise_keep_their_meaning(client: Client):
    """What came as JSON is kept as what it says, and nothing of it breaks a table."""
    for sign in STRANGE:
        rule = {**SEED_RULES[0], "targetSelector": f"a{sign}b", "ruleId": "r"}
        made = await client.call("POST", "/v1/policies", {"name": fresh(), "rules": [rule]})
        assert made.status == 201, ascii(sign)
        kept = made.body["policy"]["rules"][0]["targetSelector"]
        assert kept == f"a{sign}b".replace("\x00", "\ufffd")


async def test_a_name_is_taken_once_and_kept(client: Client):
    """A second policy of it is another version of the first."""
    name = fresh()
    made = await drafted(client, name)
    taken = await client.call("POST", "/v1/policies", {"document": policy(name)})
    assert (taken.status, taken.body["error"]["reason_code"]) == (409, "POLICY_EXISTS")
    renamed = await client.call(
        "POST", f"/v1/policies/{made['policyId']}/versions", {"document": policy(fresh())}
    )
    assert (renamed.status, renamed.body["error"]["reason_code"]) == (422, "POLICY_INVALID")


async def test_what_happens_to_policies_and_bundles_is_told(client: Client):
    """Whoever follows hears of each change of a version, and of the bundle."""
    database = client.plane.database
    assert database is not None
    events = EventStore(database)
    made = await drafted(client, fresh())
    on = await activate(client, made["policyId"])
    subjects = {made["policyId"], str(on.body["bundle"]["sequence"])}
    expected = [
        ("policy", "DRAFT"), ("policy", "ACTIVE"), ("bundle", on.body["bundle"]["revision"]),
    ]  # fmt: skip
    told: list[tuple[str, str]] = []
    with acting_for(client.tenant_id):
        # They show once every older transaction of the server is over.
        while told != expected:
            rows = await events.after(client.tenant_id, EventCursor(), 1_000)
            told = [(one.kind, one.change) for one in rows if one.subject_id in subjects]
            await asyncio.sleep(0.01)


async def test_the_database_itself_keeps_versions_as_they_are(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Every move that is in the table and no other; and no word of a version changes."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    made = await drafted(client, fresh())
    policy_id = uuid.UUID(made["policyId"])
    try:
        for old in VersionState:
            for new in VersionState:
                number = await connection.fetchval(
                    "insert into policy_versions (tenant_id, policy_id, version, status, document, "
                    "digest, scope_type, mode, default_effect, created_by) "
                    "select tenant_id, policy_id, max(version) + 1, $2, '', repeat('0', 64), "
                    "'ORG', 'enforce', 'BLOCK', 'x' from policy_versions where policy_id = $1 "
                    "group by tenant_id, policy_id returning version",
                    policy_id,
                    old.value,
                )
                moved = await _tried(
                    connection,
                    "update policy_versions set status = $3 where policy_id = $1 and version = $2",
                    policy_id, number, new.value,
                )  # fmt: skip
                assert moved == (new in LEGAL_MOVES[old].values()), (old, new)
                await _tried(
                    connection,
                    "update policy_versions set status = 'ARCHIVED' where policy_id = $1 "
                    "and status = 'ACTIVE'",
                    policy_id,
                )
        for statement in (
            "update policy_versions set document = 'other' where policy_id = $1",
            "delete from policy_versions where policy_id = $1",
            "delete from policy_rules where policy_id = $1",
            "update policy_rules set effect = 'ALLOW' where policy_id = $1",
        ):
            assert not await _tried(connection, statement, policy_id), statement
    finally:
        await connection.close()


async def _tried(connection: asyncpg.Connection, statement: str, *values: object) -> bool:
    try:
        await connection.execute(statement, *values)
    except asyncpg.PostgresError:
        return False
    return True


async def test_another_tenants_policies_are_nowhere(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Not in lists, not by id, not to be changed."""
    made = await drafted(client, fresh())
    other = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=other)
    listed = await client.call("GET", "/v1/policies", key=key)
    assert listed.body["policies"] == []
    place = f"/v1/policies/{made['policyId']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", place, None),
        ("GET", f"{place}/versions", None),
        ("GET", f"{place}/versions/1", None),
        ("GET", f"{place}/diff?before=1&after=1", None),
        ("POST", f"{place}/versions", {"document": policy(made["name"])}),
        ("POST", f"{place}/activate", {}),
        ("POST", f"{place}/deactivate", {}),
        ("POST", "/v1/policies/check", {"policyId": made["policyId"]}),
        ("POST", "/v1/policies/preview", {"policyId": made["policyId"]}),
    ]
    for method, path, given in calls:
        assert (await client.call(method, path, given, key)).status == 404, path
