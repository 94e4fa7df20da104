"""What batches of HTTP requests carry, and which are refused."""

from __future__ import annotations

import base64

import pytest

from tests.unit.canonicalize.expand.calls import acts, refusal, shown

MIXED = "multipart/mixed; boundary=b"


def parts(*requests: str, eol: str = "\r\n", media: str = "application/http") -> bytes:
    """A batch of these requests, each written with newlines."""
    pieces = [
        f"--b\ncontent-type: {media}\n\n{request}\n".replace("\n", eol) for request in requests
    ]
    return ("".join(pieces) + "--b--").encode()


BATCHES: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "one request": (parts("DELETE /a/7 HTTP/1.1\n\n"), [("DELETE", "/a/7")]),
    "several": (parts("GET /a", "DELETE /b?c=d\n\n"), [("GET", "/a"), ("DELETE", "/b?c=d")]),
    "a body": (
        parts('POST /a HTTP/1.1\ncontent-type: application/json\n\n{"a": 1}'),
        [('POST {"a": 1}', "/a")],
    ),
    "a body of its length": (
        parts("POST /a HTTP/1.1\ncontent-length: 2\n\nab\n"), [("POST ab", "/a")],
    ),
    "its host again": (parts("GET /a HTTP/1.1\nHost: shop.test\n\n"), [("GET", "/a")]),
    "a URL of its host": (parts("GET https://shop.test/a HTTP/1.1\n\n"), [("GET", "/a")]),
    "line feeds alone, as Python writes": (
        parts("GET /a HTTP/1.1\nHost: shop.test\n\n", eol="\n"), [("GET", "/a")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BATCHES.values(), ids=BATCHES)
def test_a_batch_is_the_requests_in_it(body: bytes, expected: list[tuple[str, str]]) -> None:
    """Each part is resolved like a request of its own, at the same host."""
    actions = acts("google_batch", body, media=MIXED)

    assert [(one.operation, one.target.id) for one in actions] == expected


REFUSED: dict[str, tuple[bytes, str]] = {
    "another host": (parts("GET /a HTTP/1.1\nHost: evil.test\n\n"), "ambiguous_header"),
    "a URL of another host": (parts("GET https://evil.test/a HTTP/1.1\n\n"), "ambiguous_path"),
    "a URL whose host begins alike": (
        parts("GET https://shop.test.evil.test/a HTTP/1.1\n\n"), "ambiguous_path",
    ),
    "a host header twice": (
        parts("GET /a HTTP/1.1\nHost: shop.test\nHost: evil.test\n\n"), "ambiguous_body",
    ),
    "no request line": (parts("hello"), "ambiguous_body"),
    "a method of another case": (parts("delete /a HTTP/1.1\n\n"), "ambiguous_body"),
    "an unknown method": (parts("PURGE /a HTTP/1.1\n\n"), "ambiguous_method"),
    "two spaces": (parts("GET  /a HTTP/1.1\n\n"), "ambiguous_body"),
    "a fragment": (parts("GET /a#b HTTP/1.1\n\n"), "ambiguous_path"),
    "a folded header": (parts("GET /a HTTP/1.1\nA: b\n c\n\n"), "ambiguous_body"),
    "a shorter length than the body": (
        parts("POST /a HTTP/1.1\ncontent-length: 1\n\nabc"), "ambiguous_body",
    ),
    "a longer length than the body": (
        parts("POST /a HTTP/1.1\ncontent-length: 99\n\nabc"), "ambiguous_body",
    ),
    "a transfer encoding": (
        parts("POST /a HTTP/1.1\nTransfer-Encoding: chunked\n\n0\n"), "ambiguous_body",
    ),
    "a part that is no request": (
        parts("GET /a HTTP/1.1\n\n", media="text/plain"), "ambiguous_content_type",
    ),
    "another sort of line end inside": (
        parts("GET /a HTTP/1.1\r\nA: b\n\r\n", eol="\n"), "ambiguous_body",
    ),
    "too many": (parts(*["GET /a"] * 101), "too_many_actions"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
def test_a_loosely_written_request_is_refused(body: bytes, code: str) -> None:
    """What two servers would take for two requests is refused, and the batch with it."""
    assert refusal("google_batch", body, media=MIXED) == code


def test_a_batch_of_another_type_is_refused() -> None:
    """The outer content type says multipart/mixed."""
    body = parts("GET /a")

    assert refusal("google_batch", body, media="text/plain") == "ambiguous_content_type"


def graph(*requests: object) -> dict[str, object]:
    return {"requests": list(requests)}


def test_graph_batches_stand_below_their_version() -> None:
    """Paths are relative to the version in the outer path; bodies are JSON, or base64."""
    encoded = base64.b64encode(b"hello").decode()
    body = graph(
        {"id": "1", "method": "DELETE", "url": "/users/7"},
        {"id": "2", "method": "post", "url": "me/x", "body": {"a": [1]}},
        {"id": "3", "method": "PUT", "url": "/f", "body": encoded,
         "headers": {"Content-Type": "text/plain"}},
    )  # fmt: skip
    actions = acts("graph_batch", body, url="https://shop.test/v1.0/$batch")

    assert [(one.operation, one.target.id) for one in actions] == [
        ("DELETE", "/v1.0/users/7"), ('POST {"a": [1]}', "/v1.0/me/x"), ("PUT hello", "/v1.0/f"),
    ]  # fmt: skip


GRAPH_REFUSED: dict[str, object] = {
    "a request that is no object": graph("GET /a"),
    "no method": graph({"url": "/a"}),
    "two spellings of the method": graph({"method": "GET", "Method": "DELETE", "url": "/a"}),
    "a URL of another host": graph({"method": "GET", "url": "https://evil.test/a"}),
    "a header twice": graph({"method": "GET", "url": "/a", "headers": {"A": "b", "a": "c"}}),
    "a header with a line end": graph({"method": "GET", "url": "/a", "headers": {"A": "b\nc"}}),
    "a body that is no base64": graph(
        {"method": "PUT", "url": "/a", "headers": {"Content-Type": "text/plain"}, "body": "!"}
    ),
}


@pytest.mark.parametrize("body", GRAPH_REFUSED.values(), ids=GRAPH_REFUSED)
def test_a_loose_json_batch_is_refused(body: object) -> None:
    """Nothing is guessed about a request that is not fully there."""
    code = refusal("graph_batch", body, url="https://shop.test/v1.0/$batch")

    assert code.startswith("ambiguous_")


EMPTY: dict[str, object] = {
    "no requests": {},
    "requests that are no list": {"requests": {"a": 1}},
    "an empty list": graph(),
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
def test_a_batch_of_nothing_is_unknown(body: object) -> None:
    """What carries no request that we see may carry one that the server sees."""
    assert shown(acts("graph_batch", body)) == [("shop.call", "unknown", "")]


def test_azure_and_salesforce_name_the_parts_differently() -> None:
    """The same requests under the keys of other vendors."""
    azure = {"requests": [{"httpMethod": "DELETE", "url": "/subscriptions/s?api-version=1"}]}
    composite = {
        "compositeRequest": [
            {"method": "POST", "url": "/services/data/v60.0/sobjects/A", "body": {"b": 1}},
            {"method": "DELETE", "url": "/services/data/v60.0/sobjects/A/@{ref.id}"},
        ]
    }
    batch = {"batchRequests": [{"method": "DELETE", "url": "v60.0/sobjects/A/1"}]}
    nested = {"graphs": [{"graphId": "1", **composite}]}

    assert shown(acts("azure_batch", azure)) == [
        ("DELETE", "delete", "/subscriptions/s?api-version=1")
    ]
    for body in (composite, nested):
        assert [one.target.id for one in acts("salesforce_batch", body)] == [
            "/services/data/v60.0/sobjects/A", "/services/data/v60.0/sobjects/A/reference",
        ]  # fmt: skip
    assert [one.target.id for one in acts("salesforce_batch", batch)] == [
        "/services/data/v60.0/sobjects/A/1"
    ]
