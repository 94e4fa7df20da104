"""The group of all `checkrein policies` commands."""

from __future__ import annotations

import click

from gateway.cli.policies.baseline import baseline
from gateway.cli.policies.cases import test
from gateway.cli.policies.check import check
from gateway.cli.policies.decide import decide
from gateway.cli.policies.diff import diff
from gateway.cli.policies.explain import explain
from gateway.cli.policies.replay import replay
from gateway.cli.policies.versions import activate, create, deactivate, history, list_


@click.group(
    epilog="""\b
Examples, before you switch a policy on:
  checkrein policies check mine.yaml              what is wrong, and what can never happen
  checkrein policies test mine.yaml --coverage    its cases, and the rules that no case tries
  checkrein policies diff policies/ mine.yaml     what becomes looser, what tighter
  checkrein policies replay --against mine.yaml   what it would have said to what was recorded

\b
Examples, to switch it on:
  checkrein policies create mine.yaml             a draft, which decides nothing yet
  checkrein policies activate mine                in force everywhere, within a second
  checkrein policies history mine                 its versions, and how to go back

\b
Examples, when it is switched on:
  checkrein policies explain mine.yaml --action '{"provider":"stripe",...}'
  checkrein mappers map < requests.jsonl | checkrein policies decide mine.yaml
"""
)
def policies() -> None:
    """Say what agents may do: the policies that decide every action.

    Without a path, a command looks at the policies that travel with Checkrein.
    """


_OF_FILES = (check, test, explain, decide, replay, diff, baseline)
_OF_THE_CONTROL_PLANE = (list_, create, activate, deactivate, history)

for _command in (*_OF_FILES, *_OF_THE_CONTROL_PLANE):
    policies.add_command(_command)
