"""The SQL's files: every named query is used, and every use has its query."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import controlplane
from controlplane.store.migrations import load_migrations
from controlplane.store.queries import FOLDER, load_queries

PACKAGE = Path(controlplane.__file__).parent

_USE = re.compile(r'_SQL\["(\w+)"\]')


@pytest.mark.parametrize("resource", sorted(file.stem for file in FOLDER.glob("*.sql")))
def test_queries_and_their_uses_match(resource: str):
    """A query that nobody asks for is dead; a name that no file has fails at run time."""
    module = PACKAGE / "store" / f"{'roles' if resource == 'rights' else resource}.py"
    text = module.read_text()
    used = set(_USE.findall(text)) | set(re.findall(r'load_queries\("rights"\)\["(\w+)"\]', text))
    assert used == set(load_queries(resource))


@pytest.mark.parametrize("resource", sorted(file.stem for file in FOLDER.glob("*.sql")))
def test_parts_and_their_uses_match(resource: str):
    """No query keeps the place of a part that is not there; a part is there to be shared."""
    places = re.compile(r"\{([a-z]\w*)\}")
    left = {name for text in load_queries(resource).values() for name in places.findall(text)}
    assert left == ({"role"} if resource == "rights" else set())
    text = (FOLDER / f"{resource}.sql").read_text()
    for part in re.findall(r"^-- part: (\w+)$", text, re.MULTILINE):
        assert text.count(f"{{{part}}}") > 1, part


def test_sql_stands_in_the_store_only():
    """STYLE: other layers can't grow statements of their own."""
    statement = re.compile(
        r"\b(select|insert into|update|delete from)\b .*\b(from|set|values|\$1)\b"
    )
    for folder in ("api", "services", "notify"):
        for file in (PACKAGE / folder).glob("*.py"):
            assert not statement.search(file.read_text()), file


def test_migrations_are_numbered_without_a_gap():
    """Forward only: 1, 2, 3, ..."""
    assert [one.version for one in load_migrations()] == list(range(1, len(load_migrations()) + 1))
