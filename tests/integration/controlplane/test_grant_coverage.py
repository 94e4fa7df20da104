"""What a grant covers, and which ones are not given at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.control_plane import Client
from tests.support.grants import approve, give, terms

RISK = {"score": 40, "factors": [{"name": "kind", "points": 40, "observed": "create"}]}

NOT_COVERED: dict[str, dict[str, Any]] = {
    "another agent": {"agent": "someone-else"},
    "another operation": {"operation": "stripe.charges.refund"},
    "another action": {"action": "create_payout"},
    "another kind": {"kind": "update"},
    "another provider": {"provider": "paypal"},
    "another authority": {"authority": "api.stripe.com:8443"},
    "another method": {"method": "PUT"},
    "another rule": {"rule": "big-refunds"},
    "another policy": {"policy": "strict"},
    "no rule": {"rule": None},
    "another type of target": {"target": {"type": "customer", "id": "ch_1"}},
    "another target": {"target": {"type": "charge", "id": "ch_2"}},
    "a target of the same letters": {"target": {"type": "charge", "id": "CH_1"}},
    "another run": {"runId": "other"},
    "no run": {"runId": None},
    "more risk than the ceiling": {"risk": {**RISK, "score": 46}},
    "a larger amount than was asked about": {"params": {"amount": 9001, "currency": "usd"}},
    "no amount": {"params": {"currency": "usd"}},
    "another currency": {"params": {"amount": 1, "currency": "jpy"}},
    "no currency": {"params": {"amount": 1}},
    "an amount as text": {"params": {"amount": "1", "currency": "usd"}},
    "a negative amount": {"params": {"amount": -1, "currency": "usd"}},
    "an amount that is a truth": {"params": {"amount": True, "currency": "usd"}},
    "the largest amount there is": {"params": {"amount": 2**53 - 1, "currency": "usd"}},
    "a currency that is no text": {"params": {"amount": 1, "currency": ["usd"]}},
    "a batch": {"params": {"actions": [{"params": {"amount": 1}}], "amount": 1}},
    "people who may not answer it": {"terms": terms("finance")},
    "more people": {"terms": terms(quorum=2)},
    "a state that has to be seen": {"terms": terms(witness=True)},
    "a state that was seen": {"witness": {"hash": "a" * 64, "state": {"x": 1}}},
    "monitor mode": {"mode": "monitor"},
}  # fmt: skip

COVERED: dict[str, dict[str, Any]] = {
    "the same again": {},
    "a smaller amount": {"params": {"amount": 1, "currency": "usd"}},
    "other words": {"summary": "refund", "message": "m", "path": "/v1/refunds?x=1"},
    "other params beside": {"params": {"amount": 1, "currency": "usd", "reason": "duplicate"}},
    "as much risk as the ceiling": {"risk": {**RISK, "score": 45}},
    "a newer bundle": {"bundleRevision": "r2"},
    "its currency in capitals": {"params": {"amount": 1, "currency": "USD"}},
}


async def test_it_covers_what_the_question_said_and_nothing_else(client: Client):
    """Each row differs in one thing from the question that was answered."""
    of = {"agent": "covers", "runId": "nightly"}
    await give(client, "covers", {"run": True, "sameTarget": True, "uses": 100}, runId="nightly")
    for name, changes in COVERED.items():
        asked = await client.ask(**{**of, **changes})
        assert asked["status"] == "APPROVED", name
    for name, changes in NOT_COVERED.items():
        asked = await client.ask(**{**of, **changes})
        assert (asked["status"], asked["grantId"]) == ("PENDING", None), name


async def test_without_the_wish_any_run_and_target_will_do(client: Client):
    """For what can be undone; still of the same type."""
    await give(client, "wide", {}, runId="a")
    for changes in ({"runId": "b"}, {"target": {"type": "charge", "id": "ch_9"}}):
        assert (await client.ask(agent="wide", **changes))["status"] == "APPROVED"
    other = await client.ask(agent="wide", target={"type": "customer", "id": "ch_1"})
    assert other["status"] == "PENDING"


@dataclass(frozen=True)
class Refused:
    """A wish that is not granted with this question."""

    status: int
    reason: str
    grant: dict[str, Any] = field(default_factory=dict)
    question: dict[str, Any] = field(default_factory=dict)


FINAL = {"score": 40, "factors": [{"name": "operation.irreversible", "points": 5, "observed": "x"}]}
UNNAMED = {"target": {"type": "charge", "id": ""}}

REFUSED = {
    "for longer than a day": Refused(422, "INVALID_FIELD", {"seconds": 86_401}),
    "for no time": Refused(422, "INVALID_FIELD", {"seconds": 0}),
    "for one use": Refused(422, "INVALID_FIELD", {"uses": 1}),
    "for too many uses": Refused(422, "INVALID_FIELD", {"uses": 1001}),
    "up to a negative amount": Refused(422, "INVALID_FIELD", {"amount": {"max": -1}}),
    "up to a fraction": Refused(422, "INVALID_FIELD", {"amount": {"max": 1.5}}),
    "up to an amount in text": Refused(422, "INVALID_FIELD", {"amount": {"max": "100"}}),
    "up to a huge amount": Refused(422, "INVALID_FIELD", {"amount": {"max": 2**53}}),
    "in a made-up currency": Refused(
        422, "INVALID_FIELD", {"amount": {"max": 1, "currency": "dollars"}}
    ),
    "with words that it does not know": Refused(422, "INVALID_FIELD", {"forever": True}),
    "above the ceiling of all": Refused(422, "INVALID_FIELD", {"riskMax": 70}),
    "below the risk of the act itself": Refused(422, "GRANT_REFUSED", {"riskMax": 39}),
    "up to less than the act itself": Refused(
        422, "GRANT_REFUSED", {"amount": {"max": 8999, "currency": "usd"}}
    ),
    "in another currency": Refused(
        422, "GRANT_REFUSED", {"amount": {"max": 10_000, "currency": "eur"}}
    ),
    "in no currency": Refused(422, "GRANT_REFUSED", {"amount": {"max": 10_000}}),
    "of a param that it does not have": Refused(
        422, "GRANT_REFUSED", {"amount": {"param": "fee", "max": 1, "currency": "usd"}}
    ),
    "of another number than the amount": Refused(
        422,
        "GRANT_REFUSED",
        {"amount": {"param": "n", "max": 9, "currency": "usd"}},
        {"params": {"amount": 9000, "currency": "usd", "n": 1}},
    ),
    "for a run that it does not name": Refused(422, "GRANT_REFUSED", {"run": True}),
    "for a batch": Refused(422, "GRANT_REFUSED", {}, {"params": {"actions": []}}),
    "for what no mapper knows": Refused(422, "GRANT_REFUSED", {}, {"kind": "unknown"}),
    "for too much risk": Refused(422, "GRANT_REFUSED", {}, {"risk": {**RISK, "score": 70}}),
    "for an amount that nobody can read": Refused(
        422, "GRANT_REFUSED", {}, {"params": {"amount": "9000", "currency": "usd"}}
    ),
    "on any target, where it deletes": Refused(
        422, "GRANT_REFUSED", {"sameTarget": False}, {"kind": "delete"}
    ),
    "on any target, where it sends": Refused(
        422, "GRANT_REFUSED", {"sameTarget": False}, {"kind": "send"}
    ),
    "on any target, where it can't be undone": Refused(
        422, "GRANT_REFUSED", {"sameTarget": False}, {"risk": FINAL}
    ),
    "where it can't be undone and names no target": Refused(
        422, "GRANT_REFUSED", {}, {"risk": FINAL, **UNNAMED}
    ),
    "on the same target, where it names none": Refused(
        422, "GRANT_REFUSED", {"sameTarget": True}, UNNAMED
    ),
    "on a target that is not shown whole": Refused(
        422,
        "GRANT_REFUSED",
        {"sameTarget": True},
        {"target": {"type": "file", "id": "a/[redacted]"}},
    ),
}


async def test_what_goes_too_far_is_refused_and_nothing_is_answered(client: Client):
    """The yes that it came with does not count either: the person would be wrong about it."""
    for name, row in REFUSED.items():
        approval = await client.ask(agent="refused", **row.question)
        answered = await approve(client, approval, **row.grant)
        reason = answered.body["error"]["reason_code"]
        assert (answered.status, reason) == (row.status, row.reason), (name, answered.body)
        assert await client.status_of(approval["approvalId"]) == "PENDING", name
        await client.resolve(approval["approvalId"], "CANCEL")
    listed = (await client.call("GET", "/v1/grants?agent=refused")).body
    assert listed == {"grants": [], "nextCursor": None}


async def test_what_can_not_be_undone_is_granted_for_its_target_alone(client: Client):
    """Without anybody saying so."""
    grant = await give(client, "final", {}, risk=FINAL)
    assert grant["target"] == {"type": "charge", "id": "ch_1"}
    other = await client.ask(agent="final", risk=FINAL, target={"type": "charge", "id": "ch_2"})
    assert other["status"] == "PENDING"
    assert (await client.ask(agent="final", risk=FINAL))["status"] == "APPROVED"


async def test_it_does_not_let_through_what_wants_a_reason_nobody_gave(client: Client):
    """A later rule that wants a comment is stricter than what the giver did."""
    wanted = {**terms(), "commentRequired": True}
    await give(client, "wordless")
    assert (await client.ask(agent="wordless", terms=wanted))["status"] == "PENDING"
    approval = await client.ask(agent="worded")
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    body = {"resolution": "APPROVE", "reason": "ticket 4711", "grant": {}}
    assert (await client.call("POST", path, body)).status == 200
    assert (await client.ask(agent="worded", terms=wanted))["status"] == "APPROVED"


async def test_a_state_that_people_saw_has_to_be_the_same(client: Client):
    """Witnessed acts are covered while the target is as it was shown."""
    seen = {"witness": {"hash": "a" * 64, "state": {"refunded": 0}}, "terms": terms(witness=True)}
    await give(client, "witnessed", {}, **seen)
    assert (await client.ask(agent="witnessed", **seen))["status"] == "APPROVED"
    changed = {"hash": "b" * 64, "state": {"refunded": 9}}
    assert (await client.ask(agent="witnessed", **{**seen, "witness": changed}))["status"] == (
        "PENDING"
    )
    assert (await client.ask(agent="witnessed", terms=terms(witness=True)))["status"] == "PENDING"


async def test_what_deletes_runs_or_administers_is_granted_for_the_very_same_act(client: Client):
    """Any of its params may be the one that matters: which role is given, which command is run."""
    for kind in ("delete", "execute", "admin"):
        asked = {"agent": f"same-{kind}", "kind": kind, "params": {"role": "reader"}}
        first = await client.ask(**asked)
        answered = await approve(client, first)
        assert answered.body["grant"]["sameAct"] is True
        assert (await client.consume(first, "c")).status == 200
        other = await client.ask(**{**asked, "params": {"role": "owner"}})
        assert other["status"] == "PENDING", kind
        again = await client.ask(**asked, requestDigest=first["requestDigest"])
        assert (again["status"], again["approvalId"] == first["approvalId"]) == ("APPROVED", False)


async def test_what_is_sent_goes_to_nobody_else(client: Client):
    """Mail has no target but its recipients; a channel is one."""
    mail: dict[str, Any] = {"kind": "send", "target": {"type": "email", "id": ""}}
    to = {"params": {"recipients": ["ann@example.com"], "subject": "hello"}}
    await give(client, "mail", {}, **mail, **to)
    for recipients, status in (
        (["ann@example.com"], "APPROVED"),
        (["ann@example.com", "eve@example.net"], "PENDING"),
        ([], "PENDING"),
        (None, "PENDING"),
    ):
        params = {"recipients": recipients, "subject": "other words"}
        asked = await client.ask(agent="mail", **mail, params=params)
        assert asked["status"] == status, recipients
    channel: dict[str, Any] = {"kind": "send", "target": {"type": "channel", "id": "C1"}}
    await give(client, "chat", {}, **channel, params={"text": "hello"})
    assert (await client.ask(agent="chat", **channel, params={"text": "more"}))[
        "status"
    ] == "APPROVED"
    more = {"text": "more", "recipients": ["eve@example.net"]}
    assert (await client.ask(agent="chat", **channel, params=more))["status"] == "PENDING"
