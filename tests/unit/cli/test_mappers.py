"""`checkrein mappers`: what each command prints, in a pipe and on a terminal, and its status."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, write_catalog
from gateway.cli.mappers import map_lines
from gateway.model.action import Kind
from tests.support.mapper_commands import (
    ROW,
    SHOP,
    Standard,
    lines_of,
    on_terminal,
    over,
    request_line,
    run,
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


# --- check and test -------------------------------------------------------------------------------


def test_check(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good file is counted."""
    assert run("check", shop) == 0
    assert lines_of(capsys) == [{"files": 1, "entries": 3, "problems": 0}]
    assert on_terminal(monkeypatch, "check", shop) == (0, "1 file, 3 entries, no problem\n")


def test_check_tells_every_problem(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with line, column and what to do; exit status 1."""
    shop.write_text(SHOP.replace("kind: admin", "kind: admn").replace("order}", "Order}", 1))

    assert run("check", shop) == 1
    found = lines_of(capsys)
    assert [(one["line"], one["column"]) for one in found] == [(9, 5), (10, 51)]
    assert found[1]["help"] == "did you mean `admin`?"
    status, screen = on_terminal(monkeypatch, "check", shop)
    assert status == 1
    assert f"{shop}:10:51: `admn` is no kind" in screen


def test_check_an_override_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An operation that the catalog doesn't have is told with the nearest name."""
    shelf = catalogs(tmp_path, ROW)
    (tmp_path / "a.yaml").write_text(over("things.delet: {kind: admin}"))

    assert shelf.is_file()
    assert run("check", tmp_path) == 1
    (problem,) = lines_of(capsys)
    assert (problem["line"], problem["help"]) == (9, "did you mean `things.delete`?")


def test_inline_tests(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its place and what differed; exit status 1 where one failed."""
    assert run("test", shop) == 0
    assert [one["passed"] for one in lines_of(capsys)] == [True]
    shop.write_text(SHOP.replace("{kind: read}", "{kind: delete}"))
    assert run("test", shop) == 1
    (found,) = lines_of(capsys)
    assert found["differences"] == ["kind: expected 'delete', found 'read'"]
    status, screen = on_terminal(monkeypatch, "test", shop)
    assert (status, "0 of 1 test passed" in screen) == (1, True)


# --- explain --------------------------------------------------------------------------------------

EXPLAINED: dict[str, tuple[list[str], bytes, int, str | None]] = {
    "method and URL": (["DELETE", "https://shop.test/orders/1"], b"", 0, "delete_order"),
    "a curl command in one argument": (
        ["--curl", "curl -X DELETE https://shop.test/orders/1"], b"", 0, "delete_order",
    ),
    "a curl command behind two dashes": (
        ["--", "curl", "-XDELETE", "https://shop.test/orders/1"], b"", 0, "delete_order",
    ),
    "a curl command in quotes": (
        ["curl -X DELETE https://shop.test/orders/1"], b"", 0, "delete_order",
    ),
    "a pasted one": (["-"], b"curl \\\n https://shop.test/orders", 0, "list_order"),
    "a body": (["POST", "https://shop.test/keys", "-d", "a=1"], b"", 0, "create_access_key"),
    "one that is refused": (["GET", "https://shop.test//x"], b"", 1, None),
    "no URL": (["GET", "nowhere"], b"", 2, None),
    "a method alone": (["GET"], b"", 2, None),
    "a curl command that can't be read": (["-"], b"curl 'https://shop.test", 2, None),
    "a header that is none": (["GET", "https://shop.test/", "-H", "x"], b"", 2, None),
    "a body that is not there": (["GET", "https://shop.test/", "-d", "@/no/file"], b"", 2, None),
}  # fmt: skip


@pytest.mark.parametrize(("words", "stdin", "status", "action"), EXPLAINED.values(), ids=EXPLAINED)
def test_explain(
    shop: Path,
    words: list[str],
    stdin: bytes,
    status: int,
    action: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request in any notation; 1 where it is refused, 2 where it is none."""
    monkeypatch.setattr(sys, "stdin", Standard(stdin))

    assert run("explain", "--mappers", shop, *words) == status
    found = capsys.readouterr()
    if action is not None:
        assert json.loads(found.out)["actions"][0]["action"] == action
    elif status == 2:
        assert found.err.startswith("error: ")


# --- map ------------------------------------------------------------------------------------------


def test_map_answers_each_line(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line out for each in, wherever the pieces end, and for the last one without its end."""
    data = b"\n".join([request_line("/orders"), b"nonsense", b"", request_line("//"), b"{}"])
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    monkeypatch.setattr(sys, "stdin", Standard(*pieces))

    assert run("map", "--mappers", shop) == 0
    refused = [line["refused"] for line in lines_of(capsys)]
    assert refused == [None, *["malformed_input"] * 2, "ambiguous_path", "malformed_input"]


def test_map_answers_before_it_reads_on(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for an answer before it writes its next line gets it."""
    screen = io.StringIO()

    class Client(Standard):
        def read1(self, size: int) -> bytes:
            seen.append(screen.getvalue().count("\n"))
            return super().read1(size)

    seen: list[int] = []
    monkeypatch.setattr(sys, "stdin", Client(*[request_line("/orders") + b"\n"] * 3))
    monkeypatch.setattr(sys, "stdout", screen)

    assert run("map", "--mappers", shop) == 0
    assert seen == [0, 1, 2, 3]


def test_map_never_keeps_a_line_that_is_too_long(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a line is refused, and the next one is answered."""
    monkeypatch.setattr("gateway.authoring.requests.LINE_BYTES_MAX", 100)
    kept: list[int] = []

    def groups(stream: object) -> Iterator[list[bytes]]:
        for group in original(stream):  # type: ignore[arg-type]
            kept.extend(map(len, group))
            yield group

    original = map_lines._line_groups
    monkeypatch.setattr(map_lines, "_line_groups", groups)
    monkeypatch.setattr(
        sys, "stdin", Standard(*[b"x" * 50] * 1_000, b"\n" + request_line("/orders"))
    )

    assert run("map", "--mappers", shop) == 0
    assert [line["refused"] for line in lines_of(capsys)] == ["malformed_input", None]
    assert max(kept) < 250


# --- list and diff --------------------------------------------------------------------------------

LISTED: dict[str, tuple[list[str], int, list[str]]] = {
    "all": ([], 0, ["list_order", "delete_order", "create_access_key"]),
    "a provider": (["shop"], 0, ["list_order", "delete_order", "create_access_key"]),
    "another provider": (["nobody"], 1, []),
    "a kind": (["--kind", "delete"], 0, ["delete_order"]),
    "two kinds": (["--kind", "delete", "--kind", "read"], 0, ["list_order", "delete_order"]),
    "a word": (["--grep", "ORDERS/"], 0, ["delete_order"]),
    "no expression": (["--grep", "("], 2, []),
    "credentials": (["--sensitive"], 0, ["create_access_key"]),
    "nothing": (["--kind", "send"], 1, []),
}


@pytest.mark.parametrize(("words", "status", "actions"), LISTED.values(), ids=LISTED)
def test_list(
    shop: Path,
    words: list[str],
    status: int,
    actions: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Filtered by provider, kind, words and marks."""
    assert run("list", "--mappers", shop, *words) == status
    assert [line["action"] for line in lines_of(capsys)] == actions


def test_list_on_a_terminal(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each, and their number."""
    status, screen = on_terminal(monkeypatch, "list", "--mappers", shop)

    heading, *lines, count = screen.strip().splitlines()
    assert (status, heading.split()[0], count) == (0, "PROVIDER", "3 operations")
    assert [line.split()[:2] for line in lines] == [
        ["shop", f"shop.{name}"] for name in ("list_order", "delete_order", "create_access_key")
    ]


def catalogs(folder: Path, *rows: Row) -> Path:
    (folder / "catalogs").mkdir(exist_ok=True)
    path = folder / "catalogs" / "a.cat"
    path.write_bytes(write_catalog("a", "a", [], [NewSection("a", rows)]))
    return path


def test_list_catalogs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a folder's mappers extend, with the number of operations and the sources."""
    catalogs(tmp_path, ROW)
    (tmp_path / "a.yaml").write_text(over())

    assert run("list", "--catalogs", "--mappers", tmp_path) == 0
    (found,) = lines_of(capsys)
    assert (found["catalog"], found["operations"], found["sources"]) == ("a", 1, [])


def test_diff(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became weaker stands on top, and ends with status 1."""
    from dataclasses import replace

    old = catalogs(tmp_path, ROW).rename(tmp_path / "old.cat")
    new = catalogs(tmp_path, replace(ROW, kind=Kind.READ), Row("x", "GET /x", Kind.READ, "get_x"))

    assert run("diff", old, new) == 1
    first, second, counts = lines_of(capsys)
    assert (first["change"], first["fields"]["kind"]) == (
        "weaker",
        {"old": "delete", "new": "read"},
    )
    assert second["change"] == "added"
    assert counts == {"changes": {"weaker": 1, "removed": 0, "changed": 0, "added": 1}}
    status, screen = on_terminal(monkeypatch, "diff", old, new)
    assert (status, screen.splitlines()[0].startswith("! weaker")) == (1, True)
    assert run("diff", old, old) == 0
    assert run("diff", "nobody") == 2
    assert run("diff", tmp_path / "nothing.cat", old) == 2
