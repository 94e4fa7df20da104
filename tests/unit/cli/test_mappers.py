"""`checkrein mappers`: what each command prints, in a pipe and on a terminal, and its status."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.imports import rebuild
from gateway.authoring.imports.rebuild import Importer
from gateway.canonicalize.catalog.file import NewSection, write_catalog
from gateway.canonicalize.catalog.row import Row
from gateway.cli.main import run_command
from gateway.cli.mappers import map_lines
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


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


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
    assert f"{shop}:10:50: `admn` is no kind" in screen


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


def request_line(path: str) -> bytes:
    return json.dumps({"method": "GET", "url": f"https://shop.test{path}"}).encode()


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


def over(entry: str = "") -> str:
    return (
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: a}\nspec:\n  provider: a\n"
        f"  hosts: [a.test]\n  extends: catalog:a\n  operations:\n    {entry or 'GET /x: get_x'}\n"
    )


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


# --- import and coverage --------------------------------------------------------------------------

REQUESTS = b"\n".join(map(request_line, ("/orders", "/orders?a=1", "/me", "/orders/17")))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.jsonl"
    path.write_bytes(REQUESTS)
    return path


def test_import_never_overwrites(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there stays, unless `--force` is given."""
    target = tmp_path / "new.yaml"
    target.write_text("mine")

    assert run("import", "flows", recording, "-o", target) == 1
    assert target.read_text() == "mine"
    assert "add `--force`" in capsys.readouterr().err
    assert run("import", "flows", recording, "-o", target, "--force", "--provider", "mine") == 0
    assert run("check", target) == 0
    assert run("test", target) == 0


IMPORTS: dict[str, tuple[list[str], int, str]] = {
    "a recording": (["flows", "recording.jsonl"], 0, "GET /orders/{order}:"),
    "some paths of it": (["flows", "recording.jsonl", "--only", "/m*"], 0, "GET /me: "),
    "standard input": (["har", "-"], 0, "provider: my-api"),
    "a host that is not in it": (["flows", "recording.jsonl", "--host", "x.test"], 1, "x.test"),
    "no path that fits": (["flows", "recording.jsonl", "--only", "/z"], 1, "no operation"),
    "a name that is none": (["har", "recording.jsonl", "--provider", "A B"], 2, "no name"),
    "no recording": (["har", "text"], 2, "neither a HAR file"),
    "no document": (["openapi", "text"], 2, "no OpenAPI"),
    "a document": (["openapi", "spec.yaml"], 0, "operation: listThings"),
}


@pytest.mark.parametrize(("words", "status", "text"), IMPORTS.values(), ids=IMPORTS)
def test_import(
    recording: Path,
    words: list[str],
    status: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proposal goes to standard output, and what is to be said beside it to standard error."""
    monkeypatch.chdir(recording.parent)
    Path("text").write_text("nothing")
    Path("spec.yaml").write_text(
        "openapi: 3.0.0\nservers: [{url: 'https://a.test'}]\n"
        "paths: {/things: {get: {operationId: listThings}}}\n"
    )
    data = request_line("/a").replace(b"shop.test", b"127.0.0.1")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]

    assert run("import", *words) == status
    found = capsys.readouterr()
    assert text in (found.err if status else found.out)
    assert bool(found.out) is not bool(status)


def test_coverage(
    shop: Path,
    recording: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How much is mapped, and what is not; a draft of the rest."""
    assert run("coverage", recording, "--mappers", shop) == 0
    (found,) = lines_of(capsys)
    assert (found["requests"], found["mapped"]) == (4, 2)
    assert [gap["template"] for gap in found["unmapped"]] == ["/me", "/orders/{order}"]
    status, screen = on_terminal(monkeypatch, "coverage", recording, "--mappers", shop)
    assert status == 0
    assert "2 of 4 requests are mapped (50.0 %)" in screen
    assert "GET /orders/{order}" in screen
    target = shop.with_name("rest.yaml")
    assert run("coverage", recording, "--mappers", shop, "--draft", "-o", target) == 0
    capsys.readouterr()
    assert run("coverage", recording, "--mappers", shop, "--mappers", target) == 0
    assert lines_of(capsys)[0]["mapped"] == 4


def test_catalogs_are_made_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written once, then the same; `--check` writes nothing and ends with status 1."""
    rows = [ROW]
    made = Importer("a", "a", (), lambda _: [NewSection("a", rows)])
    monkeypatch.setattr(rebuild, "importer_names", lambda: ["a"])
    monkeypatch.setattr(rebuild, "importer", lambda _: made)
    (tmp_path / "a.yaml").write_text(over())
    place = ("--output", tmp_path, "--cache", tmp_path / "cache")
    (tmp_path / "catalogs").mkdir()

    assert run("import", "catalogs", "--check", *place) == 1
    assert not (tmp_path / "catalogs" / "a.cat").exists()
    capsys.readouterr()
    assert run("import", "catalogs", *place) == 0
    assert [line["state"] for line in lines_of(capsys)] == ["written", "written"]
    assert run("import", "catalogs", "a", "--check", *place) == 0
    assert [line["state"] for line in lines_of(capsys)] == ["same", "same"]
    rows.append(Row("x", "GET /x", Kind.READ, "get_x"))
    assert run("import", "catalogs", "--check", *place) == 1
    assert lines_of(capsys)[0]["state"] == "differs"
    assert run("import", "catalogs", "nobody", *place) == 2


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """For editors."""
    assert run("schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Checkrein mapper"
