"""What commands that talk to the control plane begin with: its API, where they write, who acts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.cli.api import Api
    from gateway.cli.output import Output


def open_session(data_dir_path: Path | None, json_wanted: bool) -> tuple[Api, Output]:
    """The API that a command asks, and its output.

    Raises:
        CommandError: no stack runs there, or its key can't be read.
    """
    # Imported when a command runs: `--help` needs neither.
    from gateway.cli.api import open_api
    from gateway.cli.output import Output

    return open_api(data_dir_path), Output(json_wanted=json_wanted)


def person_here() -> str:
    """Who is said to act where the installation's shared admin key is used: the user here. The
    server goes by the name of any other key."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
