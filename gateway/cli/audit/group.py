"""The group of all `checkrein audit` commands."""

from __future__ import annotations

import click

from gateway.cli.audit.anchors import anchors
from gateway.cli.audit.consistency import consistency
from gateway.cli.audit.digest import digest
from gateway.cli.audit.export import export
from gateway.cli.audit.prove import prove
from gateway.cli.audit.retention import retention
from gateway.cli.audit.tail import tail
from gateway.cli.audit.verify import verify


@click.group(
    epilog="""\b
Examples:
  checkrein audit tail -f
  checkrein audit export -o log.jsonl
  checkrein audit verify log.jsonl
  checkrein audit prove dec_01K... -o proof.json
  checkrein audit retention
"""
)
def audit() -> None:
    """Follow the record, export it, verify it, prove parts of it; say how long bodies are kept.

    Every decision is recorded, and the intent of every change before it is sent. Each gateway
    chains and signs its records; all of them stand in one log whose checkpoints are signed by a
    key outside of the database. So a changed, removed or inserted record shows, to anybody.
    """


for _command in (tail, export, verify, prove, consistency, anchors, digest, retention):
    audit.add_command(_command)
