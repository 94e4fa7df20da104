"""A second mapper over a catalog: the customer's own installation of a provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.file import NewSection, write_catalog
from gateway.model.action import Kind

MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {{name: {name}}}
spec: {{provider: forge, extends: catalog:forge, hosts: [{hosts}], operations: {{}}}}
"""
ROWS = [Row("repos/delete", "DELETE /repos/{repo}", Kind.DELETE, "delete_repository")]


@pytest.fixture
def canonicalizer(tmp_path: Path) -> Canonicalizer:
    """A provider's own mapper, with a host beside its catalog's, and one of an installation."""
    (tmp_path / "catalogs").mkdir()
    sections = [NewSection("all", ROWS, hosts=("api.forge.example",))]
    data = write_catalog("forge", "forge", [], sections)
    (tmp_path / "catalogs" / "forge.cat").write_bytes(data)
    for name, hosts in (
        ("forge", "api.forge.example, old.forge.example"),
        ("ours", "forge.corp.example"),
    ):
        (tmp_path / f"{name}.yaml").write_text(MAPPER.format(name=name, hosts=hosts))
    return Canonicalizer.load([tmp_path])


@pytest.mark.parametrize(
    ("host", "operation"),
    [
        pytest.param("api.forge.example", "repos/delete", id="the host of the catalog"),
        pytest.param("forge.corp.example", "repos/delete", id="the host of the installation"),
        pytest.param("old.forge.example", "unknown", id="a host beside the catalog's has no row"),
    ],
)
def test_a_mapper_with_none_of_the_catalogs_hosts_has_the_whole_catalog_at_its_own(
    canonicalizer: Canonicalizer, host: str, operation: str
) -> None:
    """And it adds nothing to the provider's hosts, where every entry would stand twice."""
    request = build_request("DELETE", f"https://{host}/repos/r1", [], b"")

    (action,) = canonicalizer.canonicalize(request).actions

    assert action.operation == operation
