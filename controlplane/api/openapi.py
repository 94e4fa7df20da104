"""`/v1/openapi.json`: the routes' own contracts as an OpenAPI 3.1 document.

Served without a key: it tells what this software offers, nothing of any installation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ConfigDict
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from controlplane.api.contract import Contract, View
from controlplane.api.parsing import NoBody
from controlplane.api.problems import PROBLEMS
from controlplane.api.routing import Route

OPENAPI_VERSION = "3.1.0"
API_VERSION = "1"

IDEMPOTENCY_HEADER = "Idempotency-Key"
IDEMPOTENCY_KEY_LENGTH_MAX = 255

Schema = dict[str, Any]

_READING = (400, 401, 403, 404, 422, 429, 503)
_WRITING = (*_READING, 408, 409, 412, 413)
"""What any route may refuse with. 500 is not among them: it is a bug of ours, not an answer."""

_BODIED = frozenset({"POST", "PUT", "PATCH"})
_PLACE = re.compile(r"\{(\w+)\}")
_QUALIFIED = re.compile(r"controlplane__api__(\w+?)__(\w+)")
"""How pydantic names models of one name apart; `keys.CreateBody` reads better."""


class Error(View):
    code: str
    message: str
    reason_code: str
    request_id: str

    model_config = ConfigDict(extra="allow")


class Problem(View):
    """The envelope of everything that is refused. What helps to mend it stands beside the fixed
    fields."""

    error: Error


def document(routes: Sequence[Route]) -> Schema:
    """The whole document. Routes without a contract are left out."""
    told = [one for one in routes if one.contract.is_declared]
    refs, components = _components(told)
    paths: dict[str, Schema] = {}
    for one in told:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, refs)
    whole: Schema = {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Checkrein control plane",
            "version": API_VERSION,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted({_tag(one) for one in told})],
        "security": [{"apiKey": []}, {"bearer": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "responses": _refusals(refs),
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    text = json.dumps(whole)
    named: Schema = json.loads(_QUALIFIED.sub(r"\1.\2", text))
    return named


_INTRODUCTION = (
    "Approvals, records, policies and agents of an execution gateway. A list comes in pages: "
    "`limit` says how long, `cursor` takes the `nextCursor` of the page before. A POST with an "
    "`Idempotency-Key` is carried out once: the same request with the same key gets the first "
    "answer again, for some minutes."
)

_Refs = dict[tuple[type, JsonSchemaMode], Schema]


def _components(routes: Iterable[Route]) -> tuple[_Refs, Schema]:
    models: set[type] = {Problem}
    for one in routes:
        contract = one.contract
        models.update(contract.answers.values())
        models.update(model for model in (contract.body, contract.query) if model is not None)
    ordered = sorted(models, key=lambda model: f"{model.__module__}.{model.__qualname__}")
    refs, definitions = models_json_schema(
        [(model, "validation") for model in ordered],
        ref_template="#/components/schemas/{model}",
    )
    schemas: Schema = definitions.get("$defs", {})
    return dict(refs), schemas


def _operation(one: Route, refs: _Refs) -> Schema:
    contract = one.contract
    summary, _, rest = (one.handler.__doc__ or _spoken(one)).strip().partition("\n")
    needs = sorted(permission.value for permission in one.needs)
    operation: Schema = {
        "operationId": _operation_id(one),
        "tags": [_tag(one)],
        "summary": summary.rstrip("."),
        "description": (" ".join(rest.split()) + f"\n\nNeeds one of: {', '.join(needs)}.").strip(),
        "x-permissions": needs,
        "parameters": _parameters(one),
        "responses": _responses(one.method, contract, refs),
    }
    if contract.body is not None:
        operation["requestBody"] = {
            "required": contract.body is not NoBody,
            "content": {"application/json": {"schema": refs[contract.body, "validation"]}},
        }
    return operation


def _responses(method: str, contract: Contract, refs: _Refs) -> Schema:
    responses: Schema = {
        str(status): {
            "description": (view.__doc__ or "Done.").strip().split("\n")[0],
            "content": {"application/json": {"schema": refs[view, "validation"]}},
        }
        for status, view in contract.answers.items()
    }
    if contract.files:
        responses["200"] = {
            "description": "A file.",
            "content": {media: {"schema": {"type": "string"}} for media in contract.files},
        }
    for status in sorted(_WRITING if method in _BODIED else _READING):
        responses[str(status)] = {"$ref": f"#/components/responses/{_refusal_name(status)}"}
    return responses


def _refusal_name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _refusals(refs: _Refs) -> Schema:
    """One for each status, with the finest code of every fault that comes to it."""
    refusals = {}
    for status in _WRITING:
        met = (one for one in PROBLEMS.values() if one.status == status)
        codes = ", ".join(sorted({one.reason_code or one.code for one in met}))
        refusals[_refusal_name(status)] = {
            "description": codes,
            "content": {"application/json": {"schema": refs[Problem, "validation"]}},
        }
    return refusals


def _parameters(one: Route) -> list[Schema]:
    parameters: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _of_place(name)}
        for name in _PLACE.findall(one.path)
    ]
    if one.contract.query is not None:
        parameters += _query_parameters(one.contract.query.model_json_schema())
    if one.method == "POST":
        parameters.append(
            {
                "name": IDEMPOTENCY_HEADER,
                "in": "header",
                "required": False,
                "description": "Carries the request out once, however often it is sent.",
                "schema": {
                    "type": "string",
                    "pattern": "^[!-~]+$",
                    "maxLength": IDEMPOTENCY_KEY_LENGTH_MAX,
                },
            }
        )
    return parameters


def _of_place(name: str) -> Schema:
    if name == "id" or name.endswith("Id"):
        return {"type": "string", "format": "uuid"}
    return {"type": "integer", "minimum": 0} if name in _NUMBERS else {"type": "string"}


_NUMBERS = frozenset({"sequence", "number", "version", "n"})


def _query_parameters(schema: Schema) -> list[Schema]:
    definitions = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _given(_inlined(field, definitions)),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _inlined(value: Any, definitions: Schema) -> Any:
    """Without references: a parameter's enum is small, and stands where it is needed."""
    if isinstance(value, dict):
        if "$ref" in value:
            return _inlined(definitions[value["$ref"].rpartition("/")[2]], definitions)
        return {name: _inlined(one, definitions) for name, one in value.items()}
    if isinstance(value, list):
        return [_inlined(one, definitions) for one in value]
    return value


def _given(schema: Schema) -> Schema:
    """The schema of a parameter that is there: leaving it out is what null means in the model."""
    alternatives = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    outer = {n: v for n, v in schema.items() if n not in {"anyOf", "title"}}
    if outer.get("default", ...) is None:
        del outer["default"]
    if len(alternatives) == 1:
        return {**alternatives[0], **outer}
    return {**outer, "anyOf": alternatives} if alternatives else outer


def _tag(one: Route) -> str:
    return one.path.split("/")[2]


def _operation_id(one: Route) -> str:
    module = one.handler.__module__.rpartition(".")[2]
    return f"{module}_{getattr(one.handler, '__name__', 'call').strip('_')}"


def _spoken(one: Route) -> str:
    """For a handler without a docstring: its name says what it does."""
    verb = getattr(one.handler, "__name__", "call").strip("_").replace("_", " ")
    tag = _tag(one)
    return f"{verb.capitalize()} {tag if tag.rstrip('s') not in verb else ''}".strip()
