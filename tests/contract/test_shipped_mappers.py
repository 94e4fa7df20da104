"""The shipped mapper files as a whole: right to the loader and to the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.authoring.schema import FILE
from gateway.canonicalize.authored.mapper import parse_mapper
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.library import CATALOGS
from gateway.content import mappers_dir
from gateway.model.action import Kind

FILES = sorted(path for path in mappers_dir().glob("*.yaml") if path.name != TAXONOMY_FILE)
NAMES = {path.stem for path in (mappers_dir() / CATALOGS).glob("*.cat")}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads((mappers_dir() / FILE).read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files(validator: Draft202012Validator, path: Path) -> None:
    """Every shipped file is right to both."""
    data = path.read_bytes()

    assert parse_mapper(data, path.name, NAMES)[1] == []
    document = yaml.load(data, yaml.CSafeLoader)
    assert [error.message for error in validator.iter_errors(document)] == []


def test_no_shipped_entry_calls_a_deletion_a_read() -> None:
    """No entry with DELETE, PUT or PATCH reads."""
    entries = list(Canonicalizer.load([mappers_dir()]).operations)

    assert [
        entry.template
        for entry in entries
        if entry.method in ("DELETE", "PUT", "PATCH") and entry.kind is Kind.READ
    ] == []
