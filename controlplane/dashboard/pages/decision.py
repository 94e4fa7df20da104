"""One decision's story, and the proof that its records stand as they were written."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.story import tell
from controlplane.dashboard.visit import Page, Visit, get
from controlplane.faults import ControlFault, Fault
from controlplane.services.record.chain_check import ChainVerdict
from controlplane.store.approvals import AnswerRow, ApprovalRow
from controlplane.store.explorer import StoryRecord
from controlplane.store.policies import PolicyFilter

READ: Final = (Permission.RECORD_READ, Permission.ADMIN)

POLICY_READ: Final = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)

VERIFIED_MAX: Final = 4
"""Records of a decision that are verified at one click; it has two or three."""


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/decisions/{id}`. `verify=record` recomputes the chain around its records,
    `verify=chain` that of its gateway, from the record `from` on."""
    decision_id = visit.http.match_info["id"]
    records, run_id = await visit.services.explorer.story(visit.caller, decision_id)
    views = await visit.services.decisions.of_records(visit.caller, [records[0].record_id])
    may_answer = visit.may(Permission.APPROVAL_READ, Permission.ADMIN)
    approval_id = views[0].approval_id if views else None
    approval, answers = await _approval(visit, approval_id if may_answer else None)
    story = tell(records, approval, answers)
    return await visit.page(
        "decision.html",
        decision_id=decision_id,
        story=story,
        first=story.first,
        view=views[0] if views else None,
        approval=approval,
        run_id=run_id,
        policy_id=await _policy(visit, story.first.get("policy")),
        may_run=visit.may(Permission.RUN_READ, Permission.RUN_WRITE, Permission.ADMIN),
        may_settle=visit.may(Permission.INCIDENT_READ, Permission.INCIDENT_WRITE, Permission.ADMIN),
        verdicts=await _verify(visit, records),
    )


async def _approval(
    visit: Visit, approval_id: str | None
) -> tuple[ApprovalRow | None, Sequence[AnswerRow]]:
    """What a person was asked of it, and what they said."""
    if approval_id is None:
        return None, ()
    asked_id = uuid.UUID(approval_id)
    try:
        row = await visit.services.approvals.get(visit.caller, asked_id, 0, lambda: False)
    except ControlFault as fault:
        if fault.fault is not Fault.NOT_FOUND:
            raise
        return None, ()
    return row, await visit.services.approvals.answers(visit.caller, asked_id)


async def _policy(visit: Visit, name: object) -> uuid.UUID | None:
    """The page of the policy that decided, where there is one still."""
    if not isinstance(name, str) or not visit.may(*POLICY_READ):
        return None
    wanted = PolicyFilter(name=name.replace("\0", ""))
    rows = await visit.services.policies.list(visit.caller, wanted, None, 1)
    return rows[0].policy_id if rows else None


async def _verify(visit: Visit, records: Sequence[StoryRecord]) -> list[ChainVerdict]:
    check, caller, last = visit.services.chain_check, visit.caller, records[-1]
    match visit.query("verify"):
        case "record":
            seqs: dict[str, list[int]] = {}
            for record in records[:VERIFIED_MAX]:
                seqs.setdefault(record.gateway_id, []).append(record.seq)
            return [
                verdict
                for gateway_id, own in seqs.items()
                for verdict in await check.around(caller, gateway_id, own)
            ]
        case "chain":
            first = max(1, visit.number("from") or 1)
            return [await check.onward(caller, last.gateway_id, first)]
        case _:
            return []


PAGE = Page(routes=(get("/decisions/{id}", show, *READ),))
