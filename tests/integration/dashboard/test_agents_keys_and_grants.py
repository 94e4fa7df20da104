"""Pages of agents, keys and grants: a key is shown once, and what is ended ends at once."""

from __future__ import annotations

import uuid

import pytest

from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key

pytestmark = pytest.mark.timeout(60)


def made_key(text: str) -> str:
    """The key that a page shows."""
    return text.partition('class="mono" value="')[2].partition('"')[0]


async def test_a_new_agents_key_is_shown_once_and_works(client: Client, signed_in: Browser) -> None:
    """In the answer to the form, and on no page after it."""
    name = f"bot-{uuid.uuid4().hex[:8]}"
    made = await signed_in.submit(
        "/dashboard/agents", "/dashboard/agents", {"name": name, "labels": "team=billing, a=b"}
    )
    assert made.status == 200
    key = made_key(made.text)
    listed = (await signed_in.get("/dashboard/agents")).text
    assert name in listed
    assert "team=billing" in listed
    assert key not in listed
    assert (await client.call("GET", "/v1/me", key=key)).status == 200


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "a:b"}, "letters"),
        ({"name": ""}, "needed"),
        ({"name": "agent"}, "already"),
        ({"name": "fine", "labels": "nonsense"}, "labels"),
    ],
)
async def test_a_bad_agent_is_explained_and_the_form_kept(
    signed_in: Browser, fields: dict[str, str], why: str
) -> None:
    """Nothing that was typed is lost."""
    shown = await signed_in.submit("/dashboard/agents", "/dashboard/agents", fields)
    assert shown.status == 422
    assert why in shown.text
    assert not fields["name"] or f'value="{fields["name"]}"' in shown.text


async def test_a_disabled_agent_is_refused(client: Client, signed_in: Browser) -> None:
    """And enabled again it is not."""
    made = await client.call("POST", "/v1/agents", {"name": f"off-{uuid.uuid4().hex[:8]}"})
    agent, key = made.body["agent"]["agentId"], made.body["key"]
    path = "/dashboard/agents/enabled"
    for choice, status in (("no", 401), ("yes", 200)):
        await signed_in.submit("/dashboard/agents", path, {"agent": agent, "enabled": choice})
        assert (await client.call("GET", "/v1/me", key=key)).status == status


async def test_a_persons_key_is_made_rotated_and_revoked(
    client: Client, signed_in: Browser
) -> None:
    """With its groups; the old secret ends as it was said, and revoking ends both."""
    name = f"alice-{uuid.uuid4().hex[:6]}"
    fields = {"name": name, "role": "approver", "groups": "finance, leads", "days": "7"}
    first = made_key((await signed_in.submit("/dashboard/keys", "/dashboard/keys", fields)).text)
    assert (await client.call("GET", "/v1/approvals", key=first)).status == 200
    listed = (await client.call("GET", f"/v1/keys?name={name}")).body["keys"]
    assert [one["groups"] for one in listed] == [["finance", "leads"]]
    fields = {"key": listed[0]["keyId"], "grace": "0"}
    shown = await signed_in.submit("/dashboard/keys", "/dashboard/keys/rotate", fields)
    second = made_key(shown.text)
    assert (await client.call("GET", "/v1/approvals", key=first)).status == 401
    assert (await client.call("GET", "/v1/approvals", key=second)).status == 200
    await signed_in.submit("/dashboard/keys", "/dashboard/keys/revoke", fields)
    assert (await client.call("GET", "/v1/approvals", key=second)).status == 401
    text = (await signed_in.get("/dashboard/keys")).text
    assert first not in text
    assert second not in text


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "a b", "role": "auditor"}, "letters"),
        ({"name": "x", "role": "king"}, "choices"),
        ({"name": "x", "role": "approver", "groups": "Finance!"}, "groups"),
        ({"name": "x", "role": "approver", "days": "-1"}, "whole number"),
    ],
)
async def test_a_bad_key_is_explained(signed_in: Browser, fields: dict[str, str], why: str) -> None:
    """And none is made."""
    shown = await signed_in.submit("/dashboard/keys", "/dashboard/keys", fields)
    assert shown.status == 422
    assert why in shown.text


async def test_keys_are_for_administrators(client: Client) -> None:
    """Others neither see them nor make one."""
    name = f"writer-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "AgentWrite", "ApprovalWrite")
    async with browsing(client) as browser:
        await browser.sign_in(name)
        assert (await browser.get("/dashboard/keys")).status == 403
        token = (await browser.get("/dashboard/account")).token
        fields = {"csrf": token, "name": "evil", "role": "admin"}
        assert (await browser.post("/dashboard/keys", fields)).status == 403


async def test_a_grant_is_seen_with_its_uses_and_ended(client: Client, signed_in: Browser) -> None:
    """Ended, the next question waits for a person again."""
    asked = await client.ask(agent=f"bot-{uuid.uuid4().hex[:6]}")
    await client.resolve(asked["approvalId"], "APPROVE", grant={"uses": 5, "sameTarget": True})
    (grant,) = (await client.call("GET", f"/v1/grants?agent={asked['agent']}")).body["grants"]
    path = f"/dashboard/grants/{grant['grantId']}"
    assert asked["agent"] in (await signed_in.get("/dashboard/grants")).text
    used = await client.ask(agent=asked["agent"])
    assert used["status"] == "APPROVED"
    shown = (await signed_in.get(path)).text
    assert f"/dashboard/approvals/{used['approvalId']}" in shown
    went = await signed_in.submit(path, f"{path}/revoke", {"reason": "enough"})
    assert "enough" in (await signed_in.follow(went)).text
    assert (await client.ask(agent=asked["agent"]))["status"] == "PENDING"


async def test_nothing_that_an_agent_wrote_is_markup(client: Client, signed_in: Browser) -> None:
    """What a grant covers was written by an agent."""
    for probe in PROBES:
        asked = await client.ask(provider=probe, authority=probe, runId=probe, summary=probe)
        given = await client.resolve(asked["approvalId"], "APPROVE", grant={"uses": 2})
        assert given.status == 200, given
        grants = (await client.call("GET", "/v1/grants?limit=1")).body["grants"]
        for path in ("/dashboard/grants", f"/dashboard/grants/{grants[0]['grantId']}"):
            shown = await signed_in.get(path)
            assert shown.status == 200
            assert_inert(shown.text, probe)
