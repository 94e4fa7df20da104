"""A base URL per provider: the same request reaches the provider, and nobody else gets in by it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.listener import Listener
from gateway.intercept.reverse import ReverseSession
from gateway.intercept.routes import parse_routes
from gateway.model.exchange import Exchange, ResponseHead
from gateway.ports import AgentChannel
from tests.integration.intercept.agent import SETTINGS, Agent, Answer, Proxy
from tests.support.fakes import FakeClock, FakeFlow, FakeGovernor, numbered_ids

ROUTES = parse_routes(["stripe=https://api.stripe.test", "own=http://own.test:8080/"])
KEY = b"Checkrein-Key: agent+r1:secret\r\n"


@asynccontextmanager
async def base_urls(folder: Path, configured_agent: str = "") -> AsyncIterator[Proxy]:
    """A reverse listener with a fake governor behind it."""
    governor = FakeGovernor()
    ca = CertificateAuthority.load_or_make(folder / "ca")
    make_session = partial(ReverseSession, routes=ROUTES, names=frozenset({"gateway.test"}))
    settings = replace(SETTINGS, configured_agent=configured_agent)
    listener = Listener(settings, governor, ca, FakeClock(), numbered_ids(), make_session)
    await listener.start()
    proxy = Proxy(listener, governor, ca)
    try:
        yield proxy
    finally:
        for agent in proxy.agents:
            agent.close()
        await listener.drain(1.0)


async def ask(
    proxy: Proxy, target: bytes, extra: bytes = KEY, host: bytes = b"127.0.0.1:3129"
) -> Answer:
    agent = await proxy.dial()
    return await agent.ask(b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, host, extra))


TARGETS = {
    "a path": (b"/stripe/v1/charges", "https", "api.stripe.test:443", b"/v1/charges"),
    "the root": (b"/stripe/", "https", "api.stripe.test:443", b"/"),
    "the root without its slash": (b"/stripe", "https", "api.stripe.test:443", b"/"),
    "a query alone": (b"/stripe?limit=3", "https", "api.stripe.test:443", b"/?limit=3"),
    "bytes as they are": (
        b"/stripe/v1//a%2Fb/../c;d?x=%41+%20",
        "https", "api.stripe.test:443", b"/v1//a%2Fb/../c;d?x=%41+%20",
    ),
    "a provider with a port": (b"/own/v1", "http", "own.test:8080", b"/v1"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "scheme", "authority", "seen"), TARGETS.values(), ids=TARGETS.keys()
)
async def test_the_provider_gets_the_same_request(
    target: bytes, scheme: str, authority: str, seen: bytes, tmp_path: Path
) -> None:
    """Its own host, the path without our segment, nothing respelled, nothing of ours."""
    async with base_urls(tmp_path) as proxy:
        extra = KEY + b"Authorization: Bearer sk_test\r\n"
        assert (await ask(proxy, target, extra)).status == 200
        (exchange,) = proxy.governor.exchanges
        request = exchange.request
        assert (request.scheme, str(request.authority), request.target) == (scheme, authority, seen)
        host = authority.removesuffix(":443").encode()
        assert request.headers == ((b"Host", host), (b"Authorization", b"Bearer sk_test"))
        assert request.fields[b"host"] == host
        assert (exchange.principal.agent, exchange.principal.run) == ("agent", "r1")


REFUSED = {
    "a provider that is not configured": (b"/github/x", KEY, 404, "reverse.no_route"),
    "a name in other letters": (b"/Stripe/x", KEY, 404, "reverse.no_route"),
    "a name spelt with escapes": (b"/%73tripe/x", KEY, 404, "reverse.no_route"),
    "an absolute target": (b"http://api.stripe.test/", KEY, 400, "request.target_form"),
    "nobody": (b"/stripe/x", b"", 401, "agent.unauthenticated"),
    "a wrong key": (b"/stripe/x", b"Checkrein-Key: agent:x\r\n", 401, "agent.unknown"),
    "half a key": (b"/stripe/x", b"Checkrein-Key: agent\r\n", 401, "agent.bad_credentials"),
    "two keys": (b"/stripe/x", KEY + KEY, 400, "request.repeated_header"),
    "a page of somebody else's": (
        b"/stripe/x", KEY + b"Sec-Fetch-Site: cross-site\r\n", 403, "reverse.foreign_page",
    ),
    "such a page, where the browser says no more": (
        b"/stripe/x", KEY + b"Origin: http://evil.test\r\n", 403, "reverse.foreign_page",
    ),
    "a page of nowhere": (b"/stripe/x", KEY + b"Origin: null\r\n", 403, "reverse.foreign_page"),
    "a signature over the host": (
        b"/stripe/x", KEY + b"Authorization: AWS4-HMAC-SHA256 Credential=a\r\n",
        400, "reverse.signed_host",
    ),
    "a signature in the query": (
        b"/stripe/x?X-Amz-Signature=00", KEY, 400, "reverse.signed_host",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "extra", "status", "code"), REFUSED.values(), ids=REFUSED.keys()
)
async def test_nothing_else_gets_through(
    target: bytes, extra: bytes, status: int, code: str, tmp_path: Path
) -> None:
    """Refused with a code, recorded, and governed by nobody."""
    async with base_urls(tmp_path) as proxy:
        answer = await ask(proxy, target, extra)
        assert (answer.status, answer.headers[b"checkrein-code"].decode()) == (status, code)
        assert [error.code for error in proxy.governor.refusals] == [code]
        assert not proxy.governor.exchanges


HOSTS = {
    "an address": (b"127.0.0.1:3129", 200),
    "an IPv6 address": (b"[::1]:3129", 200),
    "a name that is configured": (b"Gateway.test:3129", 200),
    "a name that leads here by somebody's DNS": (b"rebound.attacker.test:3129", 421),
}


@pytest.mark.parametrize(("host", "status"), HOSTS.values(), ids=HOSTS.keys())
async def test_only_names_of_ours_are_served(host: bytes, status: int, tmp_path: Path) -> None:
    """A page in a browser can reach a port of this machine by a name of its own."""
    async with base_urls(tmp_path, configured_agent="agent") as proxy:
        assert (await ask(proxy, b"/stripe/", b"", host)).status == status


async def test_the_configured_agent_acts_where_no_key_is_sent(tmp_path: Path) -> None:
    """With the run that stands behind its name."""
    async with base_urls(tmp_path, configured_agent="sidecar+night") as proxy:
        assert (await ask(proxy, b"/stripe/", b"")).status == 200
        principal = proxy.governor.exchanges[0].principal
        assert (principal.agent, principal.run) == ("sidecar", "night")


async def test_keys_are_said_with_every_request(tmp_path: Path) -> None:
    """One connection may carry several agents' requests, and no one inherits another's key."""
    async with base_urls(tmp_path) as proxy:
        agent = await proxy.dial()
        head = b"GET /stripe/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        assert (await agent.ask(head + KEY + b"\r\n")).status == 200
        assert (await agent.ask(head + b"\r\n")).status == 401


LOCATIONS = {
    "back to the provider": (b"https://api.stripe.test/v2/x?y", b"/stripe/v2/x?y"),
    "back, with the port": (b"HTTPS://API.stripe.test:443/v2", b"/stripe/v2"),
    "back to its root": (b"https://api.stripe.test", b"/stripe/"),
    "a path": (b"/v2/x", b"/stripe/v2/x"),
    "another host": (b"https://files.stripe.test/v2", b"https://files.stripe.test/v2"),
    "another scheme": (b"http://api.stripe.test/", b"http://api.stripe.test/"),
    "another host without a scheme": (b"//files.test/x", b"//files.test/x"),
    "no host at all": (b"https://a b/", b"https://a b/"),
}


@pytest.mark.parametrize(("location", "seen"), LOCATIONS.values(), ids=LOCATIONS.keys())
async def test_redirects_lead_back_through_us(location: bytes, seen: bytes, tmp_path: Path) -> None:
    """Those to the provider itself; cookies are dropped, for all providers share our name."""

    async def redirect(_: Exchange, channel: AgentChannel) -> None:
        headers = ((b"location", location), (b"Set-Cookie", b"a=b"), (b"x-request-id", b"1"))
        channel.begin(ResponseHead(302, b"Found", headers, 0, True), FakeFlow())
        channel.finish()

    async with base_urls(tmp_path) as proxy:
        proxy.governor.govern_with = redirect
        answer = await ask(proxy, b"/stripe/v1")
        assert answer.headers[b"location"] == seen
        assert b"set-cookie" not in answer.headers
        assert answer.headers[b"x-request-id"] == b"1"


async def test_clients_may_speak_tls_to_it(tmp_path: Path) -> None:
    """With a certificate of the gateway's CA, for a name that is ours, or the address."""
    async with base_urls(tmp_path) as proxy:
        for name in ("gateway.test", "127.0.0.1"):
            agent: Agent = await proxy.dial()
            await agent.start_tls(proxy.context(), name)
            head = b"GET /stripe/v1 HTTP/1.1\r\nHost: %b\r\n" % name.encode()
            assert (await agent.ask(head + KEY + b"\r\n")).status == 200
        agent = await proxy.dial()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await agent.start_tls(proxy.context(), "api.stripe.test")
        assert [error.code for error in proxy.governor.refusals] == ["reverse.foreign_name"]


