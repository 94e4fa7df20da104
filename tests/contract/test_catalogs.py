"""The shipped catalogs as a whole: how much they know, that every row can be used, and that none
calls a change a read."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.authoring.imports.rebuild import importer, importer_names, index_of
from gateway.authoring.mappers import run_tests
from gateway.canonicalize.authored.row import SENSITIVE, Row
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.compiled import compile_row
from gateway.canonicalize.catalog.file import CatalogFile, load_catalog, load_section
from gateway.canonicalize.catalog.lines import row_of
from gateway.canonicalize.naming.words import ACTION_NAME
from gateway.content import mappers_dir
from gateway.model.action import Kind

OPERATIONS_MIN = 50_000
PROVIDERS_MIN = 18

READS_BY_OTHER_METHODS: dict[str, str] = {}
"""Operations that read with PUT, PATCH or DELETE, each with the reason."""

CATALOGS = sorted((mappers_dir() / "catalogs").glob("*.cat"))


def rows(catalog: CatalogFile) -> Iterator[tuple[str, Row]]:
    """Every row with the name of its section."""
    for name in catalog.sections:
        for line in load_section(catalog, name):
            yield name, row_of(line)


def test_there_are_enough_operations_of_enough_providers() -> None:
    """What the product promises to know."""
    counts = Counter({path.stem: load_catalog(path).operations for path in CATALOGS})

    assert counts.total() >= OPERATIONS_MIN
    assert len(counts) >= PROVIDERS_MIN


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.stem)
def test_every_row_can_be_used(path: Path) -> None:
    """Each compiles, has a proper action's name, and changes nothing as a read."""
    catalog = load_catalog(path)
    wrong = []
    for section, row in rows(catalog):
        facts = catalog.sections[section].facts
        variables = tuple(facts.get("variables", ()))
        try:
            compile_row(row, catalog.provider, "problem", "", variables=variables)
        except ValueError as error:
            wrong.append(f"{row.operation}: {error}")
        if not ACTION_NAME.fullmatch(row.action):
            wrong.append(f"{row.operation}: `{row.action}` is no action's name")
        if row.sensitive not in ("", *SENSITIVE):
            wrong.append(f"{row.operation}: `{row.sensitive}` is no mark")
        method = row.wire.partition(" ")[0]
        is_listed = f"{path.stem} {row.operation}" in READS_BY_OTHER_METHODS
        if row.kind is Kind.READ and method in ("DELETE", "PUT", "PATCH") and not is_listed:
            wrong.append(f"{row.operation}: {method} is called a read")

    assert wrong == []


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.stem)
def test_a_catalog_says_where_it_comes_from(path: Path) -> None:
    """Its sources are those that its importer pins, and its digest is its own."""
    catalog = load_catalog(path)
    pinned = importer(path.stem)

    assert sorted(map(repr, catalog.sources)) == sorted(map(repr, pinned.sources))
    assert (catalog.name, catalog.provider) == (path.stem, pinned.provider)
    assert all(source.licence for source in catalog.sources)
    body = path.read_bytes()[catalog.body_at :]
    assert hashlib.sha256(body).hexdigest() == catalog.digest


def test_every_importer_has_its_catalog() -> None:
    """What can be rebuilt is shipped, and the other way round."""
    assert [path.stem for path in CATALOGS] == importer_names()


def test_the_index_is_that_of_the_files() -> None:
    """The gateway looks where the files are; `checkrein mappers import index` makes it anew."""
    is_fresh = (mappers_dir() / "catalogs" / "index.json").read_bytes() == index_of(mappers_dir())

    # Not compared in the assertion: the difference of two such files takes minutes to show.
    assert is_fresh, "run `checkrein mappers import index`"


@functools.cache
def everything() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


def test_all_mappers_fit_their_catalogs() -> None:
    """No entry stands twice, no override is of nothing, all hosts have one owner."""
    assert [str(problem) for problem in everything().check()] == []


def test_every_inline_test_passes() -> None:
    """The tests inside the shipped mappers hold, and every file has some."""
    results = run_tests(everything())

    assert [result for result in results if result.differences] == []
    files = {file.name for file in mappers_dir().glob("*.yaml")} - {TAXONOMY_FILE}
    assert {Path(result.test.file).name for result in results} == files
