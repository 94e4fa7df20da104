"""Sections of a catalog that are read when a path first has their literal in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.file import NewSection, write_catalog
from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest

HOST = "cloud.example.com"
MAPPER = f"""
apiVersion: checkrein/v1
kind: Mapper
metadata: {{name: cloud}}
spec:
  provider: cloud
  extends: catalog:cloud
  hosts: [{HOST}]
  ignoreCase: true
  operations: {{}}
"""
SECTIONS = [
    NewSection("base", [Row("any.get", "GET /{id+}", Kind.READ, "get_thing")]),
    NewSection(
        "keys",
        [Row("keys.list", "GET /vaults/{vault}/Keys", Kind.ADMIN, "list_key")],
        facts={"within": ["keys"]},
    ),
    NewSection(
        "roles",
        [Row("roles.set", "PUT /{scope+}/roles/{role}", Kind.ADMIN, "grant_role")],
        facts={"within": ["roles"]},
    ),
]


@pytest.fixture
def canonicalizer(tmp_path: Path) -> Canonicalizer:
    """A provider whose catalog has a section for every path and two that wait."""
    (tmp_path / "catalogs").mkdir()
    data = write_catalog("cloud", "cloud", [], SECTIONS)
    (tmp_path / "catalogs" / "cloud.cat").write_bytes(data)
    (tmp_path / "cloud.yaml").write_text(MAPPER)
    return Canonicalizer.load([tmp_path / "cloud.yaml"])


def request(line: str) -> HttpRequest:
    method, _, path = line.partition(" ")
    return build_request(method, f"https://{HOST}{path}", [], b"")


@pytest.mark.parametrize(
    ("line", "operation", "kind"),
    [
        pytest.param("GET /vaults/v1/Keys", "keys.list", Kind.ADMIN, id="its literal is there"),
        pytest.param("GET /VAULTS/v1/keys", "keys.list", Kind.ADMIN, id="in another case"),
        pytest.param("GET /vaults/v1/%4Beys", "keys.list", Kind.ADMIN, id="percent-encoded"),
        pytest.param("PUT /a/b/roles/r1", "roles.set", Kind.ADMIN, id="behind a greedy variable"),
        pytest.param("GET /vaults/v1", "any.get", Kind.READ, id="no literal of a section"),
        pytest.param("PUT /a/b/things/r1", "unknown", Kind.UNKNOWN, id="nothing fits"),
    ],
)
def test_a_waiting_section_is_read_before_it_could_be_missed(
    canonicalizer: Canonicalizer, line: str, operation: str, kind: Kind
) -> None:
    """A broader entry that is read already never answers for one that isn't yet."""
    (action,) = canonicalizer.canonicalize(request(line)).actions

    assert (action.operation, action.kind) == (operation, kind)


def test_a_request_is_ready_when_its_own_sections_are_read(canonicalizer: Canonicalizer) -> None:
    """Loading is asked for once, and for nothing that a path doesn't need."""
    keys, plain = request("GET /vaults/v1/keys"), request("GET /vaults/v1")
    assert canonicalizer.is_ready(plain)
    assert not canonicalizer.is_ready(keys)

    canonicalizer.canonicalize(keys)

    assert canonicalizer.is_ready(keys)
    assert not canonicalizer.is_ready(request("PUT /a/roles/r1"))


def test_a_check_reads_all_sections(canonicalizer: Canonicalizer) -> None:
    """What waits is checked like everything else, and only then is ready."""
    assert canonicalizer.check() == []

    assert canonicalizer.is_ready(request("PUT /a/roles/r1"))
