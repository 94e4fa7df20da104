"""How a mapper says that a body carries acts, and what single acts are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.model.action import Canonical
from gateway.model.errors import ConfigurationError
from tests.unit.canonicalize.requests import load_text

MAPPER = Path(__file__).with_name("acts.yaml").read_text()


@pytest.fixture(scope="module")
def canonicalizer(tmp_path_factory: pytest.TempPathFactory) -> Canonicalizer:
    return load_text(tmp_path_factory.mktemp("acts"), MAPPER)


def ask(canonicalizer: Canonicalizer, path: str, body: object) -> Canonical:
    headers = [("content-type", "application/json")]
    request = build_request("POST", f"https://acts.test{path}", headers, json.dumps(body).encode())
    return canonicalizer.canonicalize(request)


def tool(name: str, **arguments: object) -> dict[str, object]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


ACTS: dict[str, tuple[str, object, str, str, str]] = {
    "an act that the mapper names": (
        "/mcp", tool("lookup", order_id="o1"), "get_order", "read", "o1",
    ),
    "an act that a condition tells apart": (
        "/mcp", tool("run", job="j1", mode="delete"), "delete_job", "delete", "j1",
    ),
    "an act without its condition": ("/mcp", tool("run", job="j1"), "run_job", "execute", "j1"),
    "an act that nobody names": ("/mcp", tool("delete_x", id="1"), "delete_x", "delete", "1"),
    "a field that the mapper names": (
        "/graphql", {"query": "mutation { pay(input: {amount: 5}) { id } }"},
        "create_payout", "create", "",
    ),
    "a request in a batch": (
        "/v1/batch", {"requests": [{"method": "DELETE", "url": "/things/7"}]},
        "delete_thing", "delete", "7",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "action", "kind", "target"), ACTS.values(), ids=ACTS)
def test_an_act_is_what_the_mapper_says(
    canonicalizer: Canonicalizer, path: str, body: object, action: str, kind: str, target: str
) -> None:
    """An `act` entry gives name, kind, target and params; the rest comes from the act's name."""
    canonical = ask(canonicalizer, path, body)

    (found,) = canonical.actions
    assert (found.action, found.kind.value, found.target.id) == (action, kind, target)


def test_the_entry_s_own_params_stay(canonicalizer: Canonicalizer) -> None:
    """What the entry reads stands beside what the statement says; what is absent is missing."""
    (action,) = ask(canonicalizer, "/sql", {"sql": "DELETE FROM t", "database": "d"}).actions

    assert action.params["database"] == "d"
    assert action.params["statement"] == "delete"
    assert action.missing == {"schema"}


INNER: dict[str, tuple[object, str]] = {
    "a batch inside": (
        {"method": "POST", "url": "/batch",
         "body": {"requests": [{"method": "GET", "url": "/things"}]}},
        "ambiguous_body",
    ),
    "a bad path inside": ({"method": "GET", "url": "/a/../b"}, "ambiguous_path"),
    "an encoded slash inside": ({"method": "GET", "url": "/things%2f7"}, "ambiguous_path"),
    "a method header inside": (
        {"method": "GET", "url": "/things", "headers": {"X-HTTP-Method-Override": "DELETE"}},
        "ambiguous_method",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("inner", "code"), INNER.values(), ids=INNER)
def test_what_is_refused_alone_is_refused_in_a_batch(
    canonicalizer: Canonicalizer, inner: object, code: str
) -> None:
    """One ambiguous request refuses its batch, and a batch can't hide in another."""
    good = {"method": "GET", "url": "/things"}
    canonical = ask(canonicalizer, "/v1/batch", {"requests": [good, inner]})

    assert (canonical.refused, canonical.actions) == (code, ())


def test_an_unmapped_request_in_a_batch_is_unknown(canonicalizer: Canonicalizer) -> None:
    """It is no read because it stands beside one."""
    requests = [{"method": "GET", "url": "/things"}, {"method": "GET", "url": "/else"}]
    canonical = ask(canonicalizer, "/v1/batch", {"requests": requests})

    assert [action.kind.value for action in canonical.actions] == ["read", "unknown"]


MISTAKES: dict[str, tuple[str, str]] = {
    "no family": ("expand: mcp", "expand: grapql"),
    "an act without a name": ("act mcp.lookup:", "act 'a b':"),
    "an act twice": ("act mcp.lookup:", "act mcp.run:"),
    "an act that looks into the path": ("id: order_id", "id: path.order_id"),
}


@pytest.mark.parametrize(("right", "wrong"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(tmp_path: Path, right: str, wrong: str) -> None:
    """A mapper that says something else than it means doesn't load."""
    with pytest.raises(ConfigurationError):
        load_text(tmp_path, MAPPER.replace(right, wrong, 1))
