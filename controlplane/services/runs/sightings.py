"""What is worth a person's look, and what makes two occurrences of it one. Pure.

INVARIANT(bounded-groups): a group is made of few words that are counted together with what an agent
chose (its targets); `note_incident` bounds how many of them are open.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from controlplane.store.incidents import Sighting
from controlplane.store.projection import StoredStep
from gateway.model.decision import ReasonCode
from gateway.model.incident import Severity

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
REPEATED_BLOCKS = "REPEATED_BLOCKS"
DENIED_RETRIED = "DENIED_RETRIED"
RECORD_CONFLICT = "RECORD_CONFLICT"
RECORD_GAP = "RECORD_GAP"
RECORD_UNSIGNED = "RECORD_UNSIGNED"
RECORD_KEY_CONFLICT = "RECORD_KEY_CONFLICT"
LOG_FORKED = "LOG_FORKED"

WATCHED_CODES = frozenset({ReasonCode.WITNESS_HASH_MISMATCH, ReasonCode.WITNESS_UNAVAILABLE})
"""Reasons of outcomes that open an incident."""

TITLE_LENGTH_MAX = 500


def of_witness(
    tenant_id: uuid.UUID, step: StoredStep, code: str, approval_id: str | None, at: datetime
) -> Sighting:
    """An approval was void because its world had changed or could not be read."""
    is_mismatch = code == ReasonCode.WITNESS_HASH_MISMATCH
    place = _target(step) if is_mismatch else step.provider
    title = (
        f"The state of {_target(step) or 'a target'} changed under an approval of {step.agent}"
        if is_mismatch
        else f"The state that approvals of {step.agent} at {step.provider} depend on can't be read"
    )
    return _of_step(
        tenant_id,
        step,
        code,
        Severity.HIGH if is_mismatch else Severity.MEDIUM,
        title,
        "The act was blocked. Sent again, it is asked anew, of the state as it is then.",
        place,
        at,
        (approval_id,),
    )


def of_unknown_outcome(tenant_id: uuid.UUID, step: StoredStep, at: datetime) -> Sighting:
    """A mutation began and nobody saw its end."""
    return _of_step(
        tenant_id,
        step,
        OUTCOME_UNKNOWN,
        Severity.HIGH,
        f"Nobody saw what became of {_act(step)} by {step.agent}",
        "Look at the provider whether it happened, then settle it: "
        "`checkrein outcomes settle DECISION executed|not_executed --note WHAT`.",
        _target(step),
        at,
    )


def of_repeated_blocks(
    tenant_id: uuid.UUID,
    agent: str,
    last: datetime,
    decision_ids: Sequence[str],
    times: int,
    how_often: str,
) -> Sighting:
    """One agent runs against the rules again and again. Each further block counts."""
    return Sighting(
        tenant_id,
        _group(REPEATED_BLOCKS, agent, ""),
        Severity.MEDIUM,
        REPEATED_BLOCKS,
        f"{agent} was blocked {how_often}",
        "It may be in a loop, or trying its way around the rules.",
        last,
        agent=agent,
        decision_ids=tuple(decision_ids),
        times=times,
    )


def of_denied_retry(
    tenant_id: uuid.UUID, step: StoredStep, approval_id: str, at: datetime
) -> Sighting:
    """The very act that a person denied was asked for again."""
    return _of_step(
        tenant_id,
        step,
        DENIED_RETRIED,
        Severity.MEDIUM,
        f"{step.agent} asks again for {_act(step)}, which was denied",
        "It waits for a person again; the approval that was denied is among the links.",
        _target(step),
        at,
        (approval_id,),
    )


def of_refused_records(
    tenant_id: uuid.UUID, gateway_id: str, code: str, message: str, at: datetime
) -> Sighting:
    """A gateway's records don't fit those that are stored."""
    severity, what = _REFUSED[code]
    return Sighting(
        tenant_id,
        _group(code, gateway_id, ""),
        severity,
        code,
        f"Records of gateway {gateway_id} {what}",
        message,
        at,
    )


_REFUSED = {
    RECORD_CONFLICT: (Severity.CRITICAL, "contradict those that are stored"),
    RECORD_GAP: (Severity.MEDIUM, "are missing here"),
    RECORD_UNSIGNED: (Severity.CRITICAL, "are not signed by its key"),
    RECORD_KEY_CONFLICT: (Severity.CRITICAL, "were to be signed by a key that nobody vouched for"),
}


def of_forked_log(tenant_id: uuid.UUID, message: str, at: datetime) -> Sighting:
    """The log in the database is not the one that was signed: somebody rewrote it, or an older
    state of it was put back."""
    return Sighting(
        tenant_id,
        _group(LOG_FORKED, "", ""),
        Severity.CRITICAL,
        LOG_FORKED,
        "The log is not the one that was signed",
        f"{message[:1].upper()}{message[1:]}. Nothing is signed until it is again what it was: "
        "export it, verify the export, and compare it with the checkpoints kept elsewhere.",
        at,
    )


def together(sightings: Sequence[Sighting]) -> list[Sighting]:
    """One sighting for each group, in the order of the groups' keys: whoever counts several takes
    their locks in the same order."""
    found: dict[str, Sighting] = {}
    for each in sightings:
        known = found.get(each.group)
        merged = each
        if known is not None:
            merged = replace(
                each,
                seen_at=max(known.seen_at, each.seen_at),
                decision_ids=known.decision_ids + each.decision_ids,
                approval_ids=known.approval_ids + each.approval_ids,
                times=known.times + each.times,
            )
        found[each.group] = merged
    return [found[group] for group in sorted(found)]


def _of_step(
    tenant_id: uuid.UUID,
    step: StoredStep,
    reason_code: str,
    severity: Severity,
    title: str,
    summary: str,
    place: str,
    at: datetime,
    approval_ids: tuple[str | None, ...] = (),
) -> Sighting:
    asked = str(step.approval_id) if step.approval_id is not None else None
    return Sighting(
        tenant_id,
        _group(reason_code, step.agent, place),
        severity,
        reason_code,
        title[:TITLE_LENGTH_MAX],
        summary,
        at,
        step.agent,
        step.run_id,
        place or None,
        (step.decision_id,),
        tuple(dict.fromkeys(one for one in (*approval_ids, asked) if one)),
    )


def _group(reason_code: str, agent: str, place: str) -> str:
    """What is the same incident. A digest: parts of any length and any characters stay apart."""
    return hashlib.sha256(json.dumps([reason_code, agent, place]).encode()).hexdigest()


def _target(step: StoredStep) -> str:
    return " ".join(part for part in (step.target_type, step.target_id) if part)


def _act(step: StoredStep) -> str:
    what = step.action or step.operation or "an act"
    return f"{what} on {_target(step)}" if _target(step) else what
