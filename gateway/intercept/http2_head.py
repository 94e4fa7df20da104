"""The header list of an HTTP/2 stream -> the same strictly parsed head as of HTTP/1.1. Pure.

The list is written down as an HTTP/1.1 head and read by the one parser that there is, so that what
is decided on never depends on which protocol an agent's library prefers: the same grammar of path,
names and values, the same headers dropped, the same limits, the same codes. `h2` has refused before
what only HTTP/2 can get wrong: pseudo-headers twice, late or unknown, upper case, headers of a
connection, CR, LF and NUL.

INVARIANT(one-authority): `:authority`, `host` if it is there, and the CONNECT name one authority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.intercept.http1 import Head, Limits, RequestReader
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Header


def parse_head(headers: Sequence[Header], limits: Limits, *, ends: bool) -> Head:
    """Read a header list; `ends` tells that no body follows. `Host` stands for `:authority`, and
    `body_bytes` is None where a body of no stated length follows.

    Raises:
        AgentProtocolError: as for HTTP/1.1; `request.connect_inside`, `request.scheme`.
    """
    pseudo = {name: value for name, value in headers if name[:1] == b":"}
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if method == b"CONNECT" or b":protocol" in pseudo:
        raise AgentProtocolError("request.connect_inside", "a tunnel carries no CONNECT")
    if pseudo.get(b":scheme") != b"https":
        raise AgentProtocolError("request.scheme", "the scheme inside TLS is `https`")
    lines = [b"%b %b HTTP/1.1" % (method, path)]
    hosts = {value for name, value in headers if name in (b":authority", b"host")}
    if len(hosts) > 1:
        raise AgentProtocolError(
            "authority.mismatch", "`:authority` and `host` name different hosts", 421
        )
    lines += [b"host: " + host for host in hosts]
    lines += [
        b"%b: %b" % header for header in headers if header[0][:1] != b":" and header[0] != b"host"
    ]
    text = b"\r\n".join([*lines, b"", b""])
    if not text.count(b"\n") == text.count(b"\r") == len(lines) + 1:
        raise AgentProtocolError("request.malformed", "a header holds what no header may")
    reader = RequestReader(limits)
    reader.feed(text)
    head = reader.read_head()
    assert head is not None, "a head ends with an empty line"
    if head.target[:1] != b"/":
        raise AgentProtocolError("request.target_form", "the path does not begin with `/`")
    if ends and head.body_bytes:
        raise AgentProtocolError("request.framing", "a body is announced and does not come")
    if not ends and b"content-length" not in head.control:
        head = replace(head, body_bytes=None)
    return head
