"""Turns the `operations` of a mapper into compiled operations.

One key is a method and a path template, or an operation's own name under a selector; its value is
an action's name (the short form), a block, or a list of blocks that `when` tells apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from gateway.canonicalize.authored.address import (
    AddressError,
    parse_address,
    parse_addresses,
    parse_template,
)
from gateway.canonicalize.authored.choices import FAMILIES, Select
from gateway.canonicalize.authored.document import Document, Node, elements, is_scalar, is_true
from gateway.canonicalize.authored.operation import (
    Address,
    Condition,
    Operation,
    Param,
    ParamType,
    Place,
    Presence,
    TargetSpec,
    Template,
    reads_body,
)
from gateway.canonicalize.authored.template import (
    S3_VARIABLES,
    TemplateError,
    split_template,
    variables_of,
)
from gateway.canonicalize.authored.witness import read_witness
from gateway.canonicalize.naming.kinds import kind_of_action
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import ACTION_NAME, PARAM_NAME
from gateway.model.action import MESSAGE, WEBSOCKET, Kind

ACT = "act "
"""Before the operation of an act inside a body: `act mcp.delete_repo`."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", WEBSOCKET, MESSAGE)
_READING_METHODS = ("GET", "HEAD")
_BLOCK_KEYS = (
    "operation", "action", "kind", "target", "params", "when", "reversible", "sensitive", "witness",
    "expand",
)  # fmt: skip
_ACT_NAME = re.compile(r"[A-Za-z0-9_./$:-]{1,256}")
_PARAM_KEYS = ("from", "type", "currency", "separator")


