"""Runs import-linter, ruff and mypy as CI does, so that one command holds everything."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.structure.tree import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
CHECKED = ("gateway", "controlplane", "tests")

CHECKS: dict[str, list[str]] = {
    "imports go downwards only": ["lint-imports", "--no-cache"],
    "the lint rules hold": ["ruff", "check", "--no-cache", *CHECKED],
    "every file is formatted": ["ruff", "format", "--no-cache", "--check", *CHECKED],
}


def run_tool(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in the repository; output as one text."""
    return subprocess.run(
        [str(SCRIPTS / command[0]), *command[1:]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("command", CHECKS.values(), ids=CHECKS.keys())
def test_tool_is_content(command: list[str]) -> None:
    """The tool exits 0; its own words are the failure."""
    done = run_tool(command)

    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_types_are_strict() -> None:
    """mypy, strict, finds nothing in the gateway and the control plane."""
    done = run_tool(["mypy"])

    assert done.returncode == 0, done.stdout
