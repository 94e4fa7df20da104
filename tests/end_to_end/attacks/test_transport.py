"""T1-T14: what carries requests, and what they use up. Certificates, tunnels, upgrades, slowness,
size, forged identity; and what an agent writes must not act where people read it."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from tests.end_to_end.attacks.conftest import HOST, Scene, make_scene
from tests.end_to_end.attacks.payloads import CHUNKED, END, GET, REFUSED, SEARCH
from tests.end_to_end.attacks.payloads import HOST as HOST_LINE
from tests.end_to_end.attacks.test_destination import hello
from tests.end_to_end.attacks.wicked import BAD_SERVERS, Wicked
from tests.support.command import Checkrein
from tests.support.raw_client import RawClient, request
from tests.support.stack import Stack
from tests.support.terminal import on_terminal, read_until

PHASE_SECONDS = 0.4
HELD_MAX = 2
CONNECTIONS_MAX = 40
TRIES_MAX = 5


@pytest.fixture(scope="module")
def tight(stack: Stack) -> Iterator[Scene]:
    """A gateway with short deadlines and small limits."""
    gateway = stack.add_gateway(
        "tight",
        {
            "CHECKREIN_PROXY_HEAD_SECONDS_MAX": str(PHASE_SECONDS),
            "CHECKREIN_HEAD_SECONDS_MAX": str(PHASE_SECONDS),
            "CHECKREIN_TLS_SECONDS_MAX": str(PHASE_SECONDS),
            "CHECKREIN_BODY_IDLE_SECONDS_MAX": str(PHASE_SECONDS),
            "CHECKREIN_WRITE_STALL_SECONDS_MAX": str(PHASE_SECONDS),
            "CHECKREIN_CONNECTIONS_MAX": str(CONNECTIONS_MAX),
            "CHECKREIN_HOLD_COUNT_MAX_PER_AGENT": str(HELD_MAX),
            "CHECKREIN_HOLD_SECONDS_MAX": "4",
        },
    )
    try:
        yield make_scene(stack, gateway)
    finally:
        gateway.process.close()


# --- T1, T2: the upstream's side of TLS -----------------------------------------------------------


@pytest.mark.parametrize("row", BAD_SERVERS)
def test_t1_t2_bad_server_is_a_502(wicked: Wicked, row: str) -> None:
    """T1, T2: told to the agent, recorded as not sent, and no request arrives. All the others of
    their kind: tests/integration/enforce/test_bad_certificates.py."""
    before = len(wicked.upstream.heads)
    reply = wicked.ask(row, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", BAD_SERVERS[row])

    assert reply.statuses == (502,), reply
    assert wicked.outcome() == "not_sent"
    assert len(wicked.upstream.heads) == before


def test_t2_agent_of_old_tls_is_refused(scene: Scene) -> None:
    """T2: on the agents' side too there is nothing below TLS 1.2."""
    old = hello(HOST.encode()).replace(b"\x03\x03" + b"r" * 32, b"\x03\x01" + b"r" * 32)
    assert _in_tunnel(scene, old)[:1] in (b"", b"\x15")


# --- T3: what stands in a tunnel ------------------------------------------------------------------

OUTER_NAME = b"\xfe\x0d\x00\x02\x00\x00"
"""An Encrypted ClientHello: the real name would be inside of what can't be read."""

TUNNELLED = {
    "T3 plain HTTP": GET + END,
    "T3 SSH": b"SSH-2.0-x\r\n",
    "T3 zeros": b"\0" * 64,
    "T3 an encrypted hello": hello(HOST.encode(), more=OUTER_NAME),
}


def _in_tunnel(scene: Scene, data: bytes) -> bytes:
    with scene.nothing_arrives(), scene.raw.open_tunnel(f"{HOST}:443".encode()) as sock:
        sock.settimeout(5)
        sock.sendall(data)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            return sock.recv(4096)
    return b""


@pytest.mark.parametrize("row", TUNNELLED)
def test_no_opaque_tunnel(scene: Scene, row: str) -> None:
    """What is no TLS handshake with the named host leads nowhere."""
    assert b" 200 " not in _in_tunnel(scene, TUNNELLED[row])


def test_t3_tls_and_then_no_http(scene: Scene) -> None:
    """T3: bytes inside TLS that are no HTTP are refused and closed."""
    reply = scene.refuse(b"EHLO a\r\n\r\n", frozenset({400}))

    assert reply.is_closed


# --- T4, T6: other ways out -----------------------------------------------------------------------

RESOLVERS = {
    "T4 DNS over TLS": b"1.1.1.1:853",
    "T4 DNS over TLS by name": b"dns.google:853",
    "T4 DNS": b"8.8.8.8:53",
    "T14 mail": b"smtp.example.com:25",
}


@pytest.mark.parametrize("row", RESOLVERS)
def test_other_ports_are_closed(scene: Scene, row: str) -> None:
    """No port but the web's leads out, so neither DNS over TLS nor mail passes."""
    scene.refuse_tunnel(RESOLVERS[row])


