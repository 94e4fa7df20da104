"""Runs the inline tests of mappers, and maps requests that stand on JSON lines.

Values in, values out; `cli/mappers` prints them. Canonicalization itself stays in its stage.
"""

from __future__ import annotations

from gateway.authoring.requests import (
    MalformedRequestError,
    build_request,
    guess_content_type,
    parse_request_line,
)
from gateway.canonicalize.authored.mapper import Mapper, MapperTest
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.model.action import MESSAGE, WEBSOCKET, Action, Canonical
from gateway.model.dataclass import dataclass
from gateway.model.exchange import HttpRequest


@dataclass(frozen=True, slots=True)
class TestResult:
    """One inline test and what differed; it passed when nothing did."""

    __test__ = False

    test: MapperTest
    differences: tuple[str, ...]


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
        actual = observed(canonical, key)
        if actual != expected:
            found.append(f"{key}: expected {expected!r}, found {actual!r}")
    if canonical.refused is not None and "refused" not in dict(test.expect):
        found.append(f"refused as {canonical.refused}: {canonical.detail}")
    return tuple(found)


def request_of_test(mapper: Mapper, test: MapperTest) -> HttpRequest:
    """Build the request of a test line: `METHOD TARGET [BODY]`; TARGET is a URL or a path of the
    mapper's first exact host. `WEBSOCKET` stands for a handshake and `MESSAGE` for a message within
    one, as in an entry.

    Raises:
        MalformedRequestError: the line is no request.
    """
    method, _, rest = test.request.partition(" ")
    target, _, body = rest.partition(" ")
    if target.startswith("/"):
        exact = [host for host in mapper.hosts if not host.startswith("*.")]
        if not exact:
            raise MalformedRequestError("the mapper has no exact host, so write the whole URL")
        scheme = "wss" if method in (WEBSOCKET, MESSAGE) else "https"
        target = f"{scheme}://{exact[0]}{target}"
    if method == WEBSOCKET:
        method = "GET"
    headers = list(test.headers)
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", guess_content_type(body)))
    return build_request(method, target, headers, body.encode())


def observed(canonical: Canonical, key: str) -> object:
    """What a test's `expect` compares with: a field of the first action, or of the whole."""
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
        "unreadable": sorted(action.unreadable),
    }
