"""`checkrein policies explain`: why an action is decided as it is, and why by nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.output import EFFECT_STYLES
from gateway.cli.policies.loading import load, paths_argument

if TYPE_CHECKING:
    from gateway.authoring.policies.near_misses import Miss
    from gateway.authoring.policies.questions import Question
    from gateway.authoring.policies.replay.recorded import Recorded
    from gateway.cli.output import Output
    from gateway.decide.bundle import Bundle
    from gateway.decide.rules.trace import PolicyTrace, RuleTrace
    from gateway.model.decision import Decision
    from gateway.model.effect import ApprovalTerms
    from gateway.model.limit import LimitClaim

MISSES_SHOWN = 5

_FINDINGS = {
    "decides": "decides",
    "outranked": "matches, but an earlier rule decides",
    "watched": "would have decided, and is in monitor mode",
    "no_match": "does not match: {field}: {detail}",
    "condition_false": "its condition is false: {detail}",
    "condition_unresolved": "{field} could not be read, and an ALLOW needs it",
    "disabled": "is switched off",
}
_MATCHING = frozenset({"decides", "outranked", "watched"})


@click.command(
    epilog="""\b
Examples:
  checkrein policies explain --action '{"provider":"s","action":"create_payout","kind":"create"}'
  checkrein mappers map < request.jsonl | checkrein policies explain mine.yaml
  checkrein policies explain mine.yaml --record record.jsonl --decision dec_01h...
  checkrein policies explain mine.yaml --decision dec_01h...     from the running stack's record
"""
)
@paths_argument
@click.option("--action", "action_json", help="The action as JSON. [default: standard input]")
@click.option("--decision", "decision_id", help="Explain a recorded decision.")
@click.option(
    "--record", type=click.Path(exists=True, path_type=Path),
    help="Where it is recorded: an export, or a gateway's folder. [default: the running stack]",
)  # fmt: skip
@data_dir_option
@json_option
def explain(
    paths: tuple[Path, ...],
    action_json: str | None,
    decision_id: str | None,
    record: Path | None,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Say why an action is decided as it is, and why by nothing else.

    It goes through every rule in deciding order, and where none matched, through those that nearly
    did. A recorded decision is explained by the policies that you name, with the time and the
    labels of then.
    """
    from gateway.authoring.policies.answers import render, traces
    from gateway.cli.output import Output
    from gateway.model.effect import Mode

    out = Output(json_wanted=json_wanted)
    bundle = load(paths)
    recorded = None
    if decision_id is not None:
        recorded = _recorded(decision_id, record, data_dir_path)
    elif record is not None:
        raise CommandError("which decision?", "add `--decision ID`", status=EXIT_USAGE)
    question = _question(action_json) if recorded is None else recorded.question
    decision = question.decide(bundle, Mode.ENFORCE)
    if out.as_json:
        found: dict[str, object] = {
            "decision": render(decision),
            "actions": traces(question, bundle),
            "nearest": _nearest_json(question, bundle),
        }
        if recorded is not None:
            found["recorded"] = _recorded_json(recorded)
        out.emit(found)
        return 0
    _show_decision(out, decision)
    if recorded is not None:
        _show_recorded(out, recorded)
    _show_traces(out, question, bundle)
    _show_risk(out, decision)
    return 0


def _question(action_json: str | None) -> Question:
    from gateway.authoring.policies.questions import LINE_BYTES_MAX, InputError, parse_question

    given = sys.stdin.buffer.read(LINE_BYTES_MAX + 1) if action_json is None else None
    try:
        return parse_question((action_json or "").encode() if given is None else given)
    except InputError as error:
        raise CommandError(
            str(error), "give it as `checkrein mappers map` writes it", status=EXIT_USAGE
        ) from error


# --- a recorded decision --------------------------------------------------------------------------


def _recorded(decision_id: str, record: Path | None, data_dir_path: Path | None) -> Recorded:
    from gateway.authoring.policies.questions import InputError
    from gateway.authoring.policies.replay.recorded import parse_recorded

    wanted = decision_id.encode()
    for line in _lines(record, data_dir_path):
        if wanted not in line:
            continue
        try:
            found = parse_recorded(line)
        except InputError:
            continue
        if found is not None and found.decision_id == decision_id:
            return found
    raise CommandError(
        f"there is no decision `{decision_id}` in this record",
        "`checkrein audit tail` shows ids; a refused request's is in its error message",
    )


def _lines(record: Path | None, data_dir_path: Path | None) -> Iterator[bytes]:
    from gateway.authoring.policies.replay.files import Part, lines_of, record_files
    from gateway.cli.api import open_api

    if record is None:
        for row in open_api(data_dir_path).records():
            yield str(row["line"]).encode("utf-8", "surrogatepass")
        return
    for file in record_files([record]):
        yield from lines_of(Part(file, 0, file.stat().st_size))


def _recorded_json(recorded: Recorded) -> dict[str, object]:
    return {
        "decision_id": recorded.decision_id,
        "at": recorded.at,
        "effect": recorded.effect.value,
        "mode": recorded.mode.value,
        "policy": recorded.policy,
        "rule": recorded.rule,
        "reason_code": recorded.reason_code,
        "altered": sorted(recorded.altered),
    }


def _show_recorded(out: Output, recorded: Recorded) -> None:
    by = f"{recorded.policy}/{recorded.rule}" if recorded.rule else recorded.reason_code
    out.say(f"then, at {recorded.at}: {recorded.effect} by {by}", "dim")
    if recorded.altered:
        names = ", ".join(sorted(recorded.altered))
        out.say(f"the record does not show as they were: {names}", "yellow")


