"""Turns a mapper's entries that are keyed by an operation's own name into changes to a catalog.

`iam.AttachRolePolicy: {action: grant_role, kind: admin}` changes what it says and leaves the rest
as the catalog has it. Whether the operation exists and its addresses fit is known only beside the
catalog's row, so `apply` and the compilation of the result come when the row is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from gateway.canonicalize.authored.choices import FAMILIES
from gateway.canonicalize.authored.document import Document, Node, elements, is_scalar, is_true
from gateway.canonicalize.authored.operation import ParamType
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.authored.witness import read_witness
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import ACTION_NAME, PARAM_NAME
from gateway.model.action import Kind, WitnessRead
from gateway.model.dataclass import dataclass

_KEYS = (
    "action", "kind", "target", "params", "when", "reversible", "sensitive", "witness", "expand",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Override:
    """What a mapper says of one operation of its catalog. `fields` are fields of `Row`; `line` is
    where it stands, `when` what must hold besides the row's own conditions."""

    operation: str
    line: int
    fields: Mapping[str, Any]
    when: Mapping[str, str | bool] = field(default_factory=dict)
    witness: WitnessRead | None = None

    def apply(self, row: Row) -> Row:
        """The row as the mapper wants it."""
        return replace(row, **self.fields, when={**row.when, **self.when})


def read_override(document: Document, name: str, key: Node, value: Node) -> list[Override]:
    """Read one entry: an action's name, a block, or a list of blocks that `when` tells apart."""
    blocks = elements(value)
    nodes = [value] if blocks is None else blocks
    found = []
    for node in nodes:
        line = (key if blocks is None else node).start_mark.line + 1
        if is_scalar(node):
            action = _action(document, node)
            found.append(Override(name, line, {"action": action}))
        else:
            found.append(_read_block(document, name, node, line))
    return found


def _read_block(document: Document, name: str, node: Node, line: int) -> Override:
    given = document.fields(node, f"`{name}`", _KEYS)
    fields: dict[str, Any] = {}
    if "action" in given:
        fields["action"] = _action(document, given["action"])
    if "kind" in given:
        kinds = [kind.value for kind in Kind]
        fields["kind"] = Kind(document.choice(given["kind"], "kind", kinds, Kind.UNKNOWN))
    if "target" in given:
        fields |= _target(document, given["target"])
    if "params" in given:
        fields["params"] = _params(document, given["params"])
    if "reversible" in given:
        fields["reversible"] = document.boolean(given["reversible"], "reversible", True)
    if "sensitive" in given:
        fields["sensitive"] = document.text(given["sensitive"], "sensitive")
    if "expand" in given:
        fields["expand"] = document.choice(given["expand"], "family", ("", *FAMILIES), "")
    when = _when(document, given["when"]) if "when" in given else {}
    return Override(name, line, fields, when, read_witness(document, given.get("witness")))


def _action(document: Document, node: Node) -> str:
    action = document.text(node, "the action")
    if action and not ACTION_NAME.fullmatch(action):
        document.fault(node, f"`{action}` is no action name", "write `verb_noun`")
    return action


def _target(document: Document, node: Node) -> dict[str, Any]:
    given = document.fields(node, "target", ("type", "id", "each"), ("type",))
    if "id" in given and "each" in given:
        document.fault(given["each"], "a target has `id` or `each`, not both")
    which = given.get("each", given.get("id"))
    return {
        "target_type": document.text(given.get("type"), "the target type"),
        "target_id": document.text(which, "the target id"),
        "each": "each" in given,
    }


def _params(document: Document, node: Node) -> dict[str, RowParam]:
    params = {}
    for name, key, value in document.pairs(node, "params"):
        if not PARAM_NAME.fullmatch(name):
            document.fault(key, f"`{name}` is no param name")
        param = _param(document, name, value)
        if looks_secret(name) or looks_secret(param.source.rpartition(".")[2]):
            document.fault(
                key,
                f"`{name}` looks like a secret, and params are recorded",
                "leave it out, or read its name or id instead",
            )
        params[name] = param
    return params


def _param(document: Document, name: str, node: Node) -> RowParam:
    if is_scalar(node):
        return RowParam(document.text(node, f"the param `{name}`"))
    keys = ("from", "type", "currency", "separator")
    given = document.fields(node, f"the param `{name}`", keys, ("from",))
    types = [kind.value for kind in ParamType]
    kind = ParamType(document.choice(given.get("type"), "type", types, ParamType.TEXT))
    if (kind is ParamType.MONEY_DECIMAL) != ("currency" in given):
        document.fault(node, "`currency` goes with `type: money_decimal`, and only with it")
    if "separator" in given and kind is not ParamType.LIST:
        document.fault(given["separator"], "`separator` goes with `type: list`")
    detail = document.text(given.get("currency", given.get("separator")), f"`{name}`")
    return RowParam(document.text(given.get("from"), "from"), kind.value, detail)


def _when(document: Document, node: Node) -> dict[str, str | bool]:
    when: dict[str, str | bool] = {}
    for text, _, value in document.pairs(node, "when"):
        if value.tag == "tag:yaml.org,2002:bool":
            when[text] = is_true(value)
        elif is_scalar(value):
            when[text] = str(value.value)
        else:
            document.fault(value, "a condition is a text, or true (there) or false")
    return when