def test_t4_dns_over_https_is_an_ordinary_host(wicked: Wicked) -> None:
    """T4: a known resolver has no mapper and no rule, so it is blocked as any other host."""
    line = b"GET /dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB HTTP/1.1\r\n"
    before = len(wicked.upstream.heads)
    reply = wicked.raw.inside("dns.google", line + b"Host: dns.google\r\n\r\n", quiet_seconds=10)

    assert reply.status == 403
    assert len(wicked.upstream.heads) == before


UPGRADES = {
    "T6 h2c": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"},
    "T6 a WebSocket that policy does not name": {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
    "T6 UDP in HTTP": {"Connection": "Upgrade", "Upgrade": "connect-udp", "Capsule-Protocol": "?1"},
    "T6 TLS in HTTP": {"Connection": "Upgrade", "Upgrade": "TLS/1.2"},
}


@pytest.mark.parametrize("row", UPGRADES)
def test_upgrades_end_at_the_gateway(scene: Scene, tag: str, row: str) -> None:
    """An upgrade is refused or stripped; upstream never sees one, and nobody is told 101."""
    reply = scene.note(scene.ask(request("GET", f"/v1/orders/{tag}", UPGRADES[row])))

    assert 101 not in reply.statuses
    for seen in scene.stack.oracle.about(tag):
        names = {name.lower() for name, _ in seen.headers}
        assert not names & {"upgrade", "http2-settings", "connection"}


# --- T7: slowness ---------------------------------------------------------------------------------

SLOW_INSIDE = {
    "T7 a head that drips": GET,
    "T7 a body that stops": SEARCH + b"Content-Length: 100\r\n\r\n{",
    "T7 chunks that stop": SEARCH + CHUNKED + END + b"5\r\n{",
}


@pytest.mark.parametrize("row", SLOW_INSIDE)
def test_slow_request_is_given_up(tight: Scene, row: str) -> None:
    """Each phase has its own deadline: 408, closed, and nothing was sent."""
    with tight.nothing_arrives():
        reply = tight.note(tight.raw.inside(HOST, SLOW_INSIDE[row], quiet_seconds=10))

    assert reply.status == 408, reply
    assert reply.is_closed


def test_t7_dripping_does_not_stretch_a_head(tight: Scene) -> None:
    """T7: a byte now and then gains no time, whatever the client."""
    with tight.raw.open_tls(HOST) as sock:
        sock.settimeout(10)
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in GET * 20:
                sock.sendall(bytes([byte]))
                time.sleep(PHASE_SECONDS / 20)
                if time.monotonic() - begun > 20 * PHASE_SECONDS:
                    break
        assert time.monotonic() - begun < 20 * PHASE_SECONDS


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "a part"])
def test_t7_slow_handshake_is_given_up(tight: Scene, data: bytes) -> None:
    """T7: a tunnel without a whole hello is closed."""
    assert _in_tunnel(tight, data) == b""


def test_t7_slow_reader_is_cut_off(tight: Scene, tag: str) -> None:
    """T7: who doesn't read what was asked for doesn't keep a connection."""
    with tight.raw.open_tls(HOST) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        note = request("POST", f"/v1/orders/{tag}/note", {}, b"n" * 500_000)
        with contextlib.suppress(OSError):
            sock.settimeout(20 * PHASE_SECONDS)
            while True:
                sock.sendall(note)
    assert len(tight.stack.oracle.about(tag)) < 1_000


# --- T8: size -------------------------------------------------------------------------------------

SIZES = {
    "T8 a header of 64 KiB": (GET + b"X-A: " + b"a" * 65_536 + b"\r\n\r\n", {431}),
    "T8 two hundred headers": (GET + b"X-A: 1\r\n" * 200 + END, {431}),
    "T8 a target of 64 KiB": (
        b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\n" + HOST_LINE + END,
        {414},
    ),
    "T8 10 GiB that must be read": (
        SEARCH + b"Content-Length: 10737418240\r\n\r\n" + b"[" * 100_000,
        {413},
    ),
    "T8 a length beyond all sizes": (SEARCH + b"Content-Length: 999999999999999\r\n\r\n", {413}),
    "T8 a length beyond what a record can say": (
        SEARCH + b"Content-Length: 9999999999999999\r\n\r\n",
        {400},
    ),
    "T8 a body in tiny chunks": (
        SEARCH + CHUNKED + END + b"1\r\n \r\n" * 20_000,
        {400},
    ),
}


@pytest.mark.parametrize("row", SIZES)
def test_what_is_too_large_is_refused(scene: Scene, row: str) -> None:
    """Refused as soon as it can be known, without waiting for the rest."""
    payload, statuses = SIZES[row]
    scene.refuse(payload, frozenset(statuses))


def test_t8_connections_are_bounded(tight: Scene) -> None:
    """T8: beyond the limit a connection is told 503 at once; memory stays. At length:
    `python -m tests.end_to_end.attacks.flood`."""
    process = psutil.Process(tight.gateway.process.pid)
    before = process.memory_info().rss
    # On a busy machine the first may end by their deadline before the last is there.
    assert any(_refused_at_once(tight.gateway.port) >= CONNECTIONS_MAX for _ in range(TRIES_MAX))
    assert process.memory_info().rss - before < 50 * 1024 * 1024


