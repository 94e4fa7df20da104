"""The queue and the card: what they show, what an answer does, what an agent can't do to them."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import quote

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)

PROBES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7919 * 7919 }}{% if 1 %}x{% endif %}",
    "</title></textarea></style><svg/onload=alert(1)>",
    "\u202egnp.exe",
)


def in_every_field(probe: str) -> dict[str, object]:
    """A question with the probe wherever an agent, or somebody behind it, may write."""
    return {
        "agent": "agent",
        "runId": probe,
        "decisionId": probe,
        "provider": probe,
        "operation": probe,
        "action": probe,
        "target": {"type": probe, "id": probe},
        "params": {probe: probe, "nested": {probe: [probe]}},
        "authority": probe,
        "method": probe[:16],
        "path": probe,
        "policy": probe,
        "rule": probe,
        "reasonCode": probe,
        "message": probe,
        "summary": probe,
        "risk": {
            "score": 40,
            "factors": [{"name": probe, "points": 40, "observed": probe}],
            "vector": probe,
        },
        "witness": {"hash": "a" * 64, "state": {probe: probe}},
        "request": {"headers": {probe: probe}, "bodyBytes": 9, "body": {probe: [probe]}},
    }


async def test_nothing_that_an_agent_wrote_is_markup(client: Client, signed_in: Browser) -> None:
    """Every field with every probe: it is shown as text, in the queue, on the card, after it."""
    for probe in PROBES:
        approval = await client.ask(**in_every_field(probe))
        place = f"/dashboard/approvals/{approval['approvalId']}"
        for path in ("/dashboard/approvals", place):
            shown = await signed_in.get(path)
            assert shown.status == 200
            assert_inert(shown.text, probe)
        await signed_in.submit(place, place, {"answer": "REJECT", "reason": probe[:200]})
        assert_inert((await signed_in.get(place)).text, probe)


def assert_inert(text: str, probe: str) -> None:
    """No tag, attribute or script of the page comes from the probe."""
    for tag in re.findall(r"<[^>]*>", text):
        assert "onerror" not in unescape_tag(tag)
        assert "onload" not in unescape_tag(tag)
        assert not re.search(r"\son\w+\s*=", unescape_tag(tag)), tag
        assert not re.match(r'<a[^>]+href="\s*javascript:', tag, re.IGNORECASE), tag
    assert "<script>alert" not in text
    assert "<img" not in text
    assert str(7919 * 7919) not in text
    if "<" in probe:
        assert probe not in text


def unescape_tag(tag: str) -> str:
    """A tag without its quoted values: those are text, whatever they say."""
    return re.sub(r'"[^"]*"', '""', tag)


async def test_the_card_tells_what_a_person_needs(client: Client, signed_in: Browser) -> None:
    """What, who, why, risk with its factors, the world, the request, what an answer does."""
    approval = await client.ask(
        witness={"hash": "a" * 64, "state": {"amount": 12000, "disputed": False}},
        runId="october",
    )
    text = unescape((await signed_in.get(f"/dashboard/approvals/{approval['approvalId']}")).text)

    for words in (
        "Refund 90.00 USD of charge ch_1",
        "october",
        "Writes need a person.",
        "Rule writes-ask of policy starter",
        "Risk factors: kind 40",
        "disputed",
        "POST api.stripe.com:443/v1/refunds",
        "sends this one request to api.stripe.com",
    ):
        assert words in text, words


async def test_an_answer_from_the_card_is_carried_out_once(
    client: Client, signed_in: Browser
) -> None:
    """The state changes, the channel is noted; a second click says that it was answered."""
    approval = await client.ask()
    place = f"/dashboard/approvals/{approval['approvalId']}"
    token = (await signed_in.get(place)).token

    first = await signed_in.post(place, {"csrf": token, "answer": "APPROVE"})
    assert "Approved. The agent" in (await signed_in.follow(first)).text
    second = await signed_in.post(place, {"csrf": token, "answer": "REJECT", "reason": "no"})

    shown = await signed_in.follow(second)
    assert "This approval is APPROVED" in shown.text
    assert await client.status_of(approval["approvalId"]) == "APPROVED"
    answers = (await client.call("GET", f"/v1/approvals/{approval['approvalId']}")).body
    assert [one["through"] for one in answers["approval"]["answers"]] == ["dashboard"]


async def test_a_denial_needs_words_and_carries_them(client: Client, signed_in: Browser) -> None:
    """Without a reason nothing happens; with one the agent reads it."""
    approval = await client.ask()
    place = f"/dashboard/approvals/{approval['approvalId']}"

    empty = await signed_in.submit(place, place, {"answer": "REJECT", "reason": "  "})
    assert empty.status == 422
    lines = await signed_in.submit(place, place, {"answer": "REJECT", "reason": "a\nb"})
    assert lines.status == 422
    assert await client.status_of(approval["approvalId"]) == "PENDING"

    await signed_in.submit(place, place, {"answer": "REJECT", "reason": "Wrong target"})
    found = (await client.call("GET", f"/v1/approvals/{approval['approvalId']}")).body["approval"]
    assert (found["status"], found["comment"]) == ("DENIED", "Wrong target")


async def test_no_other_answer_is_taken(client: Client, signed_in: Browser) -> None:
    """The moves that are not a person's can't be made from a form."""
    approval = await client.ask()
    place = f"/dashboard/approvals/{approval['approvalId']}"

    for answer in ("", "EXPIRE", "CONSUME", "LAPSE", "approve", "X" * 9_000):
        shown = await signed_in.submit(place, place, {"answer": answer, "reason": "x"})
        assert shown.status == 422, answer
    assert await client.status_of(approval["approvalId"]) == "PENDING"


async def test_only_who_may_answer_is_offered_it(client: Client) -> None:
    """A reader sees the card without its buttons, and can't post either."""
    approval = await client.ask()
    place = f"/dashboard/approvals/{approval['approvalId']}"
    await person_key(client, "reader", "ApprovalRead")
    async with browsing(client) as browser:
        await browser.sign_in("reader")
        assert 'value="APPROVE"' not in (await browser.get(place)).text
        token = (await browser.get("/dashboard/account")).token
        shown = await browser.post(place, {"csrf": token, "answer": "APPROVE"})

    assert shown.status == 403
    assert await client.status_of(approval["approvalId"]) == "PENDING"


