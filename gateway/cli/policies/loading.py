"""Loads policies for a command, or says all that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.options import PolicyPath

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.decide.bundle import Bundle
    from gateway.model.errors import ConfigurationError
    from gateway.model.vocabulary import Vocabulary

paths_argument = click.argument("paths", nargs=-1, type=PolicyPath(), metavar="[POLICY]...")

mappers_option = click.option(
    "--mappers",
    "mappers_paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Check names against these mappers; repeatable. [default: the shipped mappers]",
)


def paths_or_shipped(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The named files and folders, or the folder that travels with the product."""
    from gateway.content import policies_dir

    return tuple(paths) or (policies_dir(),)


def load(paths: Sequence[Path]) -> Bundle:
    """Load policies, or end with every problem on its own line."""
    from gateway.decide.loader import load_bundle
    from gateway.model.errors import ConfigurationError

    try:
        return load_bundle(paths_or_shipped(paths))
    except ConfigurationError as error:
        raise CommandError(
            "the policies can't be used\n" + "\n".join(map(str, error.problems)),
            "`checkrein policies check` shows the same as a list",
            status=EXIT_USAGE,
        ) from error


def mappers_or_shipped(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The named mappers, or those that travel with the product."""
    from gateway.content import mappers_dir

    return tuple(paths) or (mappers_dir(),)


def load_vocabulary(mappers_paths: Sequence[Path]) -> Vocabulary:
    """The names that mappers can make."""
    from gateway.canonicalize.canonicalizer import Canonicalizer

    return Canonicalizer.load(mappers_or_shipped(mappers_paths)).vocabulary()


def show_problems(out: Output, error: ConfigurationError) -> int:
    """Write what is wrong with a file; gives the exit status."""
    from dataclasses import asdict

    if out.as_json:
        out.emit({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
    else:
        for problem in error.problems:
            out.say(str(problem), "red")
        count = len(error.problems)
        out.say("1 problem" if count == 1 else f"{count} problems")
    return EXIT_FAILED
