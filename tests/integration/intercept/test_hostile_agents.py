"""Agents that send what they like: nothing becomes an exchange, and each is told or cut off."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from pathlib import Path

import pytest

from gateway.model.errors import ConfigurationError
from gateway.model.exchange import Authority, Exchange, ResponseHead
from gateway.ports import AgentChannel, Wire
from gateway.wire.socket_wire import connect
from tests.integration.intercept.agent import CREDENTIALS, GET, post, running_proxy
from tests.support.fakes import FakeFlow, FakeReceiver

HOST = b"Host: api.test\r\n"
INSIDE = {
    "F1 both framings": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        400, "request.framing",
    ),
    "F2 two lengths": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        400, "request.repeated_header",
    ),
    "F2 a signed length": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\n", 400, "request.framing",
    ),
    "F3 space before the colon": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n",
        400, "request.malformed",
    ),
    "F3 another coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        501, "request.transfer_coding",
    ),
    "F5 bare LF": (b"GET / HTTP/1.1\nHost: api.test\n\n", 400, "request.malformed"),
    "F6 chunk extension": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n",
        400, "request.bad_chunk",
    ),
    "F6 trailers": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
        400, "request.bad_chunk",
    ),
    "F7 HTTP/0.9": (b"GET /\r\n", 400, "request.malformed"),
    "F7 HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505, "request.version"),
    "HTTP/2 with prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "request.version"),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400, "request.no_host"),
    "two Hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "request.repeated_header"),
    "D2 another Host": (
        b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", 421, "authority.mismatch",
    ),
    "D2 Host with another port": (
        b"GET / HTTP/1.1\r\nHost: api.test:444\r\n\r\n", 421, "authority.mismatch",
    ),
    "D2 Host with user information": (
        b"GET / HTTP/1.1\r\nHost: a@api.test\r\n\r\n", 400, "authority.malformed",
    ),
    "D3 absolute form for another host": (
        b"GET https://other.test/ HTTP/1.1\r\n" + HOST + b"\r\n", 421, "authority.mismatch",
    ),
    "D3 plain absolute form inside": (
        b"GET http://api.test/ HTTP/1.1\r\n" + HOST + b"\r\n", 400, "request.target_form",
    ),
    "D3 asterisk form": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "request.target_form"),
    "CONNECT inside": (
        b"CONNECT api.test:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "request.connect_inside",
    ),
    "T6 half a handshake of a WebSocket": (
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
        400, "upgrade.malformed",
    ),
    "another expectation": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 200-maybe\r\nContent-Length: 1\r\n\r\n",
        417, "request.expectation",
    ),
    "T8 a head too large": (
        b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"x" * 70_000 + b"\r\n\r\n",
        431, "request.head_too_large",
    ),
    "T8 too many headers": (
        b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 200 + b"\r\n", 431, "request.too_many_headers",
    ),
    "T8 a target too long": (
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        414, "request.target_too_long",
    ),
    "T3 no HTTP at all": (b"\x00\x01\x02\r\n\r\n", 400, "request.malformed"),
}  # fmt: skip


@pytest.mark.parametrize("case", INSIDE)
async def test_bad_bytes_inside_a_tunnel(tmp_path: Path, case: str) -> None:
    """Refused with its code, noted with who sent it, connection closed, a second one not read."""
    data, status, code = INSIDE[case]
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel()
        answer = await agent.ask(data + GET)
        assert (answer.status, answer.headers[b"checkrein-code"].decode()) == (status, code)
        assert await agent.read_rest() == b""
        assert proxy.governor.exchanges == []
        assert [error.code for error in proxy.governor.refusals] == [code]
        assert proxy.governor.refused_agents == ["agent"]


def basic(text: bytes) -> bytes:
    return b"Proxy-Authorization: Basic " + base64.b64encode(text) + b"\r\n"


CONNECT = b"CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n"
OUTSIDE = {
    "no credentials": (CONNECT + b"\r\n", 407, "agent.unauthenticated"),
    "a wrong key": (CONNECT + basic(b"agent:wrong") + b"\r\n", 407, "agent.unknown"),
    "another scheme": (
        CONNECT + b"Proxy-Authorization: Bearer x\r\n\r\n", 407, "agent.bad_credentials",
    ),
    "no colon": (CONNECT + basic(b"agent") + b"\r\n", 407, "agent.bad_credentials"),
    "a run that would forge a log line": (
        CONNECT + basic(b"agent+a\nb:secret") + b"\r\n", 407, "agent.bad_credentials",
    ),
    "credentials twice": (
        CONNECT + CREDENTIALS + CREDENTIALS + b"\r\n", 400, "request.repeated_header",
    ),
    "a CONNECT without a port": (
        b"CONNECT api.test HTTP/1.1\r\n" + CREDENTIALS + b"\r\n", 400, "authority.malformed",
    ),
    "a CONNECT whose Host is another": (
        b"CONNECT api.test:443 HTTP/1.1\r\nHost: b.test:443\r\n" + CREDENTIALS + b"\r\n",
        421, "authority.mismatch",
    ),
    "a CONNECT with a body": (
        CONNECT + CREDENTIALS + b"Content-Length: 3\r\n\r\nabc", 400, "request.framing",
    ),
    "bytes before the tunnel stands": (
        CONNECT + CREDENTIALS + b"\r\n\x16\x03\x01", 400, "tunnel.early_bytes",
    ),
    "a forbidden host": (
        b"CONNECT bad.test:443 HTTP/1.1\r\n" + CREDENTIALS + b"\r\n", 403, "destination.forbidden",
    ),
    "origin form": (
        b"GET / HTTP/1.1\r\n" + HOST + CREDENTIALS + b"\r\n", 400, "request.target_form",
    ),
    "https in absolute form": (
        b"GET https://api.test/ HTTP/1.1\r\n" + HOST + CREDENTIALS + b"\r\n",
        400, "request.target_form",
    ),
    "absolute form with another Host": (
        b"GET http://api.test/ HTTP/1.1\r\nHost: b.test\r\n" + CREDENTIALS + b"\r\n",
        400, "authority.mismatch",
    ),
    "absolute form to a forbidden host": (
        b"GET http://bad.test/ HTTP/1.1\r\nHost: bad.test\r\n" + CREDENTIALS + b"\r\n",
        403, "destination.forbidden",
    ),
    "TLS to the proxy port": (b"\x16\x03\x01\x00\x05hello\r\n\r\n", 400, "request.malformed"),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTSIDE)
async def test_bad_proxy_requests(tmp_path: Path, case: str) -> None:
    """Refused with its code before anything is connected; 407 says how to authenticate."""
    data, status, code = OUTSIDE[case]
    async with running_proxy(tmp_path) as proxy:
        proxy.governor.forbidden = {"bad.test"}
        agent = await proxy.dial()
        answer = await agent.ask(data)
        assert (answer.status, answer.headers[b"checkrein-code"].decode()) == (status, code)
        assert (b"proxy-authenticate" in answer.headers) == (status == 407)
        assert await agent.read_rest() == b""
        assert proxy.governor.exchanges == []


async def test_a_configured_agent_needs_no_credentials(tmp_path: Path) -> None:
    """The sidecar's own agent acts when none is named; wrong credentials are still refused."""
    async with running_proxy(tmp_path, configured_agent="sidecar") as proxy:
        agent = await proxy.dial()
        answer = await agent.ask(b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert answer.status == 200
        assert proxy.governor.exchanges[0].principal.agent == "sidecar"
        agent = await proxy.dial()
        assert (await agent.ask(CONNECT + basic(b"agent:wrong") + b"\r\n")).status == 407


@pytest.mark.parametrize(
    ("name", "code"), [("other.test", "authority.mismatch"), (None, "authority.no_sni")]
)
async def test_sni_must_name_the_host(tmp_path: Path, name: str | None, code: str) -> None:
    """Another name, or none, is told inside the tunnel with 421; nothing is governed."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.connect()
        context = proxy.context()
        if name is None:
            context.check_hostname = False
        await agent.start_tls(context, name)
        answer = await agent.ask(GET)
        assert (answer.status, answer.headers[b"checkrein-code"].decode()) == (421, code)
        assert proxy.governor.exchanges == []


async def test_an_address_needs_no_sni(tmp_path: Path) -> None:
    """A CONNECT to an address has a certificate for that address."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel(b"192.0.2.7:443", "192.0.2.7")
        assert (await agent.ask(GET.replace(b"api.test", b"192.0.2.7"))).status == 200


TUNNEL_BYTES = {
    "plain HTTP": (GET, "tunnel.not_tls"),
    "SSH": (b"SSH-2.0-x\r\n", "tunnel.not_tls"),
    "a hello that is none": (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "tunnel.bad_hello"),
}


@pytest.mark.parametrize("case", TUNNEL_BYTES)
async def test_a_tunnel_that_is_not_tls(tmp_path: Path, case: str) -> None:
    """No opaque tunnels: closed without a word, and noted."""
    data, code = TUNNEL_BYTES[case]
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.connect()
        agent.send(data)
        assert await agent.read_rest() == b""
        assert [error.code for error in proxy.governor.refusals] == [code]


async def test_a_client_that_offers_no_http_of_ours(tmp_path: Path) -> None:
    """Refused by name, so that its user learns why."""
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.connect()
        context = proxy.context()
        context.set_alpn_protocols(["http/1.0", "spdy/3"])
        with pytest.raises(ConnectionError):
            await agent.start_tls(context, "api.test")
        assert [error.code for error in proxy.governor.refusals] == ["tunnel.no_http"]


async def test_a_client_that_distrusts_the_ca(tmp_path: Path) -> None:
    """Noted with a code of its own: the mistake that people make."""

    def distrust(address: tuple[str, int]) -> None:
        with socket.create_connection(address, 5) as sock:
            sock.sendall(CONNECT + CREDENTIALS + b"\r\n")
            assert sock.recv(1_000).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(ssl.SSLCertVerificationError):
                ssl.create_default_context().wrap_socket(sock, server_hostname="api.test")

    async with running_proxy(tmp_path) as proxy:
        await asyncio.to_thread(distrust, proxy.listener.address)
        await proxy.governor.until(lambda: bool(proxy.governor.refusals))
        assert [error.code for error in proxy.governor.refusals] == ["tunnel.ca_distrusted"]


SLOW = {
    "nothing at all": (b"", None),
    "half a CONNECT": (b"CONNECT api.test:443 HT", "request.timed_out"),
}


@pytest.mark.parametrize("case", SLOW)
async def test_slow_before_the_tunnel(tmp_path: Path, case: str) -> None:
    """A silent connection just ends; half a head is told 408."""
    data, code = SLOW[case]
    async with running_proxy(tmp_path, proxy_head_seconds_max=0.1, head_seconds_max=0.1) as proxy:
        agent = await proxy.dial()
        agent.send(data)
        rest = await agent.read_rest()
        assert rest.startswith(b"HTTP/1.1 408 ") if code else rest == b""
        assert [error.code for error in proxy.governor.refusals] == ([code] if code else [])


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\x02\x00\x01"])
async def test_slow_in_the_handshake(tmp_path: Path, data: bytes) -> None:
    """No hello, or a part of one, ends with the deadline of the handshake."""
    async with running_proxy(tmp_path, tls_seconds_max=0.1) as proxy:
        agent = await proxy.connect()
        agent.send(data)
        assert await agent.read_rest() == b""
        assert [error.code for error in proxy.governor.refusals] == ["tunnel.timed_out"]


async def test_slow_in_the_tunnel(tmp_path: Path) -> None:
    """A head that drips and a body that stops are told 408; idleness between requests is not."""
    limits = {
        "head_seconds_max": 0.15,
        "body_idle_seconds_max": 0.15,
        "keep_alive_seconds_max": 0.3,
    }
    async with running_proxy(tmp_path, **limits) as proxy:
        dripping = await proxy.tunnel()

        async def drip() -> None:
            for byte in GET[:40]:
                dripping.send(bytes([byte]))
                await asyncio.sleep(0.02)

        drips = asyncio.create_task(drip(), name="drip")
        assert (await dripping.read_answer()).status == 408
        drips.cancel()
        stopped = await proxy.tunnel()
        assert (await stopped.ask(post(b"abcdef")[:-3])).status == 408
        idle = await proxy.tunnel()
        assert (await idle.ask(GET)).status == 200
        assert await idle.read_rest() == b""
        codes = [error.code for error in proxy.governor.refusals]
        assert codes == ["request.timed_out", "body.timed_out"]


async def test_an_agent_that_never_reads_is_cut_off(tmp_path: Path) -> None:
    """A stalled answer ends the connection, and lets the upstream go on."""
    flow, done = FakeFlow(), asyncio.Event()

    async def relay(exchange: Exchange, channel: AgentChannel) -> None:
        channel.begin(ResponseHead(200, b"OK", (), None, True), flow)
        while not channel.is_gone:
            if not flow.is_paused:
                channel.write(b"x" * 500_000)
            await asyncio.sleep(0.001)
        assert flow.pauses
        assert not flow.is_paused
        done.set()

    async with running_proxy(tmp_path, write_stall_seconds_max=0.1) as proxy:
        proxy.governor.govern_with = relay
        agent = await proxy.tunnel()
        agent.writer.transport.pause_reading()  # type: ignore[attr-defined]
        agent.send(GET)
        async with asyncio.timeout(20):
            await done.wait()


async def test_an_upstream_cannot_write_two_answers(tmp_path: Path) -> None:
    """A line end inside an upstream's header cuts the connection before a byte is sent."""

    async def split(exchange: Exchange, channel: AgentChannel) -> None:
        headers = ((b"a", b"b\r\n\r\nHTTP/1.1 200 OK"),)
        channel.begin(ResponseHead(200, b"OK", headers, 0, True), FakeFlow())
        channel.finish()

    async with running_proxy(tmp_path) as proxy:
        proxy.governor.govern_with = split
        agent = await proxy.tunnel()
        agent.send(GET)
        assert await agent.read_rest() == b""


async def test_h2c_upgrade_is_stripped_with_its_body_seen(tmp_path: Path) -> None:
    """The body of a request that offers h2c is inspected, and the offer goes no further."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings, X-Hop\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n"
    extra = upgrade + b"X-Hop: 1\r\nCheckrein-Run: forged\r\nProxy-Agent: x\r\nX-Kept: 1\r\n"
    async with running_proxy(tmp_path) as proxy:
        agent = await proxy.tunnel()
        assert (await agent.ask(post(b"abc", extra))).body == b"POST /v1/things 3"
        request = proxy.governor.exchanges[0].request
        assert request.headers == ((b"Host", b"api.test"), (b"X-Kept", b"1"))
        assert set(request.fields) == {b"host", b"x-kept"}


async def test_passthrough_is_spliced_and_counted(tmp_path: Path) -> None:
    """Bytes go both ways untouched, with back-pressure, and their numbers are noted."""
    size = 3_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(5) == b"hello"
        writer.write(b"y" * size)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)

    async def dial(authority: Authority) -> Wire:
        return await connect(server.sockets[0].getsockname()[:2], FakeReceiver(), 5)

    async with server, running_proxy(tmp_path) as proxy:
        proxy.governor.passthrough, proxy.governor.upstream = {"api.test"}, dial
        agent = await proxy.connect()
        agent.send(b"hello")
        assert await agent.read_rest() == b"y" * size
        await proxy.governor.until(lambda: bool(proxy.governor.tunnels))
        assert proxy.governor.tunnels == [(5, size)]


async def test_passthrough_to_nowhere(tmp_path: Path) -> None:
    """A tunnel that can't be connected is told 502 in place of 200."""
    async with running_proxy(tmp_path) as proxy:
        proxy.governor.passthrough = {"api.test"}
        agent = await proxy.dial()
        answer = await agent.ask(CONNECT + CREDENTIALS + b"\r\n")
        assert answer.status == 502


async def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """The error names the setting and what to do."""
    async with running_proxy(tmp_path) as proxy:
        with pytest.raises(ConfigurationError, match=r"can't listen .* name another port"):
            async with running_proxy(tmp_path, proxy_port=proxy.listener.address[1]):
                pass
