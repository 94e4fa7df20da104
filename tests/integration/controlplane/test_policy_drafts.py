"""A policy is tried before it is kept or in force: checked, run against cases, held against what
was recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.services.policies import preview as preview_module
from controlplane.store.embedded import EmbeddedPostgres
from gateway.content import policies_dir
from gateway.decide.loader import make_bundle
from gateway.model.decision import Context
from tests.support.bundles import policy, published
from tests.support.control_plane import Client, running_plane
from tests.support.database import make_database
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act

PAYMENTS = policies_dir() / "guardrails" / "payments.yaml"
CHECK_SECONDS_MAX = 0.1
BUSY_SECONDS_MAX = 5.0


async def check(client: Client, document: str) -> dict[str, Any]:
    answer = await client.call("POST", "/v1/policies/check", {"document": document})
    assert answer.status == 200, answer
    return dict(answer.body)


async def preview(client: Client, document: str, **more: Any) -> dict[str, Any]:
    body = {"document": document, **more}
    answer = await client.call("POST", "/v1/policies/preview", body)
    assert answer.status == 200, answer
    return dict(answer.body)


async def test_every_problem_is_told_with_its_place_and_nothing_is_kept(client: Client):
    """All of them at once, each with what to do about it."""
    wrong = policy("mine").replace("action: create_refund", "action: create_refnd")
    found = await check(client, wrong.replace("effect: BLOCK", "effect: BLOK"))
    assert (found["ok"], found["isLinted"], found["name"]) == (False, False, None)
    places = [(one["line"], one["column"], one["help"]) for one in found["problems"]]
    assert places == [
        (10, 17, "did you mean `create_refund`?"),
        (11, 15, "did you mean `BLOCK`?"),
    ]
    assert (await client.call("GET", "/v1/policies?name=mine")).body["policies"] == []


async def test_what_can_never_happen_is_warned_of(client: Client):
    """It loads, and can't be meant."""
    rule = "    - {id: never, priority: 20, match: {action: create_refund}, effect: ALLOW}\n"
    found = await check(client, policy("mine") + rule)
    assert (found["ok"], found["name"]) == (True, "mine")
    warnings = [(one["finding"], one["rule"], one["line"]) for one in found["warnings"]]
    assert ("unreachable", "never", 14) in warnings


async def test_a_check_is_quick_enough_to_type_by(client: Client):
    """The slowest of the shipped policies, warm: in time of a core, whoever else wants one."""
    text = PAYMENTS.read_text()
    await check(client, text)
    seconds = []
    for _ in range(5):
        started = time.process_time()
        assert (await check(client, text))["isLinted"]
        seconds.append(time.process_time() - started)
    assert min(seconds) < 2 * CHECK_SECONDS_MAX


async def test_a_policy_of_many_rules_is_checked_but_not_compared_with_itself(client: Client):
    """The answer says that nobody looked for warnings."""
    rules = "".join(
        f"    - {{id: r{n}, priority: {n}, match: {{action: create_refund}}, effect: ALLOW}}\n"
        for n in range(1, preview_module.LINT_RULES_MAX + 1)
    )
    found = await check(client, policy("mine") + rules)
    assert (found["ok"], found["isLinted"], found["warnings"]) == (True, False, [])


async def test_a_policy_that_is_made_to_keep_us_busy_does_not(client: Client):
    """Fifty rules could take minutes to hold against each other: there is an end to it."""
    many = " || ".join(f"params.x{{0}}_{n} == {n}" for n in range(8))
    rules = "".join(
        f"    - {{id: r{n}, priority: {n}, match: {{kind: create}}, when: '{many.format(n)}', "
        "effect: ALLOW}\n"
        for n in range(1, 51)
    )
    started = time.process_time()
    found = await check(client, policy("mine") + rules)
    assert (found["ok"], found["isLinted"]) == (True, False)
    assert time.process_time() - started < BUSY_SECONDS_MAX