# --- showing --------------------------------------------------------------------------------------


def _show_decision(out: Output, decision: Decision) -> None:
    style = EFFECT_STYLES.get(decision.effect.value, "")
    out.say(f"{decision.effect}: {decision.message} ({decision.reason_code})", style)
    if decision.mode.value == "monitor":
        out.say("in monitor mode: it is recorded, and passes", "yellow")
    if decision.terms is not None:
        out.say(_terms(decision.terms))
    for watched in decision.watched:
        who = f"rule {watched.rule}" if watched.rule else "the default"
        out.say(f"watched: {who} of {watched.policy} would have said {watched.effect}", "yellow")
    for claim in decision.claims:
        out.say(_claim(claim))


def _claim(claim: LimitClaim) -> str:
    from gateway.model.effect import Mode

    amount, beyond = str(claim.amount), f"; beyond {claim.max}"
    if claim.amount is None:
        amount, beyond = "an amount that could not be read", ", which exceeds it"
    noted = " (in monitor mode: noted, not done)" if claim.mode is Mode.MONITOR else ""
    return (
        f"counts {amount} towards limit {claim.limit} for {claim.key}{beyond}: "
        f"{claim.effect}{noted}"
    )


def _terms(terms: ApprovalTerms) -> str:
    from gateway.decide.documents.reader import write_duration

    who = "1 person" if terms.quorum == 1 else f"{terms.quorum} people"
    of = f" of {' or '.join(terms.groups)}" if terms.groups else ""
    witness = ", and its target must not have changed" if terms.witness_required else ""
    words = " in words" if terms.comment_required else ""
    time = write_duration(terms.timeout_seconds)
    return f"{who}{of} must approve{words} within {time}{witness}{_further(terms)}"


def _further(terms: ApprovalTerms) -> str:
    """Who is asked next, and who can't answer."""
    from gateway.decide.documents.reader import write_duration

    text = ""
    if (to := terms.escalation) is not None:
        after = f" after {write_duration(to.after_seconds)}" if to.after_seconds else ""
        text += f"; {' or '.join(to.groups)} {'is' if len(to.groups) == 1 else 'are'} asked too"
        text += after or " when somebody says so"
    if terms.requester_labels:
        text += f"; not whom the agent's label {' or '.join(terms.requester_labels)} names"
    return text


def _show_traces(out: Output, question: Question, bundle: Bundle) -> None:
    from gateway.authoring.policies.near_misses import near_misses

    context, actions = question.context, question.canonical.actions
    found = question.explain(bundle)
    for number, (action, one_action) in enumerate(zip(actions, found, strict=True), start=1):
        if len(found) > 1:
            out.say(f"action {number} of {len(found)}", "bold")
        for each in one_action:
            _show_trace(out, each)
            if each.applies and each.decided_by is None:
                _show_misses(out, near_misses(bundle, each, action, context, len(actions)))


def _show_trace(out: Output, trace: PolicyTrace) -> None:
    if not trace.applies:
        out.say(f"policy {trace.policy} is not about this agent", "dim")
        return
    by = f"rule {trace.decided_by}" if trace.decided_by else "its default: no rule matched"
    watched = ", and is only watched" if trace.is_shadow else ""
    out.say(f"policy {trace.policy} says {trace.effect} by {by}{watched}", "bold")
    if trace.decided_by is not None:
        for rule in trace.rules:
            out.say(f"  {rule.priority:>6}  {rule.rule}: {_words(rule)}")


def _show_misses(out: Output, misses: list[Miss]) -> None:
    """Nothing matched: what came nearest, and what kept it."""
    for miss in misses[:MISSES_SHOWN]:
        fits = f"{miss.fitting} of {miss.asked} fit"
        rule = miss.rule
        out.say(f"  {rule.priority:>6}  {rule.rule} ({rule.effect}, {fits}): {_words(rule)}")
    if len(misses) > MISSES_SHOWN:
        out.say(f"          and {len(misses) - MISSES_SHOWN} rules that fit less", "dim")


def _words(rule: RuleTrace) -> str:
    words = _FINDINGS[rule.finding].format(field=rule.field, detail=rule.detail)
    matches_unread = rule.finding in _MATCHING and rule.field is not None
    return f"{words}: `{rule.field}` could not be read" if matches_unread else words


def _show_risk(out: Output, decision: Decision) -> None:
    from gateway.authoring.policies.cases import level_of
    from gateway.cli.output import Column

    risk = decision.risk
    out.say(f"risk {risk.score}, {level_of(risk.score)} ({risk.vector})", "bold")
    columns = [Column("  points", justify="right", is_fixed=True), Column("factor"), Column("seen")]
    out.table(columns, [(each.points, each.name, each.observed) for each in risk.factors])


def _nearest_json(question: Question, bundle: Bundle) -> list[list[dict[str, object]]]:
    from gateway.authoring.policies.near_misses import near_misses

    actions = question.canonical.actions
    found: list[list[dict[str, object]]] = []
    for action, traces in zip(actions, question.explain(bundle), strict=True):
        found.append(
            [
                {
                    "policy": trace.policy,
                    "rule": miss.rule.rule,
                    "fitting": miss.fitting,
                    "asked": miss.asked,
                    "field": miss.rule.field,
                    "detail": miss.rule.detail,
                }
                for trace in traces
                if trace.applies and trace.decided_by is None
                for miss in near_misses(bundle, trace, action, question.context, len(actions))
            ]
        )
    return found
