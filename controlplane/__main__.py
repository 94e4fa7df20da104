"""`python -m controlplane`: run the control plane in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import os
import sys

from gateway.model.errors import CheckreinError, ConfigurationError


def main() -> int:
    """Read the settings, run, and return the exit status (2 configuration, 1 other faults)."""
    parser = argparse.ArgumentParser(prog="python -m controlplane", description=main.__doc__)
    parser.add_argument("--ready-fd", type=int, help="write one JSON line here when ready")
    arguments = parser.parse_args()
    # Imported late: `--help` and a usage error must not wait for the server's libraries.
    from controlplane.app import run_control_plane
    from controlplane.faults import StartError
    from controlplane.settings import load_settings

    try:
        run_control_plane(load_settings(os.environ), arguments.ready_fd)
    except ConfigurationError as error:
        for problem in error.problems:
            _tell(f"error: {problem.file}: {problem.message}")
            if problem.help:
                _tell(f"help: {problem.help}")
        return 2
    except StartError as error:
        _tell(f"error: {error.message}")
        _tell(f"help: {error.help}")
        return 1
    except CheckreinError as error:
        _tell(f"error: {error.message}")
        return 1
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
