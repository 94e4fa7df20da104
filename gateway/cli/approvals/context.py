"""Shows what a reviewer wants to know beside the question: who asks, and what was before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.cli.moments import clock_time
from gateway.cli.output import Column, Output, cut, plain

_ENDS = (
    ("CONSUMED", "approved and used"), ("APPROVED", "approved"), ("LAPSED", "approved, not used"),
    ("DENIED", "denied"), ("EXPIRED", "not answered"), ("CANCELLED", "cancelled"),
)  # fmt: skip


BODY_LINES_MAX = 40


def show_context(out: Output, context: Mapping[str, Any]) -> None:
    """Write it below the card."""
    run = context["run"]
    lines = [("labels", _labels(context["agent"]))]
    if run is not None:
        lines.append(("goal", run["goal"] or "not said"))
        lines.append(("run", f"{run['stepCount']} steps, {run['blockedCount']} of them blocked"))
    history = context["history"]
    if context["request"]["method"]:
        lines.append(("before", _ended(history["agent"], "this agent", history["days"])))
        lines.append(("", _ended(history["everyone"], "everybody", history["days"])))
    lines += _raw(context["request"])
    for name, value in lines:
        out.say(f"  {name:<10} {cut(plain(value))}")
    recent = context["recent"]
    if not recent:
        return
    out.say("  what it did last", "dim")
    out.table(
        (
            Column("AT", is_fixed=True),
            Column("EFFECT", is_fixed=True),
            Column("ACTION"),
            Column("TARGET"),
            Column("OUTCOME", is_fixed=True),
        ),
        (
            (
                clock_time(each["at"]),
                each["effect"] or "",
                each["action"] or each["operation"] or "",
                (each["target"] or {}).get("id", ""),
                each["outcome"] or "",
            )
            for each in recent
        ),
    )


def _labels(agent: Mapping[str, Any]) -> str:
    if not agent["isKnown"]:
        return f"no agent is called {agent['name']}"
    return ", ".join(f"{name}={value}" for name, value in agent["labels"].items()) or "none"


def _ended(counts: Mapping[str, int], whose: str, days: int) -> str:
    """`this agent, 30 days: 4 approved and used, 1 denied`."""
    ended = [f"{counts[state]} {words}" for state, words in _ENDS if counts.get(state)]
    return f"{whose}, {days} days: {', '.join(ended) or 'no question answered'}"


def _raw(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rest of the request, line by line; all of it stands in `--json`."""
    lines = [("header", f"{name}: {value}") for name, value in request["headers"].items()]
    body = request["body"]
    if body is not None:
        text = json.dumps(body, ensure_ascii=False, indent=1)
        shown = text.splitlines()
        lines += [("body" if not index else "", line) for index, line in
                  enumerate(shown[:BODY_LINES_MAX])]  # fmt: skip
        if len(shown) > BODY_LINES_MAX:
            lines.append(("", f"and {len(shown) - BODY_LINES_MAX} more lines: see --json"))
    elif request["bodyBytes"]:
        lines.append(("body", f"{request['bodyBytes']} bytes, which can't be shown as fields"))
    return lines