WRONG_ROUTES = {
    "no name": "https://api.stripe.test",
    "a path": "stripe=https://api.stripe.test/v1",
    "another scheme": "stripe=ftp://api.stripe.test",
    "user information": "stripe=https://user@api.stripe.test",
    "no host": "stripe=https://",
    "a host that is none": "stripe=https://a..b",
}


@pytest.mark.parametrize("text", WRONG_ROUTES.values(), ids=WRONG_ROUTES.keys())
def test_a_route_that_could_mean_two_things_is_refused(text: str) -> None:
    """At the start, in the operator's own words."""
    with pytest.raises(ValueError, match="reverse"):
        parse_routes([text])
    with pytest.raises(ValueError, match="twice"):
        parse_routes(["a=https://a.test", "a=https://b.test"])


async def test_silence_is_not_waited_for_long(tmp_path: Path) -> None:
    """A connection without a byte is closed after the deadline of the first one."""
    governor = FakeGovernor()
    ca = CertificateAuthority.load_or_make(tmp_path / "ca")
    make_session = partial(ReverseSession, routes=ROUTES, names=frozenset[str]())
    settings = replace(SETTINGS, tls_seconds_max=0.05)
    listener = Listener(settings, governor, ca, FakeClock(), numbered_ids(), make_session)
    await listener.start()
    reader, writer = await asyncio.open_connection(*listener.address)
    async with asyncio.timeout(9.0):
        assert await reader.read() == b""
    writer.close()
    await listener.drain(1.0)
