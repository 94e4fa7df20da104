"""What changed between two catalogs or mappers, and what of it became weaker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.catalog_diff import Change, compare
from gateway.authoring.listing import Act, acts_of_catalog, acts_of_mappers
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, load_catalog, write_catalog
from gateway.model.action import Kind

ROW = Row(
    "refunds.create", "POST /refunds/{id}", Kind.DELETE, "create_refund", "charge", "path.id",
    {"amount": RowParam("body.amount", "integer")}, reversible=False, sensitive="credentials",
)  # fmt: skip


def acts(folder: Path, rows: Sequence[Row], section: str = "main") -> list[Act]:
    path = folder / "a.cat"
    path.write_bytes(write_catalog("a", "a", [], [NewSection(section, rows)]))
    return list(acts_of_catalog(load_catalog(path)))


CHANGES: dict[str, tuple[dict[str, Any], Change | None, str]] = {
    "nothing": ({}, None, ""),
    "a delete becomes a read": ({"kind": Kind.READ}, Change.WEAKER, "delete became read"),
    "a delete becomes an update": ({"kind": Kind.UPDATE}, Change.WEAKER, "delete became update"),
    "a delete becomes admin": ({"kind": Kind.ADMIN}, Change.CHANGED, ""),
    "a delete becomes unknown": ({"kind": Kind.UNKNOWN}, Change.CHANGED, ""),
    "it can be undone": ({"reversible": True}, Change.WEAKER, "it is no longer irreversible"),
    "it lost its mark": (
        {"sensitive": ""}, Change.WEAKER, "it is no longer marked `credentials`",
    ),
    "another action": ({"action": "refund_charge"}, Change.CHANGED, ""),
    "another name on the same path": ({"operation": "refund"}, Change.CHANGED, ""),
    "another name and a read": (
        {"operation": "x", "kind": Kind.READ}, Change.WEAKER, "delete became read",
    ),
    "another target": ({"target_id": "body.id"}, Change.CHANGED, ""),
    "fewer params": ({"params": {}}, Change.CHANGED, ""),
    "another name of a variable": (
        {"wire": "POST /refunds/{refund}", "target_id": "path.refund"}, Change.CHANGED, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "change", "why"), CHANGES.values(), ids=CHANGES)
def test_changes(tmp_path: Path, fields: dict[str, Any], change: Change | None, why: str) -> None:
    """What a request would mean before and after is compared, field by field."""
    found = compare(acts(tmp_path, [ROW]), acts(tmp_path, [replace(ROW, **fields)]))

    assert [(one.change, one.why) for one in found] == ([(change, why)] if change else [])


def test_unknown_to_read_is_weaker(tmp_path: Path) -> None:
    """What nobody knew and would now pass as a read must be seen; any other kind is knowledge."""
    old = acts(tmp_path, [replace(ROW, kind=Kind.UNKNOWN)])
    changes = {
        kind: compare(old, acts(tmp_path, [replace(ROW, kind=kind)]))[0].change
        for kind in (Kind.READ, Kind.CREATE, Kind.ADMIN)
    }

    assert changes == {
        Kind.READ: Change.WEAKER, Kind.CREATE: Change.CHANGED, Kind.ADMIN: Change.CHANGED,
    }  # fmt: skip


def test_the_order(tmp_path: Path) -> None:
    """Weaker ones first, then removed, changed and added ones."""
    rows = {
        name: replace(ROW, operation=name, wire=f"POST /{name}", target_id="")
        for name in ("added", "changed", "removed", "same", "weaker")
    }
    old = [rows[name] for name in ("changed", "removed", "same", "weaker")]
    new = [
        rows["added"],
        replace(rows["changed"], action="x"),
        rows["same"],
        replace(rows["weaker"], kind=Kind.READ),
    ]

    found = compare(acts(tmp_path, old), acts(tmp_path, new))

    assert [(one.change.value, one.act.operation) for one in found] == [
        (name, name) for name in ("weaker", "removed", "changed", "added")
    ]


def test_the_same_path_of_two_services(tmp_path: Path) -> None:
    """Sections are other hosts: a read of one is not compared with a delete of the other."""
    read = replace(ROW, kind=Kind.READ)
    both = acts(tmp_path, [ROW], "a") + acts(tmp_path, [read], "b")

    assert compare(both, both) == []
    assert [one.change for one in compare(both, acts(tmp_path, [read], "b"))] == [Change.REMOVED]


def test_conditions_tell_rows_apart(tmp_path: Path) -> None:
    """A row with another condition is another way to call it."""
    when = replace(ROW, when={"query.copy": True}, kind=Kind.READ)
    found = compare(acts(tmp_path, [ROW]), acts(tmp_path, [ROW, when]))

    assert [one.change for one in found] == [Change.ADDED]


MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: a}
spec:
  provider: a
  hosts: [a.test]
  extends: catalog:a
  operations:
    refunds.create: {kind: admin, params: {reason: body.reason}}
    POST /other: {operation: others.create, action: create_other}
    GET /things/{id}: {operation: things.get, action: get_thing, when: {query.x: true}, target: {type: thing, id: "{path.id}-x"}}
"""  # noqa: E501


def test_mappers_stand_over_their_catalog(tmp_path: Path) -> None:
    """Entries replace rows of their operation and method, overrides change what they say."""
    (tmp_path / "catalogs").mkdir()
    rows = [ROW, replace(ROW, operation="others.create", wire="POST /others")]
    (tmp_path / "catalogs" / "a.cat").write_bytes(
        write_catalog("a", "a", [], [NewSection("main", rows)])
    )
    (tmp_path / "a.yaml").write_text(MAPPER)

    found = {act.operation: act for act in acts_of_mappers([tmp_path])}

    assert sorted(found) == ["others.create", "refunds.create", "things.get"]
    refund, thing = found["refunds.create"], found["things.get"]
    assert (refund.kind, refund.action, refund.params) == (
        "admin", "create_refund", {"reason": "body.reason"},
    )  # fmt: skip
    assert refund.origin.endswith("a.yaml:10")
    assert found["others.create"].wire == "POST /other"
    assert (thing.target_id, thing.when) == ("{path.id}-x", {"query.x": True})