async def test_cases_say_whether_a_draft_keeps_its_promises(client: Client):
    """The shipped cases against the shipped policy, and against one that is looser."""
    text = PAYMENTS.read_text()
    cases = PAYMENTS.with_name("payments.cases.yaml").read_text()
    held = await client.call("POST", "/v1/policies/test", {"document": text, "cases": cases})
    assert (held.body["ok"], held.body["failed"], held.body["untried"]) == (True, [], [])
    assert held.body["cases"] > 10
    looser = text.replace("MONEY_OUT_FORBIDDEN", "MONEY_OUT")
    failed = await client.call("POST", "/v1/policies/test", {"document": looser, "cases": cases})
    told = {one["name"]: one["wrong"] for one in failed.body["failed"]}
    assert told["a payout is blocked"] == ["reason is MONEY_OUT, expected MONEY_OUT_FORBIDDEN"]
    bad = await client.call("POST", "/v1/policies/test", {"document": text, "cases": "cases: 1"})
    assert (bad.status, bad.body["error"]["problems"][0]["file"]) == (422, "policy.cases.yaml")


STRANGE = {
    "half of a pair": policy("a").replace("refunds are", r'"\ud800'),
    "a written NUL": policy("b").replace("message: refunds are for people", r'message: "a\0b"'),
    "a NUL in a pattern": policy("c").replace("action: create_refund", r'agent: "a\0b"'),
    "a NUL as it is": policy("d").replace("are", "a\0re"),
    "brackets without end": "[" * 5_000,
    "an alias": "a: &x 1\nb: *x\n",
    "a word": "hello",
    "nothing": "null",
    "a list of lists": "[[]]",
    "lines of Windows": policy("e").replace("\n", "\r\n"),
    "a mark of byte order": f"\ufeff{policy('f')}",
}


async def test_no_document_is_a_fault_of_ours(client: Client):
    """Each is kept, or refused with its problems, wherever it is given."""
    good = policy("mine")
    for case, text in STRANGE.items():
        calls: list[tuple[str, dict[str, Any]]] = [
            ("check", {"document": text}),
            ("test", {"document": text, "cases": "cases: []"}),
            ("test", {"document": good, "cases": text}),
            ("preview", {"document": text}),
        ]
        for path, body in calls:
            answer = await client.call("POST", f"/v1/policies/{path}", body)
            assert answer.status in {200, 422}, (case, path)
        kept = await client.call("POST", "/v1/policies", {"document": text})
        assert kept.status in {201, 422}, case


WRONG_PLACES = (
    "?status=gone", "?cursor=99999999999999999999", "?scopeType=%00", "?limit=0", "?before=1",
    "/{0}/versions/0", "/{0}/versions/99999999999", "/{0}/versions/x", "/{0}/versions/2",
    "/{0}/diff?before=0&after=1", "/{0}/diff?before=1&after=2147483647", "/{0}/diff",
    "/{0}/versions?cursor=2147483648", "/none", "/00000000-0000-0000-0000-000000000000",
)  # fmt: skip


async def test_wrong_places_are_refused(client: Client):
    """As what is not there, or as what can't be asked."""
    made = await client.call("POST", "/v1/policies", {"document": policy("placed")})
    for place in WRONG_PLACES:
        answer = await client.call("GET", f"/v1/policies{place.format(made.body['policyId'])}")
        assert answer.status in {404, 422}, place
    for etag in ("x", '"1","2"', "-1", '"9999999999999999999"', ""):
        async with client.http.post(
            f"{client.url}/v1/policies/{made.body['policyId']}/activate",
            headers={"x-api-key": client.keys["admin"], "If-Match": etag},
        ) as response:
            assert response.status == 412, etag


