"""Promise: bytes that two parsers could read differently are refused, and nothing is forwarded.

The payloads are in `malformed.py`; the upstream must neither understand a request nor stumble over
one, and the gateway must have found no bug of its own in any of them.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import pytest

from tests.end_to_end import malformed
from tests.support.raw_client import RawClient, request
from tests.support.stack import Stack

INSIDE = {
    **malformed.FRAMING,
    **malformed.INNER_HOST,
    **malformed.PATHS,
    **malformed.BODIES,
}
HOST = "warehouse.example.test"


@pytest.fixture
def raw(stack: Stack) -> RawClient:
    """A hostile agent with a good key."""
    return RawClient(stack.gateway.port, stack.control.key("agent"), stack.gateway.ca_file)


@contextlib.contextmanager
def nothing_arrives(stack: Stack) -> Iterator[None]:
    """Holds that the upstream saw neither a request nor garbage meanwhile."""
    mark, faults = stack.oracle.mark(), len(stack.oracle.faults)
    yield
    assert stack.oracle.since(mark) == []
    assert stack.oracle.faults[faults:] == []


@pytest.mark.parametrize(("payload", "statuses"), INSIDE.values(), ids=INSIDE.keys())
def test_malformed_request_is_refused(
    stack: Stack, raw: RawClient, payload: bytes, statuses: frozenset[int]
) -> None:
    """The first answer is one of the expected refusals, and the upstream saw nothing."""
    with nothing_arrives(stack):
        reply = raw.inside(HOST, payload)

    assert reply.status in statuses, reply


@pytest.mark.parametrize("case", malformed.FRAMING.keys())
def test_connection_ends_after_bad_framing(stack: Stack, raw: RawClient, case: str) -> None:
    """Where it is in doubt where a request ends, a second one behind it is never looked at."""
    payload, _ = malformed.FRAMING[case]
    with nothing_arrives(stack):
        reply = raw.inside(HOST, payload + malformed.GET + malformed.END)

    assert reply.is_closed
    assert not set(reply.statuses) & {200}, reply


@pytest.mark.parametrize("payload", malformed.UNFINISHED.values(), ids=malformed.UNFINISHED.keys())
def test_unfinished_request_is_not_sent(stack: Stack, raw: RawClient, payload: bytes) -> None:
    """A request that never ends is not forwarded, neither while it lasts nor when it breaks off."""
    with nothing_arrives(stack):
        reply = raw.inside(HOST, payload)

    assert 200 not in reply.statuses


@pytest.mark.parametrize(
    "authority", malformed.AUTHORITIES.values(), ids=malformed.AUTHORITIES.keys()
)
def test_bad_destination_gets_no_tunnel(stack: Stack, raw: RawClient, authority: bytes) -> None:
    """CONNECT to such an authority is refused before any TLS."""
    with nothing_arrives(stack):
        reply = raw.connect(authority)

    assert reply.status in {400, 403, 421}, reply


def test_own_ports_get_no_tunnel(stack: Stack, raw: RawClient) -> None:
    """D8: the agent can't reach the control plane, the metrics or the proxy through the proxy."""
    ready = stack.gateway.process.ready
    ports = {
        stack.control.url.rpartition(":")[2],
        ready["metrics_url"].split(":")[2].partition("/")[0],
        str(ready["proxy_port"]),
    }
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0"):
        for port in ports:
            reply = raw.connect(f"{host}:{port}".encode())
            assert reply.status in {400, 403}, (host, port, reply)


@pytest.mark.parametrize("sni", ["api.stripe.com", ""], ids=["another name", "no name"])
def test_tls_for_another_name_is_refused(stack: Stack, raw: RawClient, sni: str) -> None:
    """D1: the TLS server name must be the name of CONNECT."""
    with nothing_arrives(stack):
        try:
            with raw.open_tls(HOST, sni, is_verified=False) as sock:
                sock.settimeout(3)
                sock.sendall(malformed.GET + malformed.END)
                answer = sock.recv(4096)
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            answer = b""

    assert b" 200 " not in answer


def test_no_tls_in_the_tunnel_is_refused(stack: Stack, raw: RawClient) -> None:
    """T3: plain HTTP in a tunnel to port 443 goes nowhere."""
    with nothing_arrives(stack), raw.open_tunnel(f"{HOST}:443".encode()) as sock:
        sock.settimeout(3)
        sock.sendall(malformed.GET + malformed.END)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            assert b" 200 " not in sock.recv(4096)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data/",
        "https://warehouse.example.test/v1/orders/o1",
        "ftp://warehouse.example.test/x",
        "/v1/orders/o1",
    ],
)
def test_bad_target_on_the_plain_port_is_refused(stack: Stack, raw: RawClient, target: str) -> None:
    """D3, D5, D6: absolute-form to a forbidden place, another scheme, or no authority at all."""
    line = f"GET {target} HTTP/1.1\r\nHost: warehouse.example.test\r\n".encode()
    with nothing_arrives(stack):
        reply = raw.plain(line + raw.credentials + b"\r\n")

    assert reply.status in {400, 403, 421, 501}, reply


