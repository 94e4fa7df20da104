"""Runs `checkrein policies` in this process, in a pipe or as on a terminal."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from gateway.cli.main import run_command
from tests.support.policy_world import policy_text

READ = '{"provider":"s","action":"get","kind":"read"}'
GOOD = policy_text("- {id: reads, priority: 1, match: {kind: read}, effect: ALLOW}")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Standard:
    """A standard input of bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def run(*arguments: object) -> int:
    return run_command(["policies", *map(str, arguments)])


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str]:
    screen = Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        status = run(*arguments)
    return status, screen.getvalue()


def line_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    value: dict[str, Any] = json.loads(line)
    return value
