"""Clients that believe to speak to the server itself: whom they reach is what they name."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway.intercept.listener import Listener
from gateway.intercept.transparent import TransparentSession
from tests.integration.intercept.agent import (
    CREDENTIALS,
    GET,
    SETTINGS,
    Agent,
    Proxy,
    running_proxy,
)
from tests.support.fakes import FakeClock, numbered_ids


async def redirected(proxy: Proxy, address: bytes = b"203.0.113.5:443") -> Agent:
    """A connection that something before the gateway took on behalf of a client."""
    agent = await proxy.dial()
    agent.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (address, address))
    agent.send(b"Checkrein-Redirected: 1\r\n" + CREDENTIALS + b"\r\n")
    status, _ = await agent.read_head()
    assert status == 200
    return agent


async def test_the_name_is_what_tls_asks_for(tmp_path: Path) -> None:
    """Not the address: that is what somebody's resolver said. The port is the connection's."""
    async with running_proxy(tmp_path) as proxy:
        agent = await redirected(proxy)
        await agent.start_tls(proxy.context(), "api.test")
        assert (await agent.ask(GET)).status == 200
        exchange = proxy.governor.exchanges[0]
        assert str(exchange.request.authority) == "api.test:443"
        assert (exchange.principal.agent, exchange.principal.run) == ("agent", "r1")


async def test_the_name_is_what_plain_http_asks_for(tmp_path: Path) -> None:
    """Each request names its own host, and is for it."""
    async with running_proxy(tmp_path) as proxy:
        agent = await redirected(proxy, b"[2001:db8::5]:80")
        for host in (b"api.test", b"other.test"):
            assert (await agent.ask(b"GET /v1 HTTP/1.1\r\nHost: %b\r\n\r\n" % host)).status == 200
        authorities = [str(e.request.authority) for e in proxy.governor.exchanges]
        assert authorities == ["api.test:80", "other.test:80"]
        assert {e.request.scheme for e in proxy.governor.exchanges} == {"http"}


PLAIN = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "request.no_host"),
    "two hosts": (
        b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", 400, "request.repeated_header",
    ),
    "another port than the connection's": (
        b"GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\n", 421, "authority.mismatch",
    ),
    "an absolute target, as for a proxy": (
        b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400, "request.target_form",
    ),
    "a tunnel in the tunnel": (
        b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 400, "request.connect_inside",
    ),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.7\r\n", 400, "request.malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "status", "code"), PLAIN.values(), ids=PLAIN.keys())
async def test_what_names_no_one_host_is_refused(
    data: bytes, status: int, code: str, tmp_path: Path
) -> None:
    """Refused with its reason, recorded, and governed by nobody."""
    async with running_proxy(tmp_path) as proxy:
        agent = await redirected(proxy, b"203.0.113.5:80")
        answer = await agent.ask(data)
        assert (answer.status, answer.headers[b"checkrein-code"].decode()) == (status, code)
        assert [error.code for error in proxy.governor.refusals] == [code]
        assert not proxy.governor.exchanges


async def test_tls_without_a_name_is_refused(tmp_path: Path) -> None:
    """The address to which it was made does not stand in for the name."""
    async with running_proxy(tmp_path) as proxy:
        agent = await redirected(proxy)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await agent.start_tls(proxy.context(), "203.0.113.5")  # an address gets no SNI
        assert [error.code for error in proxy.governor.refusals] == ["authority.no_sni"]


async def test_credentials_inside_change_nobody(tmp_path: Path) -> None:
    """Who acts was said outside; what the client writes inside is dropped."""
    async with running_proxy(tmp_path) as proxy:
        agent = await redirected(proxy, b"203.0.113.5:80")
        forged = b"Proxy-Authorization: Basic bWFsbG9yeTpzZWNyZXQ=\r\nCheckrein-Key: m:s\r\n"
        await agent.ask(b"GET / HTTP/1.1\r\nHost: a.test\r\n" + forged + b"\r\n")
        (exchange,) = proxy.governor.exchanges
        assert exchange.principal.agent == "agent"
        assert set(exchange.request.fields) == {b"host"}


async def test_a_forbidden_host_is_refused_where_its_user_can_read_it(tmp_path: Path) -> None:
    """Inside TLS, under the name that the client asked for."""
    async with running_proxy(tmp_path) as proxy:
        proxy.governor.forbidden.add("api.test")
        agent = await redirected(proxy)
        await agent.start_tls(proxy.context(), "api.test")
        answer = await agent.ask(GET)
        assert (answer.status, answer.headers[b"checkrein-code"]) == (403, b"destination.forbidden")


async def test_a_connection_that_nobody_redirected_is_refused(tmp_path: Path) -> None:
    """Whoever can reach the port of redirected connections gets nothing by it."""
    async with running_proxy(tmp_path) as proxy:
        listener = Listener(
            SETTINGS, proxy.governor, proxy.ca, FakeClock(), numbered_ids(), TransparentSession
        )
        await listener.start()
        reader, writer = await asyncio.open_connection(*listener.address)
        writer.write(GET)
        async with asyncio.timeout(9.0):
            assert await reader.read() == b""
        writer.close()
        await listener.drain(1.0)
        assert [error.code for error in proxy.governor.refusals] == ["transparent.not_redirected"]
        assert not proxy.governor.exchanges
