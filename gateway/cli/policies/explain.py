"""`checkrein policies explain`: why an action is decided as it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import json_option
from gateway.cli.policies.loading import load, paths_argument

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.decide.rules.trace import PolicyTrace

_FINDINGS = {
    "decides": "decides",
    "outranked": "matches, but an earlier rule decides",
    "watched": "would have decided, and is in monitor mode",
    "no_match": "does not match: {field}: {detail}",
    "condition_false": "its condition is false: {detail}",
    "condition_unresolved": "{field} could not be read, and an ALLOW needs it",
    "disabled": "is switched off",
}


@click.command(
    epilog='Example: checkrein policies explain --action \'{"provider":"stripe",...}\' policies/'
)
@paths_argument
@click.option("--action", "action_json", help="The action as JSON. [default: standard input]")
@json_option
def explain(paths: tuple[Path, ...], action_json: str | None, json_wanted: bool) -> int:
    """Say why an action is decided as it is, and why by nothing else."""
    from gateway.authoring.policies import render
    from gateway.authoring.questions import LINE_BYTES_MAX, InputError, parse_question
    from gateway.cli.output import Output
    from gateway.model.effect import Mode

    out = Output(json_wanted=json_wanted)
    bundle = load(paths)
    given = sys.stdin.buffer.read(LINE_BYTES_MAX + 1) if action_json is None else None
    try:
        question = parse_question((action_json or "").encode() if given is None else given)
    except InputError as error:
        raise CommandError(
            str(error), "give it as `checkrein mappers map` writes it", status=EXIT_USAGE
        ) from error
    decision = render(question.decide(bundle, Mode.ENFORCE))
    traces = question.explain(bundle)
    if out.as_json:
        actions = [[_trace_as_json(each) for each in one_action] for one_action in traces]
        out.emit({"decision": decision, "actions": actions})
        return 0
    out.say(f"{decision['effect']}: {decision['message']} ({decision['reason_code']})")
    for number, one_action in enumerate(traces, start=1):
        if len(traces) > 1:
            out.say(f"action {number} of {len(traces)}", "bold")
        for each in one_action:
            _show_trace(out, each)
    return 0


def _show_trace(out: Output, trace: PolicyTrace) -> None:
    if not trace.applies:
        out.say(f"policy {trace.policy} is not about this agent", "dim")
        return
    by = f"rule {trace.decided_by}" if trace.decided_by else "its default: no rule matched"
    watched = ", and is only watched" if trace.is_shadow else ""
    out.say(f"policy {trace.policy} says {trace.effect} by {by}{watched}", "bold")
    for rule in trace.rules:
        words = _FINDINGS[rule.finding].format(field=rule.field, detail=rule.detail)
        out.say(f"  {rule.priority:>6}  {rule.rule}: {words}")


def _trace_as_json(trace: PolicyTrace) -> dict[str, object]:
    return {
        "policy": trace.policy,
        "applies": trace.applies,
        "effect": trace.effect.value,
        "mode": trace.mode.value,
        "is_shadow": trace.is_shadow,
        "decided_by": trace.decided_by,
        "rules": [
            {
                "rule": rule.rule,
                "priority": rule.priority,
                "effect": rule.effect.value,
                "finding": rule.finding.value,
                "field": rule.field,
                "detail": rule.detail,
            }
            for rule in trace.rules
        ],
    }
