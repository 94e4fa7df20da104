"""Runs `checkrein mappers` in this process, in a pipe or on a terminal, with a small mapper."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from gateway.canonicalize.authored.row import Row
from gateway.cli.main import run_command
from gateway.model.action import Kind

SHOP = """apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  operations:
    GET /orders: list_order
    DELETE /orders/{order}: {action: delete_order, target: {type: order, id: path.order}}
    POST /keys: {action: create_access_key, kind: admin, sensitive: credentials}
  tests:
    - {request: "GET /orders", expect: {kind: read}}
"""
ROW = Row("things.delete", "DELETE /things/{id}", Kind.DELETE, "delete_thing", reversible=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Standard:
    """A standard input that gives one piece for each read."""

    def __init__(self, *pieces: bytes) -> None:
        self.buffer = self
        self._pieces = [*pieces, b""]

    def read1(self, _: int) -> bytes:
        return self._pieces.pop(0)

    def read(self, _: int = -1) -> bytes:
        data, self._pieces = b"".join(self._pieces), [b""]
        return data


def run(*arguments: object) -> int:
    return run_command(["mappers", *map(str, arguments)])


def on_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str]:
    screen = Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("PAGER", raising=False)
    monkeypatch.setenv("LESS", "")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", screen)
        status = run(*arguments)
    return status, screen.getvalue()


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def request_line(path: str) -> bytes:
    return json.dumps({"method": "GET", "url": f"https://shop.test{path}"}).encode()


def over(entry: str = "") -> str:
    return (
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: a}\nspec:\n  provider: a\n"
        f"  hosts: [a.test]\n  extends: catalog:a\n  operations:\n    {entry or 'GET /x: get_x'}\n"
    )
