"""`checkrein mappers map` and `list` as processes: a client that waits, and one that goes away."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.command import COMMAND, Checkrein
from tests.support.mapper_commands import SHOP, request_line


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


def start(place: Checkrein, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "mappers", *words],
        env=place.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_client_that_waits_for_each_answer(tmp_path: Path, shop: Path) -> None:
    """A line is answered before the next one is written, and the end of input ends it well."""
    with start(Checkrein(tmp_path / "place"), "map", "--mappers", str(shop)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for path in ("/orders", "/nothing", "/orders"):
            process.stdin.write(request_line(path) + b"\n")
            process.stdin.flush()
            (action,) = json.loads(process.stdout.readline())["actions"]
            assert action["action"] == ("list_order" if path == "/orders" else "unknown")
        process.stdin.close()
        assert process.wait(30) == 0


def test_a_client_that_goes_away(tmp_path: Path, shop: Path) -> None:
    """`| head -1` gets its line, and no traceback."""
    place = Checkrein(tmp_path / "place")
    requests = tmp_path / "requests.jsonl"
    requests.write_bytes((request_line("/orders") + b"\n") * 20_000)
    words = f"'{COMMAND[0]}' -m {COMMAND[2]} mappers map --mappers '{shop}' < '{requests}'"
    result = subprocess.run(
        ["bash", "-c", f"{words} | head -1"],
        env=place.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert json.loads(result.stdout)["actions"][0]["action"] == "list_order"
    assert "Traceback" not in result.stderr
