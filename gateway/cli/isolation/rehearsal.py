"""Isolates a program that does nothing, to learn whether the kernel allows it: for the doctor.

Ends with status 0, or with the reason on standard error. No gateway is needed.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from gateway.cli.failures import CommandError
from gateway.cli.isolation.isolated import Fence, isolated
from gateway.cli.isolation.scenery import KEPT_OF_RUNTIME, RUNTIME_FOLDERS

_NOWHERE = "http://nobody:nothing@127.0.0.1:9"


def main(arguments: Sequence[str] = ()) -> int:
    """Run it; the status for the shell."""
    program = shutil.which("true") or "/bin/true"
    fence = Fence(RUNTIME_FOLDERS, KEPT_OF_RUNTIME, ())
    try:
        with isolated(program, ["true", *arguments], {}, _NOWHERE, fence) as child:
            return child.wait()
    except CommandError as error:
        print(error.message, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