async def test_cases_that_take_too_long_end_where_time_does(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    """With the case that there was no time for."""
    monkeypatch.setattr(preview_module, "CASES_SECONDS_MAX", -1.0)
    cases = PAYMENTS.with_name("payments.cases.yaml").read_text()
    body = {"document": PAYMENTS.read_text(), "cases": cases}
    refused = await client.call("POST", "/v1/policies/test", body)
    assert refused.status == 422
    assert "no time" in refused.body["error"]["problems"][0]["message"]


# --- preview --------------------------------------------------------------------------------------


@pytest.fixture
async def recorded(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    """A control plane with forty refunds on record, of a bundle that blocks them."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as client:
        await published(client, policy("refunds"))
        await _ship(client, 40)
        yield client


async def _ship(client: Client, count: int) -> None:
    then = make_bundle([("p.yaml", policy("refunds"))])
    entries = [
        record_fields(
            then,
            act("create_refund", params={"amount": 1000 * number, "currency": "usd"}),
            Context("billing-bot", None, number),
            decision_id=f"dec_{number}",
        )
        for number in range(1, count + 1)
    ]
    lines = [line.decode() for line in sealed(entries)]
    answer = await client.call(
        "POST", "/v1/records", {"gatewayId": "gw_a", "records": lines}, "gateway"
    )
    assert answer.status == 200, answer


async def test_a_preview_tells_how_many_decisions_change_and_which(recorded: Client):
    """Beside the active set, with this policy in the place of its own."""
    when = policy("refunds", "ALLOW").replace(
        "      effect", "      when: params.amount <= 10000\n      effect"
    )
    found = await preview(recorded, when)
    assert (found["decisions"], found["exact"], found["changed"]) == (40, 40, 10)
    assert (found["looser"], found["tighter"]) == (10, 0)
    assert (found["isCompared"], found["isComplete"]) == (True, True)
    assert found["moves"] == [
        {"before": "BLOCK", "after": "BLOCK", "decisions": 30},
        {"before": "BLOCK", "after": "ALLOW", "decisions": 10},
    ]
    assert {one["decisionId"] for one in found["examples"]} == {f"dec_{n}" for n in range(1, 11)}
    assert found["examples"][0]["after"] == {"effect": "ALLOW", "by": "refunds/the-rule"}
    same = await preview(recorded, policy("refunds"))
    assert (same["changed"], same["examples"]) == (0, [])


async def test_a_preview_looks_at_the_newest(recorded: Client):
    """As many as are asked for."""
    found = await preview(recorded, policy("refunds", "ALLOW"), decisions=5)
    assert (found["decisions"], found["changed"]) == (5, 5)
    newest = {one["decisionId"] for one in found["examples"]}
    assert newest == {f"dec_{n}" for n in range(36, 41)}


async def test_what_a_record_does_not_show_is_not_guessed(recorded: Client):
    """A condition on a param that was redacted is counted apart, with its name."""
    then = make_bundle([("p.yaml", policy("refunds"))])
    fields = record_fields(
        then, act("create_refund", params={"note": "***"}), Context("bot", None, 1)
    )
    fields["actions"][0]["altered"] = ["params.note"]
    line = sealed([fields])[0].decode().replace("gw_a", "gw_b")
    answer = await recorded.call(
        "POST", "/v1/records", {"gatewayId": "gw_b", "records": [line]}, "gateway"
    )
    assert answer.status == 200, answer
    asks = policy("refunds", "ALLOW").replace(
        "      effect", '      when: params.note == "x"\n      effect'
    )
    found = await preview(recorded, asks)
    assert found["inexact"]["decisions"] >= 1
    assert found["inexact"]["because"][0]["missing"] == "params.note"


async def test_a_preview_that_runs_out_of_time_says_so(
    recorded: Client, monkeypatch: pytest.MonkeyPatch
):
    """It tells what it saw, and that it is not all."""
    monkeypatch.setattr(preview_module, "PREVIEW_SECONDS_MAX", 0.0)
    found = await preview(recorded, policy("refunds", "ALLOW"))
    assert (found["isComplete"], found["decisions"]) == (False, 0)


async def test_a_stored_version_is_previewed_by_its_id(recorded: Client):
    """Its newest draft, where no version is named."""
    listed = await recorded.call("GET", "/v1/policies?name=refunds")
    policy_id = listed.body["policies"][0]["policyId"]
    await recorded.call(
        "POST", f"/v1/policies/{policy_id}/versions", {"document": policy("refunds", "ALLOW")}
    )
    answer = await recorded.call("POST", "/v1/policies/preview", {"policyId": policy_id})
    assert answer.body["changed"] == 40
    old = {"policyId": policy_id, "version": 1}
    assert (await recorded.call("POST", "/v1/policies/preview", old)).body["changed"] == 0
