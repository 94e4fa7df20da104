"""Recordings of all forms: what is read from them, and what bad ones are refused for."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.recordings import flows, har
from gateway.authoring.recordings.recording import read_recording
from gateway.authoring.recordings.traffic import Entry, Recorded, RecordingError, Unread, Written
from gateway.record.chain import seal
from gateway.record.line import fields_of
from tests.support.entries import an_intent, an_outcome

URL = "https://api.shop.test/v1/orders"


def har_entry(method: str = "GET", url: str = URL, **fields: Any) -> dict[str, Any]:
    answer = {"status": 200, "content": {"mimeType": fields.pop("answer", "application/json")}}
    return {"request": {"method": method, "url": url, **fields}, "response": answer}


def har_file(*entries: object, before: str = "") -> bytes:
    listed = ",".join(json.dumps(entry) for entry in entries)
    return f'{{"log": {{"version": "1.2", {before} "entries": [{listed}], "x": 1}}}}'.encode()


def net(value: object) -> bytes:
    """A value as a tagged netstring, as mitmproxy writes it."""
    match value:
        case bytes():
            tag, data = b",", value
        case str():
            tag, data = b";", value.encode()
        case bool():
            tag, data = b"!", str(value).lower().encode()
        case int():
            tag, data = b"#", str(value).encode()
        case float():
            tag, data = b"^", str(value).encode()
        case None:
            tag, data = b"~", b""
        case dict():
            tag, data = b"}", b"".join(net(key) + net(item) for key, item in value.items())
        case list():
            tag, data = b"]", b"".join(map(net, value))
        case _:
            raise AssertionError(value)
    return str(len(data)).encode() + b":" + data + tag


def flow(**changes: Any) -> dict[str, Any]:
    request = {
        "method": b"POST", "scheme": b"https", "authority": b"", "path": b"/v1/orders?a=1",
        "host": "10.0.0.1", "port": 443, "timestamp_start": 1.5,
        "headers": [[b"host", b"api.shop.test"], [b"content-type", b"application/json"]],
        "content": b'{"a":1}', "trailers": None,
    }  # fmt: skip
    response = {"status_code": 201, "headers": [[b"content-type", b"application/json"]]}
    value = {"version": 21, "type": "http", "response": response, "request": request | changes}
    return {"comment": "", "intercepted": False, **value}


def line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


RECORD: Mapping[str, Any] = {
    "v": 1, "gateway": "g", "seq": 1, "prev": "0", "kind": "intent", "method": "POST",
    "authority": "api.shop.test:443", "path": "/v1/orders/[redacted]?a=•", "approval": None,
    "refused": None,
    "actions": [{"operation": "unknown", "action": "unknown", "kind": "unknown"}],
}  # fmt: skip


def entries(data: bytes) -> list[Entry]:
    return list(read_recording(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]


def shown(entry: Entry) -> tuple[object, ...]:
    if isinstance(entry, Recorded):
        request = entry.request
        return (
            request.method, str(request.authority), request.target.decode(), request.body,
            entry.status, entry.is_page,
        )  # fmt: skip
    if isinstance(entry, Written):
        return entry.method, entry.host, entry.path, entry.operation, entry.is_mapped, entry.refused
    return ("unread",)


HOST = "api.shop.test:443"
GOOD: dict[str, tuple[bytes, list[tuple[object, ...]]]] = {
    "a HAR file": (
        har_file(har_entry(url=f"{URL}?a=1#top")),
        [("GET", HOST, "/v1/orders?a=1", b"", 200, False)],
    ),
    "a HAR file with a byte order mark, and pages and brackets in texts before its entries": (
        b"\xef\xbb\xbf" + har_file(har_entry(), before='"pages": [{"t": "}]\\"["}],'),
        [("GET", HOST, "/v1/orders", b"", 200, False)],
    ),
    "a HAR file without entries": (har_file(), []),
    "the body of a HAR entry, as text": (
        har_file(har_entry("POST", postData={"mimeType": "text/plain", "text": "x=ä"})),
        [("POST", HOST, "/v1/orders", "x=ä".encode(), 200, False)],
    ),
    "the form of a HAR entry, as params": (
        har_file(
            har_entry(
                "POST",
                postData={
                    "mimeType": "application/x-www-form-urlencoded",
                    "params": [{"name": "a b", "value": "&"}],
                },
            )
        ),
        [("POST", HOST, "/v1/orders", b"a+b=%26", 200, False)],
    ),
    "what a browser loads by itself": (
        har_file(har_entry(answer="text/html; charset=utf-8")),
        [("GET", HOST, "/v1/orders", b"", 200, True)],
    ),
    "a POST that is answered with a page": (
        har_file(har_entry("POST", answer="text/html")),
        [("POST", HOST, "/v1/orders", b"", 200, False)],
    ),
    "a preflight": (
        har_file(
            har_entry(
                "OPTIONS", headers=[{"name": "Access-Control-Request-Method", "value": "PUT"}]
            )
        ),
        [("OPTIONS", HOST, "/v1/orders", b"", 200, True)],
    ),
    "HAR entries that are no requests": (
        har_file({}, 5, har_entry(url="data:text/plain,a"), har_entry(method="")),
        [("unread",)] * 4,
    ),
    "a flow": (
        net(flow()),
        [("POST", HOST, "/v1/orders?a=1", b'{"a":1}', 201, False)],
    ),
    "a flow of HTTP/2 has an authority": (
        net(flow(authority=b"other.test:8443", headers=[[b":path", b"/"]])),
        [("POST", "other.test:8443", "/v1/orders?a=1", b'{"a":1}', 201, False)],
    ),
    "a flow without a name has the address": (
        net(flow(headers=[], content=None)),
        [("POST", "10.0.0.1:443", "/v1/orders?a=1", b"", 201, False)],
    ),
    "a flow that was never answered": (
        net({"type": "http", "request": flow()["request"], "response": None}),
        [("POST", HOST, "/v1/orders?a=1", b'{"a":1}', 0, False)],
    ),
    "flows of other protocols are left out": (net({"type": "tcp", "messages": []}) * 2, []),
    "a flow with a broken inside, and the next": (
        net({"type": "http", "request": {"method": b"x", "headers": ["h"]}}) + net(flow()),
        [("unread",), ("POST", HOST, "/v1/orders?a=1", b'{"a":1}', 201, False)],
    ),
    "JSON lines, an empty and a bad one among them": (
        line({"method": "GET", "url": URL}) + b"\n[]\n" + line({"method": "PUT", "url": URL}),
        [
            ("GET", HOST, "/v1/orders", b"", 0, False),
            ("unread",),
            ("PUT", HOST, "/v1/orders", b"", 0, False),
        ],
    ),
    "record lines: an unmapped intent": (
        line(RECORD), [("POST", "api.shop.test", "/v1/orders/[redacted]", "unknown", False, "")],
    ),
    "record lines: a mapped decision of an IPv6 host": (
        line(
            {
                **RECORD,
                "kind": "decision",
                "authority": "[::1]:8080",
                "actions": [{"operation": "o.get", "action": "get_o", "kind": "read"}],
            }
        ),
        [("POST", "::1", "/v1/orders/[redacted]", "o.get", True, "")],
    ),
    "record lines: a refused one": (
        line({**RECORD, "actions": [], "refused": "ambiguous_path"}),
        [("POST", "api.shop.test", "/v1/orders/[redacted]", "", False, "ambiguous_path")],
    ),
    "record lines: what follows an approval, an outcome and a start say nothing new": (
        line({**RECORD, "approval": {"id": "a"}})
        + line({**RECORD, "kind": "outcome"})
        + line({**RECORD, "kind": "gateway"}),
        [],
    ),
    "record lines: a decision without actions": (line({**RECORD, "actions": 1}), [("unread",)]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), GOOD.values(), ids=GOOD)
def test_what_is_read(data: bytes, expected: list[tuple[object, ...]]) -> None:
    """Each form gives its requests, in order, with status and kind of answer."""
    assert [shown(entry) for entry in entries(data)] == expected


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "something else": (b"<xml/>", "neither"),
    "a HAR file that is cut off": (har_file(har_entry())[:-30], "cut off"),
    "a HAR file without entries": (b'{"log": {"version": "1.2"}}', "no `entries`"),
    "a HAR file that is nested too deeply": (
        b'{"log": {"entries": [' + b"[" * 200_000, "too deeply",
    ),
    "a HAR file that is not UTF-8": (b'{"log": {"entries": [\xff]}}', "not UTF-8"),
    "a HAR file with rubbish between entries": (
        har_file(har_entry(), har_entry()).replace(b"}},{", b"}};{"), "`,` is missing",
    ),
    "flows that are cut off": (net(flow())[:-3], "middle of flow 1"),
    "flows with rubbish behind": (net(flow()) + b"rubbish", "damaged"),
    "a flow that is a list": (net([1]), "no dictionary"),
    "a length without end": (b"1" * 12 + b":", "middle of"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_what_is_refused(data: bytes, message: str) -> None:
    """A recording that can't be read says why."""
    with pytest.raises(RecordingError, match=message):
        entries(data)


