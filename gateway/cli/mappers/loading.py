"""Loads mappers for a command, or says all that is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from gateway.cli.failures import EXIT_FAILED, CommandError

if TYPE_CHECKING:
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.model.errors import ConfigurationError

KINDS = ("read", "create", "update", "delete", "execute", "send", "admin", "unknown")
KIND_STYLES = {
    "read": "green", "delete": "red", "admin": "red", "unknown": "magenta", "send": "yellow",
    "execute": "yellow",
}  # fmt: skip

paths_argument = click.argument(
    "paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]..."
)
mappers_option = click.option(
    "--mappers",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Mapper file or folder; repeatable. [default: the shipped mappers]",
)
recording_argument = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)


def paths_or_shipped(paths: Sequence[Path]) -> list[Path]:
    """The named files and folders, or the folder that travels with the product."""
    from gateway.content import mappers_dir

    return list(paths) or [mappers_dir()]


def load(paths: Sequence[Path], *, status: int = EXIT_FAILED) -> Canonicalizer:
    """Load mappers, or end with every problem on its own line."""
    from gateway.canonicalize.canonicalizer import Canonicalizer

    with mapper_problems(status=status):
        return Canonicalizer.load(paths_or_shipped(paths))


@contextmanager
def mapper_problems(*, status: int = EXIT_FAILED) -> Iterator[None]:
    """End the command with what is wrong with mappers and catalogs that it reads meanwhile."""
    from gateway.canonicalize.catalog.file import CatalogError
    from gateway.model.errors import ConfigurationError

    try:
        yield
    except ConfigurationError as error:
        raise command_error(error, status=status) from error
    except CatalogError as error:
        raise CommandError(
            error.message, "make it anew with `checkrein mappers import catalogs`", status=status
        ) from error


def command_error(error: ConfigurationError, *, status: int = EXIT_FAILED) -> CommandError:
    """All problems as one sentence a line."""
    return CommandError(
        "\n".join(str(problem) for problem in error.problems),
        f"{len(error.problems)} problem(s); see the README in the mappers folder",
        status=status,
    )


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """A recording, or standard input for `-`."""
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with file.open("rb") as stream:
            yield stream
    except OSError as error:
        raise CommandError(f"`{file}` can't be read: {error.strerror}") from error


def written(text: str, output: Path | None, *, force: bool) -> None:
    """Write a proposal to standard output or to a file that is not there yet."""
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(
            f"`{output}` is there already", "name another file, or add `--force`"
        ) from None
    except OSError as error:
        raise CommandError(f"`{output}` can't be written: {error.strerror}") from error
