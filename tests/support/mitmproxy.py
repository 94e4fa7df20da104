"""A Python in which mitmproxy and the product are installed together, where one is at hand.

mitmproxy needs a younger Python than the product does, so it has an environment of its own, made
once for a run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GIVEN = "MITMPROXY_PYTHON"
"""Names a Python that has both already, and saves the installation."""

INSTALL_SECONDS_MAX = 240


class Unavailable(Exception):
    """There is no such Python here; says why."""


def make_environment(folder: Path) -> Path:
    """The Python of an environment with mitmproxy and the product.

    Raises:
        Unavailable: no Python is new enough, or the registry could not be reached.
    """
    given = os.environ.get(GIVEN)
    if given:
        return Path(given)
    python = next((found for found in _candidates() if _is_new_enough(found)), None)
    if python is None:
        raise Unavailable("mitmproxy needs Python 3.12 or newer, and there is none here")
    own = folder / "bin" / "python"
    for command in (
        [python, "-m", "venv", str(folder)],
        [str(own), "-m", "pip", "install", "-q", "--no-compile", "-e", f"{ROOT}[mitmproxy]"],
    ):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unavailable("mitmproxy took too long to install") from None
        if done.returncode:
            raise Unavailable(f"mitmproxy can't be installed: {done.stderr[-300:]}")
    return own


def _candidates() -> Iterator[str]:
    if sys.version_info >= (3, 12):
        yield sys.executable
    for minor in (14, 13, 12):
        found = shutil.which(f"python3.{minor}")
        if found is not None:
            yield found
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return
    listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, text=True).stdout
    for version in reversed(listed.split()):
        found = subprocess.run([pyenv, "prefix", version], capture_output=True, text=True).stdout
        yield f"{found.strip()}/bin/python"


def _is_new_enough(python: str) -> bool:
    """Runs it: a name on the path may be a stand-in that has no such version."""
    probe = "import sys, venv; sys.exit(sys.version_info < (3, 12))"
    try:
        return not subprocess.run([python, "-c", probe], capture_output=True, timeout=20).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
