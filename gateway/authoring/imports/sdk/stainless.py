"""The methods of one family of generated Python SDKs as calls: resources as cached properties,
methods that end in `self._post("/path/{id}", body=...)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.authoring.imports.calls import Call
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_calls import SdkCall, read_sdk_calls
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.naming.words import singular, words_of

_VERBS = {"retrieve": "get", "edit": "update"}
_MONEY = re.compile(r"^(?:amount|.*_amount)$")


def calls_of(folder: Path, package: str, client: str, *, prefix: str = "") -> list[Call]:
    """One call for each method and path, the first of the source; `prefix` stands before paths.

    A body's `amount` that is an integer is money in minor units, as all of these SDKs have it.
    """
    found: dict[tuple[str, str], Call] = {}
    for call in read_sdk_calls(folder, package, client):
        shape = shape_of(call.template)
        if not call.is_deprecated or (call.method, shape) not in found:
            found.setdefault((call.method, shape), _call(call, prefix))
    return list(found.values())


def _call(call: SdkCall, prefix: str) -> Call:
    *resources, last = call.path
    words = words_of(last)
    verb = _VERBS.get(words[0], words[0])
    nouns = [singular(word) for part in resources[-2:] for word in words_of(part)]
    fields = tuple(_fields(call)) if call.is_json else ()
    params = {
        field.name: RowParam(field.address, "money_minor")
        for field in fields
        if field.type == "integer" and _MONEY.match(field.name)
    }
    if "currency" in {field.name for field in fields}:
        params["currency"] = RowParam("body.currency", "currency")
    return Call(
        call.name,
        call.method,
        prefix + call.template,
        (verb, *(words[1:] or nouns)),
        fields,
        params,
    )


def _fields(call: SdkCall) -> Iterator[Field]:
    for field in call.fields:
        yield Field(field.name, f"body.{field.name}", field.type)
