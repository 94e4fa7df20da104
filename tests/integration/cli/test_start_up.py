"""The command starts without what it doesn't use, and leaves when its reader does."""

from __future__ import annotations

import json
import subprocess
import sys

IMPORTS = """
import json, sys
from gateway.cli.main import run_command
status = run_command(["--help"])
print(json.dumps(sorted(sys.modules)))
"""

HEAVY = {"rich", "aiohttp", "cryptography", "yaml", "pydantic", "asyncpg", "ssl", "asyncio"}


def test_help_imports_nothing_heavy() -> None:
    """`checkrein --help` is quick because it imports click and little else."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, timeout=30
    )

    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & HEAVY
    assert "click" in loaded


def test_a_reader_that_leaves_gets_no_traceback() -> None:
    """`checkrein ... | head -1` ends quietly."""
    command = f"{sys.executable} -m gateway.cli.main --help | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, timeout=30
    )

    assert (done.stdout, done.stderr) == ("", "")
