"""Target of HTTP/2: an agent's frames, from the preface to the requests that would be governed."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived

from gateway.enforce.http1_request import request_head
from gateway.enforce.http2_head import request_headers
from gateway.intercept.http1 import Head, Limits
from gateway.intercept.http2_head import parse_head
from gateway.intercept.request import make_request, tunnelled_target
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, HttpRequest
from gateway.wire.http2_frames import FrameLimits, LinkError
from gateway.wire.http2_link import Http2Link, LinkLimits
from tests.fuzz.target import Target, same
from tests.support.frames import START, changed, data, headers, raw, reset, window, with_header
from tests.support.readings import Reading, differences

LIMITS = Limits(head_bytes_max=2_000, headers_max=30, target_bytes_max=500)
LINK_LIMITS = LinkLimits(FrameLimits(2_000, 20, 50), streams_max=10, head_list_bytes_max=2_000)
AUTHORITY = Authority("api.test", 443)
PIECE_BYTES = 7

Told = list[tuple[object, ...]]


def feed(payload: bytes, piece_bytes: int) -> tuple[Told, list[HttpRequest], str]:
    """What is understood of an agent's bytes: all that was told, the whole requests among it, and
    why the connection ended, if it did."""
    link = Http2Link(LINK_LIMITS, is_client=False)
    link.start()
    told: Told = []
    heads: dict[int, Head] = {}
    bodies: dict[int, bytes] = {}
    requests: list[HttpRequest] = []
    try:
        for at in range(0, len(payload), piece_bytes):
            for event in link.feed(payload[at : at + piece_bytes], 0.0):
                match event:
                    case RequestReceived():
                        listed = [(bytes(name), bytes(value)) for name, value in event.headers]
                        ends = event.stream_ended is not None
                        try:
                            head = parse_head(listed, LIMITS, ends=ends)
                            tunnelled_target(head, AUTHORITY)
                        except AgentProtocolError as error:
                            told.append(("refused", event.stream_id, error.code))
                            continue
                        heads[event.stream_id], bodies[event.stream_id] = head, b""
                        told.append(("head", event.stream_id, head.method, head.target))
                    case DataReceived() if event.stream_id in bodies:
                        bodies[event.stream_id] += event.data
                    case StreamEnded() if event.stream_id in heads:
                        head, body = heads.pop(event.stream_id), bodies.pop(event.stream_id)
                        request = make_request(head, "https", AUTHORITY, head.target, body)
                        requests.append(request)
                        told.append(("whole", event.stream_id, request.headers, body))
                    case StreamReset() | TrailersReceived():
                        heads.pop(event.stream_id or 0, None)
                        told.append(("reset", event.stream_id))
                    case _:
                        pass
    except LinkError as error:
        return told, requests, error.code
    return told, requests, ""


def check_http2(payload: bytes) -> None:
    """The same requests in any pieces; written upstream, in HTTP/2 or HTTP/1.1, they are the same
    requests to every server, and no others."""
    whole = feed(START + payload, len(START + payload))
    in_pieces = feed(START + payload, PIECE_BYTES)
    same(whole[0], in_pieces[0], "the same in pieces")
    same(whole[2], in_pieces[2], "the same in pieces")
    written, expected = b"", []
    for request in whole[1]:
        head = request_head(request)
        written += head + (request.body or b"")
        lines = [line.partition(b": ") for line in head[:-4].split(b"\r\n")[1:]]
        listed = tuple((name.lower(), value) for name, _, value in lines)
        expected.append(
            Reading(request.method.encode(), request.target, listed, request.body or b"")
        )
        _check_as_http2(request)
    found = differences(written, expected) if expected else []
    assert not found, found


def _check_as_http2(request: HttpRequest) -> None:
    """What the `h2` library, as an upstream, understands of a request that we pass on."""
    link = Http2Link(LinkLimits(FrameLimits()), is_client=True)
    link.start()
    stream_id = link.open_stream(request_headers(request), ends=not request.body)
    if request.body:
        link.send_data(stream_id, request.body, ends=True)
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    events = server.receive_data(link.take_output())
    (head,) = [event for event in events if isinstance(event, RequestReceived)]
    body = b"".join(event.data for event in events if isinstance(event, DataReceived))
    fields = {bytes(name): bytes(value) for name, value in head.headers}
    same(
        (request.method.encode(), request.target, request.fields.get(b"host"), request.body),
        (fields[b":method"], fields[b":path"], fields[b":authority"], body),
        "the h2 library",
    )


SEEDS = (
    headers(1) + headers(3, with_header((b"x", b"y"), (b"x", b"z"))),
    headers(1, ends=False) + data(1, b"hello") + data(1, b"", ends=True),
    headers(1, with_header((b"content-length", b"5")), ends=False) + data(1, b"hello", ends=True),
    headers(1, whole=False) + raw(9, 4, 1, b"\x00\x01a\x01b"),
    headers(1, ends=False) + reset(1) + headers(3) + window(0, 5) + raw(6, 0, 0, b"12345678"),
    headers(1, changed(b":path", b"/a?b=c")) + raw(7, 0, 0, b"\0" * 8) + headers(3),
    headers(1, with_header((b"content-type", b"application/grpc")), ends=False)
    + data(1, b"\0\0\0\0\2ab", ends=True),
    raw(4, 0, 0, b"\0\4\0\0\0\0") + headers(1, ends=False) + headers(1, [(b"trailer", b"1")]),
)  # fmt: skip
WORDS = (
    headers(1), headers(3), headers(5, ends=False), data(1, b"x"), data(5, b"y", ends=True),
    reset(1), reset(5), window(0, 1), window(1, 2**31 - 1), raw(4, 1, 0), raw(4, 0, 0),
    raw(9, 4, 1), raw(9, 0, 1), raw(0, 8, 1, b"\1ab"), raw(1, 5, 1, b"\x82\x87\x84"),
    b"\x00\x04host\x04evil", b"\x00\x01x\x03a\r\n", b"\x00\x02te\x04gzip", b"\x3f\xe1\x1f",
    b"\x00\x00\x00", b"\xff\xff\xff", b"\x00\x0econtent-length\x015", b"\x01\x25", b"\x01\x04",
)  # fmt: skip

TARGETS = (
    Target(
        "http2",
        "frames of an agent are the same requests to everybody",
        check_http2, SEEDS, WORDS,
    ),
)  # fmt: skip