def test_a_har_file_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the pieces end, in the middle of a text or a number, the entries are the same."""
    data = har_file(har_entry(), har_entry("PUT", x=12.5), before='"pages": [1234, "a\\"}"],')
    whole = [shown(entry) for entry in entries(data)]
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(har, "CHUNK_CHARS", size)
        assert [shown(entry) for entry in entries(data)] == whole


def test_an_entry_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that never ends is not read into memory."""
    monkeypatch.setattr(har, "CHUNK_CHARS", 100)
    monkeypatch.setattr(har, "ENTRY_CHARS_MAX", 1_000)
    with pytest.raises(RecordingError, match="too large"):
        entries(har_file(har_entry(text="x" * 10_000)))


def test_a_large_flow_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow beyond the limit is told, and the next one is read."""
    monkeypatch.setattr(flows, "FLOW_BYTES_MAX", 1_000)
    found = entries(net(flow(content=b"x" * 2_000)) + net(flow()))

    assert [isinstance(entry, Unread) for entry in found] == [True, False]


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_flows_that_are_damaged_never_crash(cut: int) -> None:
    """Any byte of a flow may be wrong: then it is unread, or the file is refused."""
    data = bytearray(net(flow()))
    data[cut % len(data)] ^= 0x15
    try:
        found = entries(bytes(data))
    except RecordingError:
        return
    assert all(isinstance(entry, Recorded | Unread) for entry in found)


def test_what_mitmproxy_itself_wrote() -> None:
    """`mitmproxy.flows` was written by mitmproxy 11: a GET, a POST over HTTP/2, and a TCP flow."""
    with Path(__file__).with_name("mitmproxy.flows").open("rb") as stream:
        found = [shown(entry) for entry in read_recording(stream)]

    host = "shop.example.com:443"
    assert found == [
        ("GET", host, "/v1/orders/1001", b"", 200, False),
        (
            "POST", host, "/v1/orders/1001/refunds", b'{"amount": "12.50", "currency": "EUR"}', 201,
            False,
        ),
    ]  # fmt: skip


def test_what_a_gateway_itself_wrote() -> None:
    """Lines as a gateway seals them: the act is mapped, and its outcome says nothing new."""
    sealed = [
        seal(fields_of(entry), "gw", number, "0" * 64).line
        for number, entry in enumerate((an_intent(), an_outcome()), 1)
    ]

    assert [shown(entry) for entry in entries(b"\n".join(sealed))] == [
        ("POST", "api.stripe.com", "/v1/refunds", "stripe.refunds.create", True, "")
    ]
