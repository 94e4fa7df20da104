"""Names of runs and agents, which travel in proxy credentials."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.cli.datadir import DataDir
from gateway.cli.failures import CommandError
from gateway.cli.run_credentials import agent_key_file, name_run

GOALS = {
    "no goal": (None, "run"),
    "words": ("Close October tickets", "close-october-tickets"),
    "what would end the name": ("a+b:c@d/e%f", "a-b-c-d-e-f"),
    "other scripts leave nothing": ("株式", "run"),
    "a long one is cut": ("word " * 20, "word-word-word-word-word-word-wo"),
    "control characters": ("x\r\ny", "x-y"),
}


@pytest.mark.parametrize(("goal", "words"), GOALS.values(), ids=GOALS.keys())
def test_a_goal_becomes_part_of_the_run(goal: str | None, words: str) -> None:
    """Only letters, digits and hyphens, so that nothing in it can be read as a separator."""
    name = name_run(goal)

    assert re.fullmatch(rf"{re.escape(words)}-[0-9a-f]{{8}}", name)


def test_two_runs_of_one_goal_differ() -> None:
    """The name tells every run from the others."""
    assert name_run("x") != name_run("x")


NAMES = {
    "a plain name": ("billing-bot", True),
    "dots and digits": ("bot.2", True),
    "a run in it": ("bot+run", False),
    "a way up": ("../admin", False),
    "a hidden file": (".bot", False),
    "nothing": ("", False),
    "a line break at the end": ("bot\n", False),
    "too long": ("a" * 65, False),
}


@pytest.mark.parametrize(("name", "is_good"), NAMES.values(), ids=NAMES.keys())
def test_agent_names_are_file_names_that_stay_inside(
    name: str, is_good: bool, tmp_path: Path
) -> None:
    """A name that could leave the directory, or be read as something else, is refused."""
    if is_good:
        assert agent_key_file(DataDir(tmp_path), name) == tmp_path / "agents" / f"{name}.key"
    else:
        with pytest.raises(CommandError, match="can't be the name"):
            agent_key_file(DataDir(tmp_path), name)
