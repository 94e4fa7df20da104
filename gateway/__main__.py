"""`python -m gateway`: run the data plane in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import os
import sys

from gateway.model.errors import CheckreinError, ConfigurationError


def main() -> int:
    """Read the settings, run, and return the exit status (2 configuration, 1 other faults)."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=main.__doc__)
    parser.add_argument("--ready-fd", type=int, help="write one JSON line here when ready")
    arguments = parser.parse_args()
    # Imported late: `--help` and a usage error must not wait for OpenSSL and YAML.
    from gateway.app import run_gateway
    from gateway.settings import load_settings

    try:
        run_gateway(load_settings(os.environ), arguments.ready_fd)
    except ConfigurationError as error:
        for problem in error.problems:
            place = f":{problem.line}:{problem.column}" if problem.line else ""
            print(f"error: {problem.file}{place}: {problem.message}", file=sys.stderr)  # noqa: T201
            if problem.help:
                print(f"help: {problem.help}", file=sys.stderr)  # noqa: T201
        return 2
    except CheckreinError as error:
        print(f"error: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
