"""`checkrein mappers`: check, test, explain, map and list what requests mean."""

from __future__ import annotations

import click


@click.group()
def mappers() -> None:
    """What requests mean: the mappers that turn them into actions."""
