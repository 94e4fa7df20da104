"""What authors of mappers use: check files, run their inline tests, explain and map requests.

Values in, values out; `cli/mappers` prints them. Canonicalization itself stays in its stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.authoring.requests import (
    MalformedRequestError,
    build_request,
    guess_content_type,
    parse_request_line,
)
from gateway.canonicalize.ambiguity import AmbiguityError
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.mapper import Mapper, MapperTest
from gateway.canonicalize.matcher import Candidate
from gateway.canonicalize.operation import Operation, ParamType, Presence
from gateway.model.action import Action, Canonical, Kind
from gateway.model.exchange import HttpRequest


@dataclass(frozen=True, slots=True)
class TestResult:
    """One inline test and what differed; it passed when nothing did."""

    __test__ = False

    test: MapperTest
    differences: tuple[str, ...]


def check(paths: Sequence[Path]) -> Canonicalizer:
    """Load mappers strictly.

    Raises:
        ConfigurationError: with every problem of every file.
    """
    return Canonicalizer.load(paths)


def run_tests(canonicalizer: Canonicalizer) -> list[TestResult]:
    """Run the inline tests of every file against all files together."""
    return [
        TestResult(test, _differences(canonicalizer, mapper, test))
        for mapper in canonicalizer.mappers
        for test in mapper.tests
    ]


def _differences(canonicalizer: Canonicalizer, mapper: Mapper, test: MapperTest) -> tuple[str, ...]:
    try:
        request = request_of_test(mapper, test)
    except MalformedRequestError as error:
        return (error.message,)
    canonical = canonicalizer.canonicalize(request)
    found = []
    for key, expected in test.expect:
        actual = _observed(canonical, key)
        if actual != expected:
            found.append(f"{key}: expected {expected!r}, found {actual!r}")
    if canonical.refused is not None and "refused" not in dict(test.expect):
        found.append(f"refused as {canonical.refused}: {canonical.detail}")
    return tuple(found)


def request_of_test(mapper: Mapper, test: MapperTest) -> HttpRequest:
    """Build the request of a test line: `METHOD TARGET [BODY]`; TARGET is a URL or a path of the
    mapper's first exact host.

    Raises:
        MalformedRequestError: the line is no request.
    """
    method, _, rest = test.request.partition(" ")
    target, _, body = rest.partition(" ")
    if target.startswith("/"):
        exact = [host for host in mapper.hosts if not host.startswith("*.")]
        if not exact:
            raise MalformedRequestError("the mapper has no exact host, so write the whole URL")
        target = f"https://{exact[0]}{target}"
    headers = list(test.headers)
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", guess_content_type(body)))
    return build_request(method, target, headers, body.encode())


def _observed(canonical: Canonical, key: str) -> object:
    if key == "refused":
        return canonical.refused
    if key == "provider":
        return canonical.provider
    if key == "count":
        return len(canonical.actions)
    if not canonical.actions:
        return None
    action = canonical.actions[0]
    if key.startswith("params."):
        return action.params.get(key.removeprefix("params."))
    match key:
        case "target.type":
            return action.target.type
        case "target.id":
            return action.target.id
        case "missing":
            return sorted(action.missing)
        case "kind":
            return action.kind.value
        case _:
            return getattr(action, key)


# --- map ------------------------------------------------------------------------------------------


def map_line(canonicalizer: Canonicalizer, line: bytes) -> dict[str, object]:
    """Turn one JSON line into the canonical actions of its request; never raises."""
    try:
        request = parse_request_line(line)
    except MalformedRequestError as error:
        return {"actions": [], "refused": "malformed_input", "detail": error.message}
    return canonical_as_json(canonicalizer.canonicalize(request))


def canonical_as_json(canonical: Canonical) -> dict[str, object]:
    """The actions as plain data, or the code of the refusal."""
    return {
        "actions": [action_as_json(action) for action in canonical.actions],
        "refused": canonical.refused,
        "detail": canonical.detail,
        "provider": canonical.provider,
        "errors": canonical.errors,
    }


def action_as_json(action: Action) -> dict[str, object]:
    return {
        "provider": action.provider,
        "operation": action.operation,
        "action": action.action,
        "kind": action.kind.value,
        "target": {"type": action.target.type, "id": action.target.id},
        "params": dict(action.params),
        "reversible": action.reversible,
        "sensitive": action.sensitive,
        "missing": sorted(action.missing),
    }


# --- list and explain -----------------------------------------------------------------------------


def list_operations(
    canonicalizer: Canonicalizer, provider: str | None = None, kind: Kind | None = None
) -> list[Operation]:
    """Every entry once (a method that takes GET and POST too), by provider and operation."""
    found = {
        (entry.provider, entry.operation, entry.template, entry.when): entry
        for entry in canonicalizer.operations
        if provider in (None, entry.provider) and kind in (None, entry.kind)
    }
    return sorted(found.values(), key=lambda entry: (entry.provider, entry.operation))


def explain(canonicalizer: Canonicalizer, request: HttpRequest) -> dict[str, object]:
    """Say step by step how a request is read: candidates, the winner, the origin of each value."""
    canonical = canonicalizer.canonicalize(request)
    result: dict[str, object] = {
        "host": request.authority.host,
        "provider": canonical.provider,
        "candidates": [],
        "won": None,
        **{key: value for key, value in canonical_as_json(canonical).items() if key != "provider"},
    }
    try:
        finding = canonicalizer.examine(request)
    except AmbiguityError:
        # The refusal is already in the result, with its sentence.
        return result
    result["segments"] = list(finding.segments)
    if finding.site is None:
        result["why"] = "no mapper has this host"
        return result
    if finding.call is not None:
        result["selected"] = finding.call.name
    result["candidates"] = [_candidate_as_json(found) for found in finding.candidates]
    if finding.winner is None:
        result["why"] = "no entry fits, so this is unknown"
        return result
    operation = finding.winner.operation
    result["won"] = {"entry": operation.template, "origin": operation.origin}
    result["why"] = _why(finding.winner, finding.candidates)
    result["values"] = _origins(operation, canonical)
    return result


def _why(winner: Candidate, candidates: Sequence[Candidate]) -> str:
    if len(candidates) == 1:
        return "the only entry that fits"
    if winner.operation.when:
        return "all of its conditions hold, and no entry with more does"
    return "the most specific entry whose conditions hold"


def _candidate_as_json(candidate: Candidate) -> dict[str, object]:
    operation = candidate.entry.operation
    return {
        "entry": operation.template,
        "operation": operation.operation,
        "when": [
            f"{condition.address} is there"
            if condition.expected is Presence.PRESENT
            else f"{condition.address} is absent"
            if condition.expected is Presence.ABSENT
            else f"{condition.address} = {condition.expected}"
            for condition in operation.when
        ],
        "captured": list(candidate.captured),
        "origin": operation.origin,
    }


def _origins(operation: Operation, canonical: Canonical) -> list[Mapping[str, object]]:
    """Each declared value, where it is read, and what was found."""
    action = canonical.actions[0] if canonical.actions else None
    values: list[Mapping[str, object]] = []
    spec = operation.target
    if spec.id is not None or spec.each is not None:
        parts = spec.id.parts if spec.id is not None else (spec.each,)
        origin = "".join(str(part) if isinstance(part, str) else f"{{{part}}}" for part in parts)
        found = action.target.id if action else None
        values.append({"name": "target.id", "from": origin, "type": "text", "value": found})
    for param in operation.params:
        type_name = param.type.value
        if param.type is ParamType.MONEY_DECIMAL:
            type_name += f" in {param.currency}"
        values.append(
            {
                "name": f"params.{param.name}",
                "from": str(param.address),
                "type": type_name,
                "value": action.params.get(param.name) if action else None,
            }
        )
    return values
