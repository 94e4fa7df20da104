"""The shipped catalogs against the SDKs that they were imported from, as they are installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
import stripe

from gateway.authoring.imports.agreement import agreed
from gateway.authoring.imports.rebuild import importer
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE, load_taxonomy
from gateway.canonicalize.catalog.file import write_catalog
from gateway.canonicalize.library import CATALOGS
from gateway.content import mappers_dir

INSTALLED = Path(stripe.__file__).parents[1]
"""The folder that holds the installed packages, laid out as their wheels are."""


@pytest.mark.parametrize("name", ["stripe", "openai", "anthropic", "cloudflare", "notion"])
def test_an_import_gives_the_shipped_bytes(name: str) -> None:
    """Reading the SDK's source again makes the very same catalog."""
    wanted = importer(name)
    (source,) = wanted.sources
    assert importlib.metadata.version(source.package) == source.version
    taxonomy, problems = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    assert taxonomy is not None, problems

    sections = agreed(wanted.sections({source.package: INSTALLED}), taxonomy)
    made = write_catalog(wanted.name, wanted.provider, wanted.sources, sections)

    shipped = (mappers_dir() / CATALOGS / f"{name}.cat").read_bytes()
    assert made.splitlines() == shipped.splitlines()
