"""T1, T2: a server that nobody should believe gets no request, on every leg that leaves for one."""

from __future__ import annotations

import ssl
from dataclasses import replace

import pytest

from gateway.authoring.requests import build_request
from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.enforce.trust import make_upstream_context
from gateway.enforce.upstream import UpstreamPool
from gateway.enforce.witness_state import WitnessError
from gateway.journey.witness_reader import WitnessReader, WitnessSettings
from gateway.model.action import Canonical, WitnessRead
from gateway.model.exchange import Exchange, Principal
from gateway.model.record import Outcome
from tests.integration.enforce.conftest import HOST, QUICK, SystemClock, WayOut
from tests.support.bad_certificates import MAKERS, BadServers
from tests.support.fake_record import FakeRecords
from tests.support.fakes import numbered_ids
from tests.support.policy_world import act
from tests.support.raw_upstream import RawUpstream, answer_each, run_upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> BadServers:
    """One root for all of them."""
    return BadServers(HOST, tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("name", MAKERS)
async def test_bad_server_gets_no_request(servers: BadServers, name: str) -> None:
    """502 with the reason, certainly not sent, no second try with less; no byte of HTTP left."""
    context = servers.make(name)
    if context is None:
        pytest.skip("this OpenSSL can't be brought to offer it")
    async with run_upstream(answer_each(OK), context) as upstream:
        way = _way_to(upstream, servers)
        sent, channel = await way.send("GET", b"")
        assert (sent.outcome, sent.error_status) == (Outcome.NOT_SENT, 502), sent
        assert sent.code in ("upstream.tls_untrusted", "upstream.tls_failed")
        assert sent.message
        assert channel.head is None
        assert upstream.heads == []
        await way.pool.close()


async def test_good_server_of_the_same_root_gets_it(servers: BadServers) -> None:
    """What all of them are measured by passes, so that each fails for what is wrong with it."""
    async with run_upstream(answer_each(OK), servers.good()) as upstream:
        way = _way_to(upstream, servers)
        sent, _ = await way.send()
        assert sent.outcome is Outcome.EXECUTED
        await way.pool.close()


@pytest.mark.parametrize("name", ["T1 expired", "T1 an unknown root", "T2 TLS 1.1"])
async def test_bad_server_shows_no_state(servers: BadServers, name: str) -> None:
    """The look at a target's state before an approval goes the same way: it is not sent either,
    and the state can't be told, which blocks."""
    context = servers.make(name)
    assert context is not None
    witness = WitnessRead("GET /v1/charges/{target.id}", ("amount",))
    canonical = Canonical((replace(act("create_refund"), witness=witness),), "stripe", "stripe")
    request = build_request("POST", f"https://{HOST}/v1/refunds", (), b"charge=ch_1")

    async def is_read(exchange: Exchange) -> bool:
        return True

    async with run_upstream(answer_each(OK), context) as upstream:
        way = _way_to(upstream, servers)
        reader = WitnessReader(
            way.pool, FakeRecords(), SystemClock(), numbered_ids(), is_read, WitnessSettings()
        )
        exchange = Exchange("req_1", Principal("agent"), request, 0)
        with pytest.raises(WitnessError, match="could not be read"):
            await reader.read(exchange, canonical, "dec_1", lambda: None)
        assert upstream.heads == []
        await way.pool.close()


async def test_revocation_is_not_looked_up(servers: BadServers) -> None:
    """T1 revoked: said honestly. No list and no responder is asked, as by every common SDK; a
    revoked certificate is believed until it expires or its authority is no longer trusted."""
    flags = make_upstream_context(str(servers.ca_file)).verify_flags
    assert not flags & (ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN)


def _way_to(upstream: RawUpstream, servers: BadServers) -> WayOut:
    guard = DestinationGuard(
        DestinationSettings(connect_to=(f":443:127.0.0.1:{upstream.port}",)), set()
    )
    settings = replace(QUICK, upstream_ca=str(servers.ca_file))
    return WayOut(upstream, UpstreamPool(settings, guard, SystemClock()))
