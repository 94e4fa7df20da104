"""However the network cuts an upstream's bytes, the same response or the same refusal results."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.enforce.http1_response import ResponseLimits, ResponseReader
from gateway.model.errors import UpstreamError
from tests.support.response_log import ResponseLog
from tests.unit.enforce.test_http1_response import COMPLETE, FAULTS, HEAD_ANSWERS

ANSWERS = [
    *((data, "GET") for data, _, _ in COMPLETE.values()),
    *((data, "HEAD") for data, _, _ in HEAD_ANSWERS.values()),
    *((data, "GET") for data, _ in FAULTS.values()),
]
LIMITS = ResponseLimits(head_bytes_max=2_000, headers_max=20, informational_max=3)


def read(pieces: list[bytes], method: str) -> tuple[object, ...]:
    """What a connection would make of it: data after the end is no part of the response."""
    log = ResponseLog()
    reader = ResponseReader(log, LIMITS)
    reader.begin(method)
    try:
        for piece in pieces:
            if log.ends:
                break
            reader.feed(piece)
        if not log.ends:
            reader.eof()
    except UpstreamError as error:
        log.fault = error.code
    head = log.head
    seen = head and (head.status, head.reason, head.headers, head.body_bytes, head.has_body)
    return log.ends, log.fault, seen, log.body


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ANSWERS), st.data())
def test_any_split_gives_the_same_response(answer: tuple[bytes, str], data: st.DataObject) -> None:
    """Cut anywhere, any number of times."""
    whole, method = answer
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=12))
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges) if a < b]
    assert read(pieces, method) == read([whole] if whole else [], method)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["GET", "HEAD", "POST"]))
def test_rubbish_never_crashes_the_reader(rubbish: bytes, method: str) -> None:
    """Any bytes end in a response or in a named fault."""
    for start in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        ends, fault, *_ = read([start + rubbish], method)
        assert ends == 1 or str(fault).startswith("upstream.")