async def test_another_tenants_approval_is_not_there(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """404 for reading and answering, and none of it in the queue or its count."""
    approval = await client.ask(summary="secret of the other tenant")
    place = f"/dashboard/approvals/{approval['approvalId']}"
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    async with browsing(client) as browser:
        await browser.sign_in(key)
        assert (await browser.get(place)).status == 404
        shown = await browser.submit("/dashboard/account", place, {"answer": "APPROVE"})
        assert shown.status == 404
        queue = await browser.get("/dashboard/approvals?status=all")
        assert "secret of the other tenant" not in queue.text
        counts = json.loads((await browser.get("/dashboard/counts")).text)
        assert counts["/approvals"] == 0
    assert await client.status_of(approval["approvalId"]) == "PENDING"


async def test_no_address_breaks_the_queue(signed_in: Browser) -> None:
    """Whatever stands in the address, a page comes."""
    for query in (
        "?cursor=x",
        "?cursor=99999999999999999999",
        "?status=%00",
        "?agent=%00x",
        "?status=NONSENSE",
        "?agent=" + "a" * 5_000,
    ):
        assert (await signed_in.get("/dashboard/approvals" + query)).status == 200, query


async def test_an_id_in_the_search_leads_there(client: Client, signed_in: Browser) -> None:
    """Paste the id of an approval or a run, and it opens; other words are shown as words."""
    approval = await client.ask()
    run = await client.call("POST", "/v1/runs", {"agentId": "agent", "goal": "tidy up"})

    for path, found_id in (
        ("approvals", approval["approvalId"]),
        ("runs", run.body["runId"]),
    ):
        shown = await signed_in.get(f"/dashboard/search?q={found_id}")
        assert shown.location == f"/dashboard/{path}/{found_id}"
    for probe in PROBES:
        shown = await signed_in.get(f"/dashboard/search?q={quote(probe)}")
        assert shown.status in {200, 303}
        assert_inert(shown.text, probe)


async def test_the_queue_can_be_narrowed(client: Client, signed_in: Browser) -> None:
    """By agent, action, provider, run, and to what one's own groups may answer."""
    terms = {"groups": ["finance"], "quorum": 1, "timeoutSeconds": 900, "witnessRequired": False}
    for name, more in (("plain", {"action": "merge"}), ("for finance", {"terms": terms})):
        await client.ask(summary=f"narrowed {name}", runId="r9", agent="narrow", **more)
    await person_key(client, "clerk", "ApprovalRead", groups=("finance",))

    async def titles(browser: Browser, query: str) -> list[str]:
        text = (await browser.get("/dashboard/approvals" + query)).text
        return re.findall(r">Narrowed ([^<]*)<", text)

    assert await titles(signed_in, "?agent=narrow") == ["for finance", "plain"]
    assert await titles(signed_in, "?run=r9&action=merge") == ["plain"]
    assert await titles(signed_in, "?agent=nobody") == []
    assert "for finance" not in await titles(signed_in, "?mine=1&agent=narrow")
    async with browsing(client) as browser:
        await browser.sign_in("clerk")
        assert "for finance" in await titles(browser, "?mine=1&agent=narrow")


async def test_the_rule_leads_to_its_policy(client: Client, signed_in: Browser) -> None:
    """For who may read policies; the words are the same for everybody."""
    document = (
        "apiVersion: checkrein/v1\nkind: Policy\nmetadata: {name: linked}\nspec:\n"
        "  defaultEffect: BLOCK\n  rules: []\n"
    )
    made = await client.call("POST", "/v1/policies", {"document": document})
    assert made.status == 201, made
    approval = await client.ask(policy="linked", rule="<i>")
    await person_key(client, "judge", "ApprovalRead")

    shown = await signed_in.get(f"/dashboard/approvals/{approval['approvalId']}")
    found = re.search(r'<a href="(/dashboard/policies/[0-9a-f-]{36})">Rule &lt;i&gt;', shown.text)
    assert found is not None
    assert (await signed_in.get(found[1])).status == 200
    async with browsing(client) as browser:
        await browser.sign_in("judge")
        text = (await browser.get(f"/dashboard/approvals/{approval['approvalId']}")).text
    assert "Rule &lt;i&gt; of policy linked" in text
    assert "/dashboard/policies/" not in text
