"""What is remembered of heads and lines changes nothing but the time that they take."""

from __future__ import annotations

import pytest

from gateway.intercept.http1 import Head, Limits, RequestReader
from gateway.model.errors import AgentProtocolError

LINES = b"Host: a.test\r\nX-Twice: 1\r\nX-Twice: 2\r\nConnection: x-once\r\nX-Once: 3\r\n\r\n"


def read(reader: RequestReader, text: bytes) -> Head:
    reader.feed(text)
    head = reader.read_head()
    assert head is not None
    while not reader.is_complete:
        reader.read_body()
    reader.start_next()
    return head


def facts(head: Head) -> object:
    return (
        head.method, head.target, head.is_http10, head.headers, dict(head.fields), head.repeated,
        dict(head.control), head.body_bytes, head.keeps_alive,
    )  # fmt: skip


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(b"GET /b HTTP/1.1\r\n" + LINES, id="the same headers for another target"),
        pytest.param(b"GET /a HTTP/1.0\r\n" + LINES, id="the same headers in another version"),
        pytest.param(b"GET /a HTTP/1.1\r\nHost: b.test\r\n\r\n", id="another host"),
        pytest.param(b"GET /a HTTP/1.1\r\nhost: a.test\r\n\r\n", id="another spelling of a name"),
        pytest.param(
            b"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi", id="now with a body"
        ),
    ],
)
def test_a_head_after_another_is_read_as_if_it_were_the_first(then: bytes) -> None:
    """On a connection that has just carried nearly the same."""
    used = RequestReader(Limits())
    for _ in range(2):
        read(used, b"GET /a HTTP/1.1\r\n" + LINES)
    assert facts(read(used, then)) == facts(read(RequestReader(Limits()), then))


@pytest.mark.parametrize("bad", [b"X-Twice : 1", b"X-Twice: 1\x00", b" X-Twice: 1", b"X-Twice"])
def test_a_line_that_is_nearly_known_is_refused(bad: bytes) -> None:
    """Every byte of a line that is not known is looked at."""
    reader = RequestReader(Limits())
    read(reader, b"GET /a HTTP/1.1\r\n" + LINES)
    reader.feed(b"GET /a HTTP/1.1\r\nHost: a.test\r\n" + bad + b"\r\n\r\n")
    with pytest.raises(AgentProtocolError):
        reader.read_head()


def test_the_limit_of_headers_holds_for_lines_that_are_known() -> None:
    """Known or not, a line counts."""
    reader = RequestReader(Limits(headers_max=3))
    reader.feed(b"GET /a HTTP/1.1\r\n" + b"X-Twice: 1\r\n" * 4 + b"\r\n")
    with pytest.raises(AgentProtocolError) as refused:
        reader.read_head()
    assert refused.value.code == "request.too_many_headers"