class EntryReader:
    """Reads the entries of one mapper; problems go to its document."""

    def __init__(
        self,
        document: Document,
        provider: str,
        errors: str,
        select: Select,
        prefix: tuple[str, ...],
        default_place: Place | None,
    ) -> None:
        self._document = document
        self._provider = provider
        self._errors = errors
        self._select = select
        self._prefix = prefix
        self._place = default_place

    def read(self, pairs: Sequence[tuple[str, Node, Node]]) -> tuple[Operation, ...]:
        """Compile all entries: key, key's node and value."""
        found: list[Operation] = []
        for key, key_node, value in pairs:
            frames = self._frames(key, key_node)
            if not frames:
                continue
            reader = self if not key.startswith(ACT) else self._of_acts()
            blocks = elements(value)
            for block in [value] if blocks is None else blocks:
                place = key_node if blocks is None else block
                origin = f"{self._document.file}:{place.start_mark.line + 1}"
                operation = reader.entry(key, replace(frames[0], origin=origin), block)
                if operation is None:
                    continue
                found.append(operation)
                found += [
                    replace(operation, method=other.method, segments=other.segments)
                    for other in frames[1:]
                ]
        return tuple(found)

    def _of_acts(self) -> EntryReader:
        """For entries of acts inside a body: what they read is in the act's arguments."""
        return EntryReader(
            self._document, self._provider, self._errors, self._select, (), Place.BODY
        )

    # --- keys -------------------------------------------------------------------------------------

    def _frames(self, key: str, node: Node) -> list[Operation]:
        """Operations with nothing but what the key says; two for a name that GET and POST take."""
        empty = Operation(
            self._provider, "", "", Kind.UNKNOWN, TargetSpec(""), key, "", self._errors
        )
        if self._select is Select.AWS:
            if not re.fullmatch(r"[a-z0-9-]+\.[A-Z][A-Za-z0-9]*", key):
                self._document.fault(node, f"`{key}` is no `service.Operation`")
                return []
            return [replace(empty, operation=key)]
        if self._select is Select.PATH_TAIL and " " not in key:
            segments = (*self._prefix, key)
            return [
                replace(empty, operation=key, method=method, segments=segments)
                for method in ("POST", "GET")
            ]
        if key.startswith(ACT):
            name = key.removeprefix(ACT)
            if not _ACT_NAME.fullmatch(name):
                self._document.fault(node, f"`{name}` is no operation's name")
                return []
            return [replace(empty, operation=name, template=name)]
        method, space, path = key.partition(" ")
        if not space or method not in METHODS or not path.startswith("/"):
            self._document.fault(
                node, f"`{key}` is no method and path", "write it like `POST /v1/refunds`"
            )
            return []
        try:
            segments = split_template(path)
        except TemplateError as error:
            self._document.fault(node, str(error))
            return []
        return [replace(empty, method=method, segments=segments)]

    def _variables(self, frame: Operation) -> tuple[str, ...]:
        if self._select is Select.AWS:
            return S3_VARIABLES if frame.template.startswith("s3.") else ()
        return variables_of(frame.segments)

    # --- one entry --------------------------------------------------------------------------------

    def entry(self, key: str, frame: Operation, node: Node) -> Operation | None:
        """Compile one entry over what its key says; None where it can't be used."""
        document = self._document
        if is_scalar(node):
            action = document.text(node, f"the action of `{key}`")
            fields: dict[str, Node] = {}
            action_node: Node | None = node
        else:
            fields = document.fields(node, f"`{key}`", _BLOCK_KEYS, ("action",))
            action_node = fields.get("action")
            action = document.text(action_node, "the action")
        if not action:
            return None
        if not ACTION_NAME.fullmatch(action):
            document.fault(action_node, f"`{action}` is no action name", "write `verb_noun`")
        kind = self._kind(frame, action, fields.get("kind"), action_node)
        operation = document.text(fields.get("operation"), "the operation", frame.operation)
        variables = self._variables(frame)
        target = self._target(fields.get("target"), variables)
        params = self._params(fields.get("params"), variables)
        when = self._when(fields.get("when"), variables)
        compiled = replace(
            frame,
            operation=operation or f"{self._provider}.{action}",
            action=action,
            kind=kind,
            target=target,
            params=params,
            when=when,
            reversible=document.boolean(fields.get("reversible"), "reversible", True),
            sensitive=document.text(fields.get("sensitive"), "sensitive") or None,
            witness=read_witness(document, fields.get("witness"), frame.segments),
            expand=document.choice(fields.get("expand"), "family", ("", *FAMILIES), ""),
        )
        return reads_body(compiled)

    def _kind(self, frame: Operation, action: str, node: Node | None, where: Node | None) -> Kind:
        if node is not None:
            kinds = [kind.value for kind in Kind]
            return Kind(self._document.choice(node, "kind", kinds, Kind.UNKNOWN))
        kind = kind_of_action(action)
        if kind is None:
            self._document.fault(
                where,
                f"the kind can't be told from `{action}`",
                "add `kind:` (read create update delete execute send admin unknown)",
            )
            return Kind.UNKNOWN
        by_path = bool(frame.method) and not frame.operation
        if by_path and (kind is Kind.READ) != (frame.method in _READING_METHODS):
            self._document.fault(
                where,
                f"`{action}` and {frame.method} disagree on whether this reads",
                "add `kind:` to say which is right",
            )
        return kind

    # --- values -----------------------------------------------------------------------------------

    def _address(self, node: Node, variables: tuple[str, ...], what: str) -> Address | None:
        text = self._document.text(node, what)
        try:
            return parse_address(text, variables, self._place) if text else None
        except AddressError as error:
            self._document.fault(node, str(error))
            return None

    def _addresses(
        self, node: Node, variables: tuple[str, ...], kind: ParamType
    ) -> tuple[Address, ...]:
        """Where a param stands: one place, several for a list."""
        if not kind.is_list:
            address = self._address(node, variables, "from")
            return (address,) if address else ()
        text = self._document.text(node, "from")
        try:
            return parse_addresses(text, variables, self._place) if text else ()
        except AddressError as error:
            self._document.fault(node, str(error))
            return ()

    def _target(self, node: Node | None, variables: tuple[str, ...]) -> TargetSpec:
        if node is None:
            return TargetSpec("")
        fields = self._document.fields(node, "target", ("type", "id", "each"), ("type",))
        kind = self._document.text(fields.get("type"), "the target type")
        template: Template | None = None
        each: Address | None = None
        if "id" in fields:
            text = self._document.text(fields["id"], "the target id")
            try:
                template = parse_template(text, variables, self._place) if text else None
            except AddressError as error:
                self._document.fault(fields["id"], str(error))
        if "each" in fields:
            each = self._address(fields["each"], variables, "each")
            if "id" in fields:
                self._document.fault(fields["each"], "a target has `id` or `each`, not both")
        return TargetSpec(kind, template, each)

    def _params(self, node: Node | None, variables: tuple[str, ...]) -> tuple[Param, ...]:
        if node is None:
            return ()
        params = []
        for name, key_node, value in self._document.pairs(node, "params"):
            param = self._param(name, value, variables)
            if not PARAM_NAME.fullmatch(name):
                self._document.fault(key_node, f"`{name}` is no param name")
            if param is None:
                continue
            if looks_secret(name) or looks_secret(str(param.address.keys[-1])):
                self._document.fault(
                    key_node,
                    f"`{name}` looks like a secret, and params are recorded",
                    "leave it out, or read its name or id instead",
                )
            params.append(param)
        return tuple(params)

    def _param(self, name: str, node: Node, variables: tuple[str, ...]) -> Param | None:
        document = self._document
        if is_scalar(node):
            address = self._address(node, variables, f"the param `{name}`")
            return Param(name, address) if address else None
        fields = document.fields(node, f"the param `{name}`", _PARAM_KEYS, ("from",))
        if "from" not in fields:
            return None
        types = [kind.value for kind in ParamType]
        kind = ParamType(document.choice(fields.get("type"), "type", types, ParamType.TEXT))
        addresses = self._addresses(fields["from"], variables, kind)
        currency: Address | str | None = None
        if "currency" in fields:
            text = document.text(fields["currency"], "the currency")
            is_code = re.fullmatch(r"[a-z]{3}", text)
            currency = text if is_code else self._address(fields["currency"], variables, "currency")
        if (kind is ParamType.MONEY_DECIMAL) != (currency is not None):
            document.fault(node, "`currency` goes with `type: money_decimal`, and only with it")
        separator = document.text(fields.get("separator"), "the separator") or None
        if separator is not None and kind is not ParamType.LIST:
            document.fault(fields["separator"], "`separator` goes with `type: list`")
        if not addresses:
            return None
        return Param(name, addresses[0], kind, currency, separator, addresses[1:])

    def _when(self, node: Node | None, variables: tuple[str, ...]) -> tuple[Condition, ...]:
        if node is None:
            return ()
        conditions = []
        for text, key_node, value in self._document.pairs(node, "when"):
            try:
                address = parse_address(text, variables, self._place)
            except AddressError as error:
                self._document.fault(key_node, str(error))
                continue
            if value.tag == "tag:yaml.org,2002:bool":
                presence = Presence.PRESENT if is_true(value) else Presence.ABSENT
                conditions.append(Condition(address, presence))
            elif is_scalar(value):
                conditions.append(Condition(address, str(value.value)))
            else:
                self._document.fault(value, "a condition is a text, or true (there) or false")
        return tuple(sorted(conditions, key=lambda condition: str(condition.address)))
