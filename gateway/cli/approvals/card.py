"""Shows one approval as a reviewer wants to read it: the act, who, why it is held, the risk."""

from __future__ import annotations

import json
from typing import Any

from gateway.cli.moments import duration, time_left, time_since
from gateway.cli.output import STATE_STYLES, Output, cut, plain

Approval = dict[str, Any]

PARAM_COUNT_MAX = 12
"""More are folded; `--json` shows all."""


def show_card(out: Output, approval: Approval) -> None:
    """Write the card; the sentence first, for a reader who was interrupted."""
    status = str(approval["status"])
    out.say("")
    out.say(sentence(approval), "bold")
    out.say(f"  {who(approval)}", "dim")
    lines = [
        *_request(approval),
        ("why", f"{approval['message']} ({approval['policy']}/{approval['rule']})"),
        ("risk", risk(approval)),
        *_params(approval),
        *_state(approval),
        *_changes(approval),
        *_escalation(approval),
        ("status", _status_line(approval)),
        ("id", approval["approvalId"]),
    ]
    for name, value in lines:
        is_status = name == "status"
        style = STATE_STYLES.get(status, "") if is_status else ""
        out.say(f"  {name:<10} {cut(plain(value))}", style)


def sentence(approval: Approval) -> str:
    """What is asked, in plain words."""
    summary = approval.get("summary")
    if summary:
        return str(summary)
    target = approval.get("target") or {}
    return f"{approval['action']} {target.get('type', '')} {target.get('id', '')}".strip()


def who(approval: Approval) -> str:
    """Who asks, in which run, since when."""
    run = f', run "{approval["runId"]}"' if approval.get("runId") else ""
    return f"{approval['agent']}{run}, {time_since(approval['createdAt'])}"


def risk(approval: Approval) -> str:
    """The score and what it is made of."""
    value = approval.get("risk") or {}
    factors = [
        f"{factor['name']} {factor['points']:+d} ({factor['observed']})"
        for factor in value.get("factors", [])
        if factor["points"]
    ]
    return f"{value.get('score', 0)} of 100" + (f": {', '.join(factors)}" if factors else "")


def still_needed(approval: Approval) -> str:
    """Who has to agree: `2 people of finance or security have to approve, so far ann`."""
    terms = approval["terms"]
    groups, quorum = " or ".join(terms["groups"]), terms["quorum"]
    said = {
        answer["answeredBy"]
        for answer in approval.get("answers", ())
        if answer["answer"] == "APPROVED"
    }
    if approval.get("escalation") and groups:
        groups = " or ".join((groups, *terms.get("escalateTo", ())))
    have_to = "1 person" if quorum == 1 else f"{quorum} people"
    verb = "has" if quorum == 1 else "have"
    words = " and say why" if terms.get("commentRequired") else ""
    but = f", not {', '.join(approval['requesters'])}" if approval.get("requesters") else ""
    return f"{have_to}{f' of {groups}' if groups else ''} {verb} to approve{words}{but}" + (
        f", so far {', '.join(sorted(said))}" if said else ""
    )


def _asks_for_more(approval: Approval) -> bool:
    terms = approval.get("terms") or {"groups": [], "quorum": 1}
    return (
        bool(terms["groups"] or terms.get("commentRequired") or approval.get("requesters"))
        or terms["quorum"] > 1
    )


def _status_line(approval: Approval) -> str:
    status = str(approval["status"])
    if status == "PENDING":
        needs = f"; {still_needed(approval)}" if _asks_for_more(approval) else ""
        return f"PENDING, {time_left(approval['expiresAt'])} left to answer{needs}"
    if status == "APPROVED":
        return f"APPROVED, {time_left(approval['expiresAt'])} left to use it{_by(approval)}"
    return status + _by(approval)


def _by(approval: Approval) -> str:
    by = f", by {approval['resolvedBy']}" if approval.get("resolvedBy") else ""
    return by + (f": {approval['comment']}" if approval.get("comment") else "")


def _request(approval: Approval) -> list[tuple[str, str]]:
    """What would be sent; a program that asks in its own name sends nothing through here."""
    if not approval["method"]:
        return []
    return [("request", f"{approval['method']} {approval['authority']}{approval['path']}")]


def _state(approval: Approval) -> list[tuple[str, str]]:
    """What the target was like when the question was asked."""
    witness = approval.get("witness")
    if not witness:
        return []
    fields = ", ".join(f"{name} {_value(value)}" for name, value in witness["state"].items())
    return [("state seen", fields or f"only its digest is known, {witness['hash'][:12]}...")]


def _changes(approval: Approval) -> list[tuple[str, str]]:
    """What the target was found to be like since."""
    now = (approval.get("witnessNow") or {}).get("state")
    if not now:
        return []
    then = approval["witness"]["state"] if approval.get("witness") else {}
    fields = [
        f"{name} {_value(then.get(name))} -> {_value(now.get(name))}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    return [("changed", ", ".join(fields) or "something that is not shown")]


def _escalation(approval: Approval) -> list[tuple[str, str]]:
    """Who is asked as well, and who wanted it; or when they will be."""
    done = approval.get("escalation")
    terms = approval.get("terms") or {}
    to = " and ".join(terms.get("escalateTo") or ())
    if done:
        whom = f", put to {to} too" if to else ""
        by = f" by {done['by']}" if done["by"] else ", since nobody had answered"
        why = f": {done['comment']}" if done["comment"] else ""
        return [("escalated", f"{time_since(done['at'])}{by}{whom}{why}")]
    after = terms.get("escalateAfterSeconds")
    if to and after and approval["status"] == "PENDING":
        return [("escalates", f"to {to}, {duration(after)} after it was asked")]
    return []


def _params(approval: Approval) -> list[tuple[str, str]]:
    params = list((approval.get("params") or {}).items())
    shown = [(str(name), _value(value)) for name, value in params[:PARAM_COUNT_MAX]]
    if len(params) > PARAM_COUNT_MAX:
        shown.append(("", f"and {len(params) - PARAM_COUNT_MAX} more"))
    return [(cut(plain(name), 20), value) for name, value in shown]


def _value(value: object) -> str:
    """As JSON has it, but text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
