"""The README of the mappers: what it teaches is done here word for word."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.content import mappers_dir

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def blocks() -> list[tuple[str, str]]:
    text = (mappers_dir() / "README.md").read_text()
    worked = text.partition("## Your own API")[2].partition("\n## ")[0]
    return BLOCK.findall(worked)


def commands(block: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each command of a block with the lines that it is said to print."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        yield shlex.split(command), [line.rstrip() for line in lines]


def plain(line: str) -> str:
    """A line without styles, however wide its columns are."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", line).split())


def edited(text: str, diff: str) -> str:
    """The text with each run of `-` lines replaced by the `+` lines behind it."""
    found = re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", diff, re.MULTILINE)
    assert found
    for old, new in found:
        before, after = ("\n".join(line[1:] for line in lines.splitlines()) for lines in (old, new))
        assert text.count(before) == 1
        text = text.replace(before, after)
    return text


def test_the_worked_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the README is run in its order, and prints what the README says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    ran = 0
    for language, block in blocks():
        shop = Path("shop.yaml")
        match language:
            case "json":
                Path("recording.jsonl").write_text(block)
            case "yaml":
                assert block in shop.read_text()
            case "diff":
                shop.write_text(edited(shop.read_text(), block))
            case "console":
                for words, lines in commands(block):
                    screen = Terminal()
                    monkeypatch.setattr(sys, "stdout", screen)
                    monkeypatch.setattr(sys, "stderr", screen)
                    assert words[:2] == ["checkrein", "mappers"]
                    status = run_command(words[1:])
                    printed = [plain(line) for line in screen.getvalue().splitlines()]
                    assert (status, printed) == (0, list(map(plain, lines)))
                    ran += 1

    assert ran == 5
    assert "s3cr3t" not in Path("shop.yaml").read_text()
