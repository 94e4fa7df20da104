"""Options that several commands share, so that they are spelt and explained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class PolicyPath(click.Path):
    """A file or folder of policies, or the name of one that travels with the product. What lies on
    the disk goes first, so that a name never hides a file."""

    def __init__(self) -> None:
        super().__init__(exists=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not Path(value).exists():
            from gateway.content import shipped_policies

            shipped = shipped_policies()
            if str(value) in shipped:
                return shipped[str(value)]
            if Path(value).name == str(value) and not Path(value).suffix:
                names = ", ".join(shipped)
                self.fail(f"there is no file `{value}`, and the shipped policies are {names}")
        return super().convert(value, param, ctx)


LIST_COUNT_MAX = 500
"""The most that the API lists at once."""

limit_option = click.option(
    "-n", "--limit", type=click.IntRange(1, LIST_COUNT_MAX), default=50, help="How many."
)

json_option = click.option(
    "--json", "json_wanted", is_flag=True, help="Write JSON, also to a terminal."
)

data_dir_option = click.option(
    "--data-dir",
    "data_dir_path",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the installation keeps its data. [default: CHECKREIN_DATA_DIR, else the "
    "platform's place]",
)


def stack_options(command: F) -> F:
    """The options that say what a stack is made of: `up` and `run` take the same."""
    for option in reversed(_STACK_OPTIONS):
        command = option(command)
    return command


_STACK_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    data_dir_option,
    click.option(
        "--policies",
        "policies_paths",
        multiple=True,
        type=PolicyPath(),
        help="Policy file or folder, or a shipped policy by its name: starter, observer, payments, "
        "cloud, repository, messaging, database, code-agent. Repeatable. [default: starter]",
    ),
    click.option(
        "--mappers",
        "mappers_paths",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="Mapper file or folder, laid over the shipped mappers; one of the same file name "
        "replaces the shipped one. Repeatable.",
    ),
    click.option(
        "--connect-to",
        "connect_to",
        multiple=True,
        metavar="HOST:PORT:ADDR:PORT",
        help="Reach a name at another address, as curl does; repeatable. For mocks and private "
        "endpoints: the certificate must still be of HOST.",
    ),
    click.option(
        "--upstream-ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="PEM file of certificate authorities to trust upstream, beside the system's.",
    ),
    click.option(
        "--mode",
        type=click.Choice(["enforce", "monitor"]),
        default="enforce",
        show_default=True,
        help="`monitor` records what would have been held or blocked, and lets it pass.",
    ),
)
