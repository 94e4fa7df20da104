"""The group of all `checkrein mappers` commands."""

from __future__ import annotations

import click

from gateway.cli.mappers.check import check, schema, test
from gateway.cli.mappers.coverage import coverage
from gateway.cli.mappers.diff import diff
from gateway.cli.mappers.explain import explain
from gateway.cli.mappers.imports import import_group
from gateway.cli.mappers.list_operations import list_command
from gateway.cli.mappers.map_lines import map_command


@click.group(
    epilog="""\b
Example, your own API in ten minutes:
  checkrein mappers import har recording.har -o shop.yaml
  checkrein mappers check shop.yaml
  checkrein mappers test shop.yaml
  checkrein mappers explain --mappers shop.yaml GET https://shop.example.com/v1/orders/7
  checkrein mappers coverage recording.har --mappers shop.yaml

\b
Use it with policies:
  checkrein mappers map < requests.jsonl | checkrein policies decide policies/
"""
)
def mappers() -> None:
    """What requests mean: the mappers that turn them into actions."""


for _command in (
    import_group, check, test, explain, coverage, list_command, diff, map_command, schema,
):  # fmt: skip
    mappers.add_command(_command)
