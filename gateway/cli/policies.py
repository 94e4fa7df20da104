"""`checkrein policies`: check, test, explain and try out what is allowed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.options import json_option

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.decide.bundle import Bundle
    from gateway.decide.rules.trace import PolicyTrace
    from gateway.model.errors import ConfigurationError
    from gateway.model.vocabulary import Vocabulary

_paths_argument = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))

_FINDINGS = {
    "decides": "decides",
    "outranked": "matches, but an earlier rule decides",
    "no_match": "does not match: {field}",
    "condition_false": "its condition is false",
    "condition_unresolved": "{field} could not be read, and an ALLOW needs it",
    "disabled": "is switched off",
}


@click.group(
    epilog="""\b
Examples:
  checkrein policies check policies/
  checkrein policies test policies/starter.yaml
  checkrein mappers map < requests.jsonl | checkrein policies decide policies/
"""
)
def policies() -> None:
    """Say what agents may do: the policies that decide every action.

    Without a path, a command looks at the policies that travel with Checkrein.
    """


@policies.command(epilog="Example: checkrein policies check policies/ --mappers mappers/")
@_paths_argument
@click.option(
    "--mappers",
    "mappers_paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Check names against these mappers; repeatable. [default: the shipped mappers]",
)
@click.option("--any-names", is_flag=True, help="Don't check names against mappers.")
@json_option
def check(
    paths: tuple[Path, ...], mappers_paths: tuple[Path, ...], any_names: bool, json_wanted: bool
) -> int:
    """Find everything that is wrong with policy files."""
    from gateway.cli.output import Output
    from gateway.decide.loader import load_bundle
    from gateway.model.errors import ConfigurationError

    out = Output(json_wanted=json_wanted)
    try:
        vocabulary = None if any_names else _load_vocabulary(mappers_paths)
        bundle = load_bundle(_paths_or_shipped(paths), vocabulary)
    except ConfigurationError as error:
        return _show_problems(out, error)
    if out.as_json:
        counts = [{"name": each.name, "rules": len(each.rules)} for each in bundle.policies]
        out.emit({"ok": True, "policies": counts, "revision": bundle.revision, "problems": []})
        return 0
    for policy in bundle.policies:
        out.say(f"{policy.name}: {len(policy.rules)} rules, {policy.place.file}")
    out.say(f"good; revision {bundle.revision[:12]}", "green")
    return 0


@policies.command(epilog="Example: checkrein policies test policies/starter.yaml")
@_paths_argument
@json_option
def test(paths: tuple[Path, ...], json_wanted: bool) -> int:
    """Run the cases beside policy files: `starter.cases.yaml` for `starter.yaml`."""
    from gateway.authoring.cases import run_cases
    from gateway.cli.output import Output
    from gateway.model.errors import ConfigurationError

    out = Output(json_wanted=json_wanted)
    try:
        results = run_cases(_paths_or_shipped(paths))
    except ConfigurationError as error:
        return _show_problems(out, error)
    if not results:
        raise CommandError(
            "there are no cases", "put them beside the policy, as in `starter.cases.yaml`"
        )
    failed = [result for result in results if not result.holds]
    if out.as_json:
        out.emit(
            {
                "ok": not failed,
                "cases": len(results),
                "failed": [
                    {
                        "file": each.file,
                        "line": each.line,
                        "name": each.name,
                        "wrong": list(each.wrong),
                    }
                    for each in failed
                ],
            }
        )
    else:
        for each in failed:
            out.say(f"{each.file}:{each.line}: {each.name}: {'; '.join(each.wrong)}", "red")
        held = len(results) - len(failed)
        out.say(f"{held} of {len(results)} cases hold", "red" if failed else "green")
    return EXIT_FAILED if failed else 0


@policies.command(
    epilog='Example: checkrein policies explain --action \'{"provider":"stripe",...}\' policies/'
)
@_paths_argument
@click.option("--action", "action_json", help="The action as JSON. [default: standard input]")
@json_option
def explain(paths: tuple[Path, ...], action_json: str | None, json_wanted: bool) -> int:
    """Say why an action is decided as it is, and why by nothing else."""
    from gateway.authoring.policies import LINE_BYTES_MAX, InputError, parse_question, render
    from gateway.cli.output import Output
    from gateway.model.effect import Mode

    out = Output(json_wanted=json_wanted)
    bundle = _load(paths)
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


@policies.command(epilog="Example: checkrein policies decide policies/ < actions.jsonl")
@_paths_argument
@click.option(
    "--mode",
    "mode_name",
    type=click.Choice(["enforce", "monitor"]),
    default="enforce",
    show_default=True,
    help="The gateway's own mode.",
)
@click.option("--json", "_json_wanted", is_flag=True, help="JSON is all that this writes.")
def decide(paths: tuple[Path, ...], mode_name: str, _json_wanted: bool) -> None:
    """Decide actions: JSON lines in, JSON lines out, one for one and in order.

    A line is an action as `mappers map` writes it, or its whole answer with `actions` and
    `refused`; beside them `context` may give agent, run, now, labels and environment. A line that
    can't be read is answered with a BLOCK.
    """
    from gateway.authoring.policies import LINE_BYTES_MAX, decide_line
    from gateway.cli.output import Output
    from gateway.model.effect import Mode

    out = Output(json_wanted=True)
    bundle, mode = _load(paths), Mode(mode_name)
    for line in _lines(sys.stdin.buffer, LINE_BYTES_MAX):
        out.emit(decide_line(bundle, line, mode))


def _lines(stream: IO[bytes], bytes_max: int) -> Iterator[bytes]:
    """Lines by line feed alone. One that is too long is cut a byte beyond the limit, so that it is
    refused, and its rest is skipped."""
    while line := stream.readline(bytes_max + 2):
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(bytes_max)):
            pass
        yield line.removesuffix(b"\n")


def _paths_or_shipped(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    from gateway.content import policies_dir

    return paths or (policies_dir(),)


def _load(paths: tuple[Path, ...]) -> Bundle:
    from gateway.decide.loader import load_bundle
    from gateway.model.errors import ConfigurationError

    try:
        return load_bundle(_paths_or_shipped(paths))
    except ConfigurationError as error:
        raise CommandError(
            "the policies can't be used\n" + "\n".join(map(str, error.problems)),
            "`checkrein policies check` shows the same as a list",
            status=EXIT_USAGE,
        ) from error


def _load_vocabulary(mappers_paths: tuple[Path, ...]) -> Vocabulary:
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.content import mappers_dir

    return Canonicalizer.load(mappers_paths or (mappers_dir(),)).vocabulary()


def _show_problems(out: Output, error: ConfigurationError) -> int:
    from dataclasses import asdict

    if out.as_json:
        out.emit({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
    else:
        for problem in error.problems:
            out.say(str(problem), "red")
        out.say(f"{len(error.problems)} problems")
    return EXIT_FAILED


def _show_trace(out: Output, trace: PolicyTrace) -> None:
    if not trace.applies:
        out.say(f"policy {trace.policy} is not about this agent", "dim")
        return
    by = f"rule {trace.decided_by}" if trace.decided_by else "its default: no rule matched"
    out.say(f"policy {trace.policy} says {trace.effect} by {by}", "bold")
    for rule in trace.rules:
        words = _FINDINGS[rule.finding].format(field=rule.field)
        out.say(f"  {rule.priority:>6}  {rule.rule}: {words}")


def _trace_as_json(trace: PolicyTrace) -> dict[str, object]:
    return {
        "policy": trace.policy,
        "applies": trace.applies,
        "effect": trace.effect.value,
        "decided_by": trace.decided_by,
        "rules": [
            {
                "rule": rule.rule,
                "priority": rule.priority,
                "effect": rule.effect.value,
                "finding": rule.finding.value,
                "field": rule.field,
            }
            for rule in trace.rules
        ],
    }
