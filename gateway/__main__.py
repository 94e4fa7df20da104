"""`python -m gateway`: run the data plane in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import gc
import os
import sys

from gateway.model.errors import CheckreinError, ConfigurationError


def main() -> int:
    """Read the settings, run, and return the exit status (2 configuration, 1 other faults)."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=main.__doc__)
    parser.add_argument("--ready-fd", type=int, help="write one JSON line here when ready")
    parser.add_argument("--workers", type=int, help="processes on one port (CHECKREIN_WORKERS)")
    # What a supervisor tells its workers.
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--lifeline-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--own-address", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.workers is not None:
        os.environ["CHECKREIN_WORKERS"] = str(arguments.workers)
    # A start only makes what stays: a tenth of it would be looks for garbage. The collector is let
    # in again once the gateway is ready.
    gc.disable()
    # Imported late: `--help` and a usage error must not wait for OpenSSL and YAML.
    from gateway.settings import load_settings

    try:
        settings = load_settings(os.environ)
        if settings.life.workers > 1 and not arguments.worker:
            # The supervisor serves nobody: it does without the data path and its memory.
            from gateway.workers.supervisor import run_workers

            gc.enable()
            return run_workers(settings, arguments.ready_fd)
        from gateway.app import Place, run_gateway

        gc.freeze()  # code and classes stay: the look at what the start leaves needn't see them
        host, _, port = arguments.own_address.rpartition(":")
        own = (host, int(port)) if port else None
        run_gateway(
            settings, arguments.ready_fd, Place(arguments.worker, arguments.lifeline_fd, own)
        )
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
