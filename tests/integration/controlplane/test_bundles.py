"""Bundles that are published: checked, numbered, signed, and refused with every problem."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.decide.envelope import key_id_of, open_bundle, parse_public_key
from gateway.decide.loader import load_bundle
from tests.support.bundles import MAPPER, body, current, fresh, policy, published
from tests.support.control_plane import Client
from tests.support.tenants import make_key, make_tenant

# --- publication ----------------------------------------------------------------------------------


async def test_before_the_first_there_is_nothing(
    postgres_server: EmbeddedPostgres, database_name: str, client: Client
):
    """A gateway is told so with a code of its own; the lists are empty."""
    tenant = await make_tenant(postgres_server, database_name)
    admin, gateway = [
        await make_key(postgres_server, database_name, [permission], tenant=tenant)
        for permission in ("Admin", "Gateway")
    ]
    answer = await current(client, key=gateway)
    assert (answer.status, answer.code) == (404, "BUNDLE_NONE")
    assert (await client.call("GET", "/v1/bundles", key=admin)).body["bundles"] == []
    assert (await client.call("GET", "/v1/bundles/1", key=admin)).status == 404
    found = (await client.call("GET", "/v1/gateways", key=admin)).body
    assert found == {"gateways": [], "current": None, "nextCursor": None}


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
    rest = (await client.call("GET", f"/v1/bundles?limit=1&cursor={page['nextCursor']}")).body
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