def _refused_at_once(port: int) -> int:
    """How many of thrice as many connections as may be are told 503."""
    with contextlib.ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            for _ in range(CONNECTIONS_MAX * 3)
        ]
        return sum(b" 503 " in _first_bytes(sock) for sock in sockets)


def _first_bytes(sock: socket.socket) -> bytes:
    """What is told before the connection ends; those within the limit time out without a word."""
    sock.settimeout(10)
    try:
        return sock.recv(200)
    except ConnectionResetError:
        return b""


# --- T9: what agents write and people read --------------------------------------------------------

INJECTED = "<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07\r\nforged: line\u202e"


def test_t9_what_an_agent_writes_does_nothing_where_it_is_read(
    stack: Stack, tag: str, tmp_path: Path
) -> None:
    """T9: markup, escapes and line ends in a request reach record, log and terminal as text. Of
    pages: tests/integration/dashboard/test_approvals.py."""
    scene = make_scene(stack, stack.brief)
    known = stack.api.approval_ids()
    body = urlencode({"charge": tag, "amount": 1, "reason": INJECTED}).encode()
    head = (
        "POST /v1/refunds HTTP/1.1\r\nHost: api.stripe.com\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    scene.refuse(head.encode() + body, frozenset({400}), "api.stripe.com")
    (approval_id,) = stack.api.approval_ids() - known

    (line,) = [record.line for record in stack.api.records() if f'"{tag}"' in record.line][:1]
    for text in (line, scene.gateway.process.log, stack.control.process.log):
        assert "\x1b" not in text
        assert not any(one.startswith("forged") for one in text.splitlines())
    checkrein = Checkrein(
        tmp_path,
        {
            "CHECKREIN_API_URL": stack.control.url,
            "CHECKREIN_API_KEY": stack.control.key("admin"),
        },
    )
    with on_terminal(checkrein, "approvals", "show", approval_id) as (_, terminal):
        shown = read_until(terminal, None)
    assert tag.encode() in shown
    assert b"\x1b[2J" not in shown
    assert b"\x1b]0;" not in shown
    assert "\u202e".encode() not in shown
    assert not any(one.startswith(b"forged") for one in shown.splitlines())


# --- T10, T11: who asks ---------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["agent", "nobody", ""])
def test_t10_wrong_credentials_get_no_tunnel(scene: Scene, agent: str) -> None:
    """T10: without a good key there is no tunnel, and the answer says how to name oneself."""
    wrong = RawClient(scene.raw.port, "cr_agent_" + "x" * 43, scene.raw.ca_file, agent)
    with scene.nothing_arrives():
        reply = scene.note(wrong.connect(f"{HOST}:443".encode()))

    assert reply.status == 407, reply


def test_t10_identity_is_not_taken_from_inside(scene: Scene, tag: str) -> None:
    """T10: headers that claim another agent or approval change nothing and go no further."""
    headers = {
        "Checkrein-Agent": "admin",
        "Checkrein-Run": "r1",
        "Checkrein-Approval": "apr_1",
        "Proxy-Authorization": "Basic YWRtaW46eA==",
    }
    assert scene.ask(request("GET", f"/v1/orders/{tag}", headers)).status == 200
    intent = scene.stack.api.wait_record({"kind": "intent"}, tag)
    assert (intent["agent"], intent["approval"]) == ("agent", None)
    (seen,) = scene.stack.oracle.about(tag)
    assert {name for name, _ in seen.headers} == {"Host"}


def test_t11_pending_questions_are_bounded(tight: Scene, tag: str) -> None:
    """T11: beyond its cap an agent is refused instead of filling the reviewers' list."""
    known = tight.stack.api.approval_ids()
    with tight.nothing_arrives(), contextlib.ExitStack() as opened:
        for number in range(HELD_MAX):
            sock = opened.enter_context(tight.raw.open_tls(HOST))
            sock.sendall(_refund(f"{tag}{number}"))
        deadline = time.monotonic() + 10
        while len(tight.stack.api.approval_ids() - known) < HELD_MAX:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        reply = tight.raw.inside(HOST, _refund(f"{tag}x"), quiet_seconds=3)
        assert b"HOLDS_FULL" in reply.data, reply
        assert re.search(rb"(?i)retry-after: [0-9]+", reply.data)
    assert len(tight.stack.api.approval_ids() - known) == HELD_MAX


def _refund(order: str) -> bytes:
    headers = {"Content-Type": "application/json"}
    return request("POST", f"/v1/orders/{order}/refund", headers, b'{"amount":1}')


def test_refusals_are_recorded_and_what_arrived_was_decided(scene: Scene) -> None:
    """After all rows of this file: each refusal has its record, and each arrival its intent."""
    scene.refuse(request("GET", "/v2/everything"), REFUSED)
    scene.assert_recorded()
    scene.assert_understood()
    assert scene.gateway.metric("checkrein_gateway_bugs_total") == 0, scene.gateway.process.log
