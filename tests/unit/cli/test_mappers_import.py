"""`checkrein mappers import` and `coverage`: proposals, drafts and catalogs."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from gateway.authoring.imports import rebuild
from gateway.authoring.imports.rebuild import Importer
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection
from gateway.model.action import Kind
from tests.support.mapper_commands import ROW, SHOP, lines_of, on_terminal, over, request_line, run


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


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


def test_the_index_of_an_own_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is missing, made, and then the same; an edited mapper makes it differ."""
    mapper = tmp_path / "shop.yaml"
    mapper.write_text(
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: shop}\n"
        "spec: {provider: shop, hosts: [shop.test], operations: {GET /a: get_a}}\n"
    )
    states = []
    for change, arguments in (
        (False, ["--check"]), (False, []), (False, ["--check"]), (True, ["--check"]),
    ):  # fmt: skip
        if change:
            mapper.write_text(mapper.read_text().replace("get_a", "get_b"))
        status = run("import", "index", tmp_path, *arguments)
        states.append((status, lines_of(capsys)[0]["state"]))

    assert states == [(1, "missing"), (0, "written"), (0, "same"), (1, "differs")]
