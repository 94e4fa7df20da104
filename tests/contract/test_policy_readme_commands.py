"""The README of the policies: what it teaches is done here word for word."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.content import mappers_dir, policies_dir
from gateway.decide.loader import load_bundle
from gateway.model.decision import Context
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STYLES = re.compile(r"\x1b\[[0-9;]*m")
REVISION = re.compile(r"revision [0-9a-f]{12}")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def section(heading: str) -> str:
    text = (policies_dir() / "README.md").read_text()
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def commands(block: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each command of a block with the lines that it is said to print."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield shlex.split(command), lines


def plain(lines: list[str]) -> list[str]:
    """Lines without styles, however wide their columns are."""
    words = (" ".join(STYLES.sub("", line).split()) for line in lines)
    return [REVISION.sub("revision", line) for line in words]


def write_record(path: Path) -> None:
    """What a gateway with the starter policy recorded of a morning."""
    then = load_bundle([policies_dir() / "starter.yaml"])
    actions = [
        act("create_refund", params={"amount": 900, "currency": "usd"}),
        act("create_refund", params={"amount": 90_000, "currency": "usd"}),
        act("create_refund", params={"amount": 900, "currency": "x" * 600}),
        act("create_charge", params={"amount": 900, "currency": "usd"}),
        act("list_charge", "read"),
    ]
    entries = [
        record_fields(then, action, Context("bot", None, number), decision_id=f"dec_{number}")
        for number, action in enumerate(actions * 20, 1)
    ]
    path.write_bytes(b"\n".join(sealed(entries)) + b"\n")


def run_on_terminal(words: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    screen = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        run_command(words[1:])
    return screen.getvalue().splitlines()


def test_every_command_prints_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its order, on the policy that is written there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    Path("policies").symlink_to(policies_dir())
    Path("mappers").symlink_to(mappers_dir())
    write_record(Path("record.jsonl"))
    mine = Path("mine.yaml")
    ran = 0
    for language, block in BLOCK.findall(section("Ask before you switch on")):
        match language:
            case "yaml":
                (Path("mine.cases.yaml") if block.startswith("cases") else mine).write_text(block)
            case "diff":
                before, after = (line[1:] for line in block.splitlines())
                assert mine.read_text().count(before) == 1
                mine.write_text(mine.read_text().replace(before, after))
            case "console":
                for words, lines in commands(block):
                    assert words[:2] == ["checkrein", "policies"]
                    assert plain(run_on_terminal(words, monkeypatch)) == plain(lines), words
                    ran += 1
    assert ran == 5


def test_the_rules_in_json_load(tmp_path: Path) -> None:
    """As they stand there."""
    ((_, block),) = BLOCK.findall(section("Rules in JSON"))
    path = tmp_path / "rules.json"
    path.write_text(block)
    (policy,) = load_bundle([path]).policies
    assert [rule.id for rule in policy.rules] == ["read", "write", "shell"]