@pytest.mark.parametrize("agent", ["agent", "nobody", ""])
def test_wrong_credentials_get_no_tunnel(stack: Stack, raw: RawClient, agent: str) -> None:
    """T10: without a good key there is no tunnel, and the answer says how to name oneself."""
    wrong = RawClient(raw.port, "cr_agent_" + "x" * 43, raw.ca_file, agent)
    with nothing_arrives(stack):
        reply = wrong.connect(f"{HOST}:443".encode())

    assert reply.status == 407, reply


def test_pipelined_request_is_decided_on_its_own(stack: Stack, raw: RawClient, tag: str) -> None:
    """F8: a forbidden request and an allowed one in one packet: only the allowed one may go."""
    forbidden = request("DELETE", f"/v1/orders/{tag}a")
    allowed = request("GET", f"/v1/orders/{tag}b")
    reply = raw.inside(HOST, forbidden + allowed)

    assert reply.status == 403, reply
    seen = [(found.method, found.path) for found in stack.oracle.about(tag)]
    assert seen in ([], [("GET", f"/v1/orders/{tag}b")])
    assert len(reply.statuses) == 1 + len(seen)


def test_allowed_then_forbidden_in_one_packet(stack: Stack, raw: RawClient, tag: str) -> None:
    """F8: the permit of the first request does not cover the second."""
    allowed = request("GET", f"/v1/orders/{tag}a")
    forbidden = request("DELETE", f"/v1/orders/{tag}b")
    reply = raw.inside(HOST, allowed + forbidden)

    assert reply.status == 200, reply
    assert [found.method for found in stack.oracle.about(tag)] == ["GET"]


def test_trailers_are_not_merged(stack: Stack, raw: RawClient, tag: str) -> None:
    """F6: a trailer never becomes a header upstream, whether refused or dropped."""
    head = malformed.SEARCH.replace(b"/search", b"/search?about=" + tag.encode())
    body = b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nHost: api.stripe.com\r\n\r\n"
    raw.inside(HOST, head + malformed.CHUNKED + malformed.END + body)

    for seen in stack.oracle.about(tag):
        assert seen.header("authorization") is None
        assert seen.host == HOST


def test_our_own_headers_are_not_forwarded(stack: Stack, raw: RawClient, tag: str) -> None:
    """M8: proxy credentials, hop-by-hop, rewriting and `checkrein-` headers end at the gateway."""
    headers = {
        "Checkrein-Agent": "somebody-else",
        "X-Original-URL": "/v1/admin",
        "X-Rewrite-URL": "/v1/admin",
        "Proxy-Authorization": "Basic eDp5",
        "Connection": "close, x-secret",
        "X-Secret": "1",
        "X-Kept": "2",
    }
    raw.inside(HOST, request("GET", f"/v1/orders/{tag}", headers))

    for seen in stack.oracle.about(tag):
        names = {name.lower() for name, _ in seen.headers}
        assert not names & {name.lower() for name in headers if name != "X-Kept"} - {"connection"}
        assert "x-kept" in names


def test_upgrades_end_at_the_gateway(stack: Stack, raw: RawClient, tag: str) -> None:
    """T5, T6: an upgrade is refused or stripped; upstream never sees one."""
    headers = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABkAAQAAP__",
    }
    reply = raw.inside(HOST, request("GET", f"/v1/orders/{tag}", headers))

    assert 101 not in reply.statuses
    for seen in stack.oracle.about(tag):
        names = {name.lower() for name, _ in seen.headers}
        assert not names & {"upgrade", "http2-settings"}


def test_spellings_of_a_host_are_one_host(stack: Stack, raw: RawClient, tag: str) -> None:
    """D10: upper case and a final dot change nothing in the decision."""
    for number, spelling in enumerate(("WAREHOUSE.Example.TEST", "warehouse.example.test.")):
        payload = request("GET", f"/v1/orders/{tag}{number}")
        with raw.open_tls(HOST) as sock:
            sock.sendall(payload.replace(HOST.encode(), spelling.encode()))
            answer = sock.recv(65_536)
        seen = stack.oracle.about(f"{tag}{number}")
        assert [found.host.lower().rstrip(".") for found in seen] in ([], [HOST])
        assert (b" 200 " in answer) == bool(seen)


def test_body_beyond_the_limit_is_refused(stack: Stack, raw: RawClient, tag: str) -> None:
    """M11: a body that must be inspected and is too long is refused, whatever its start."""
    head = request(
        "POST",
        f"/v1/orders/{tag}/refund",
        {"Content-Type": "application/json", "Content-Length": str(200 * 1024 * 1024)},
    )
    with nothing_arrives(stack):
        reply = raw.inside(HOST, head + b'{"amount":1' + b" " * 4_000_000)

    assert reply.status == 413, reply.statuses


def test_no_bug_was_found_on_the_way(stack: Stack) -> None:
    """After all of the above the gateway counts no fault of its own, and is still alive."""
    assert stack.gateway.metric("checkrein_gateway_bugs_total") == 0, stack.gateway.process.log
