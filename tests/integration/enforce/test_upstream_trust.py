"""No request leaves for an upstream that can't prove who it is, or that may not be reached."""

from __future__ import annotations

import asyncio
import ssl
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.enforce.trust import make_upstream_context
from gateway.enforce.upstream import UpstreamPool, UpstreamSettings
from gateway.model.errors import ConfigurationError
from gateway.model.record import Outcome
from tests.integration.enforce.conftest import HOST, MakeWayOut, SystemClock, WayOut
from tests.support.pki import TestAuthority
from tests.support.raw_upstream import RawPeer, answer_each, run_upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

BAD_CERTIFICATES: dict[str, tuple[list[str], dict[str, bool]]] = {
    "expired": ([HOST], {"expired": True}),
    "not yet valid": ([HOST], {"not_yet_valid": True}),
    "for another host": (["evil.example"], {}),
    "for a subdomain": (["www." + HOST], {}),
    "for a wildcard of another level": (["*.api.example"], {}),
    "self-signed": ([HOST], {"self_signed": True}),
    "a name in the common name only": ([HOST], {"common_name_only": True}),
    "for clients only": ([HOST], {"client_only": True}),
}


@pytest.mark.parametrize(
    ("names", "faults"), BAD_CERTIFICATES.values(), ids=BAD_CERTIFICATES.keys()
)
async def test_bad_certificate_gets_no_request(
    make_way_out: MakeWayOut, authority: TestAuthority, names: list[str], faults: dict[str, bool]
) -> None:
    """502, certainly not sent, and the upstream saw no byte of HTTP."""
    way = await make_way_out(answer_each(OK), context=authority.server_context(names, **faults))
    await _expect_distrust(way, "upstream.tls_untrusted")


async def test_unknown_root_gets_no_request(make_way_out: MakeWayOut) -> None:
    """A certificate that is right in all but its root."""
    stranger = TestAuthority(name="Somebody Else")
    way = await make_way_out(answer_each(OK), context=stranger.server_context([HOST]))
    await _expect_distrust(way, "upstream.tls_untrusted")
    stranger.close()


async def test_old_tls_gets_no_request(make_way_out: MakeWayOut, authority: TestAuthority) -> None:
    """TLS 1.1 is refused, on whichever side."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = authority.server_context(
            [HOST], tls_versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
        )
    context.set_ciphers("ALL:@SECLEVEL=0")
    way = await make_way_out(answer_each(OK), context=context)
    await _expect_distrust(way, "upstream.tls_failed")


async def test_good_certificate_is_trusted_for_a_wildcard_and_an_address(
    make_way_out: MakeWayOut, authority: TestAuthority
) -> None:
    """What should pass does, for the name that was decided and for no other."""
    context = authority.server_context(["*.api.example", "127.0.0.1"])
    way = await make_way_out(answer_each(OK), context=context)
    for host in ("pay.api.example", "127.0.0.1"):
        sent, _ = await way.send(host=host)
        assert sent.outcome is Outcome.EXECUTED
    sent, _ = await way.send(host="api.example")
    assert sent.code == "upstream.tls_untrusted"


async def _expect_distrust(way: WayOut, code: str) -> None:
    sent, channel = await way.send()
    assert (sent.outcome, sent.code, sent.error_status) == (Outcome.NOT_SENT, code, 502)
    assert sent.message
    assert channel.head is None
    assert way.upstream.heads == []


async def test_tls_that_hangs_is_given_up(make_way_out: MakeWayOut) -> None:
    """A port that accepts and says nothing: 504, not sent."""

    async def script(peer: RawPeer) -> None:
        await peer.wait_end()

    way = await make_way_out(script, context=None, upstream_tls_seconds_max=0.2)
    sent, _ = await way.send()
    assert (sent.outcome, sent.code, sent.error_status) == (
        Outcome.NOT_SENT, "upstream.timed_out", 504,
    )  # fmt: skip


async def test_closed_port_is_not_sent(make_way_out: MakeWayOut) -> None:
    """Connection refused: 502 and nothing was sent."""
    way = await make_way_out(answer_each(OK))
    guard = DestinationGuard(DestinationSettings(connect_to=(":443:127.0.0.1:1",)), set())
    pool = UpstreamPool(UpstreamSettings(), guard, SystemClock())
    sent, _ = await WayOut(way.upstream, pool).send()
    assert (sent.outcome, sent.code) == (Outcome.NOT_SENT, "upstream.unreachable")


REFUSED_ADDRESSES = {
    "loopback": ["127.0.0.1"],
    "a public and a loopback address": ["93.184.216.34", "127.0.0.1"],
    "mapped loopback": ["::ffff:127.0.0.1"],
    "the metadata service": ["169.254.169.254"],
}


@pytest.mark.parametrize("addresses", REFUSED_ADDRESSES.values(), ids=REFUSED_ADDRESSES.keys())
async def test_name_that_leads_inward_is_never_dialled(
    authority: TestAuthority, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS says a forbidden address: 403, and no connection is tried at all."""

    async def resolver(host: str, port: int) -> list[str]:
        return addresses

    async def no_connect(*args: Any) -> None:
        raise AssertionError("something was dialled")

    monkeypatch.setattr("gateway.enforce.dialler.connect", no_connect)
    async with run_upstream(answer_each(OK), authority.server_context([HOST])) as upstream:
        guard = DestinationGuard(DestinationSettings(), set(), resolver)
        pool = UpstreamPool(UpstreamSettings(), guard, SystemClock())
        sent, _ = await WayOut(upstream, pool).send()
        assert (sent.outcome, sent.code, sent.error_status) == (
            Outcome.NOT_SENT, "destination.forbidden", 403,
        )  # fmt: skip
        assert upstream.connections == 0


async def test_name_is_resolved_once_and_the_checked_address_dialled(
    authority: TestAuthority,
) -> None:
    """Rebinding: the second answer would be forbidden, and is never asked for."""
    asked: list[str] = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with run_upstream(answer_each(OK), authority.server_context([HOST])) as upstream:
        rule = f"{HOST}:443::{upstream.port}"
        settings = DestinationSettings(connect_to=(rule,), private_allowed=("127.0.0.0/8",))
        guard = DestinationGuard(settings, set(), resolver)
        pool = UpstreamPool(
            UpstreamSettings(upstream_ca=str(authority.ca_file)), guard, SystemClock()
        )
        way = WayOut(upstream, pool)
        for _ in range(3):
            sent, _ = await way.send()
            assert sent.outcome is Outcome.EXECUTED
        assert asked == [HOST]
        await pool.close()


async def test_unreachable_first_address_leaves_time_for_the_second(
    authority: TestAuthority,
) -> None:
    """A name with a dead address first is still reached."""

    async def resolver(host: str, port: int) -> list[str]:
        return ["127.255.255.254", "127.0.0.1"]

    async with run_upstream(answer_each(OK), authority.server_context([HOST])) as upstream:
        settings = DestinationSettings(
            connect_to=(f"{HOST}:443::{upstream.port}",), private_allowed=("127.0.0.0/8",)
        )
        guard = DestinationGuard(settings, set(), resolver)
        pool = UpstreamPool(
            UpstreamSettings(upstream_ca=str(authority.ca_file)), guard, SystemClock()
        )
        sent, _ = await WayOut(upstream, pool).send()
        assert sent.outcome is Outcome.EXECUTED
        await pool.close()


async def test_own_ports_are_refused_even_by_connect_to(authority: TestAuthority) -> None:
    """A rule that leads to the gateway itself sends nothing."""
    async with run_upstream(answer_each(OK), authority.server_context([HOST])) as upstream:
        own = {("127.0.0.1", upstream.port)}
        rule = f":443:127.0.0.1:{upstream.port}"
        guard = DestinationGuard(DestinationSettings(connect_to=(rule,)), own)
        pool = UpstreamPool(UpstreamSettings(), guard, SystemClock())
        sent, _ = await WayOut(upstream, pool).send()
        assert (sent.code, upstream.connections) == ("destination.forbidden", 0)


def test_context_verifies_everything(authority: TestAuthority) -> None:
    """The one context for all upstreams, as OpenSSL sees it."""
    context = make_upstream_context(str(authority.ca_file))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] >= 1


def test_unreadable_extra_ca_stops_the_start(tmp_path: Path) -> None:
    """Missing and malformed files are configuration errors, never ignored."""
    bad = tmp_path / "bad.pem"
    bad.write_text("not a certificate")
    for path in (bad, tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match="PEM"):
            make_upstream_context(str(path))


async def test_works_on_uvloop_as_well(authority: TestAuthority) -> None:
    """The other event loop is a smoke test here; everything above ran on asyncio's own."""
    uvloop = pytest.importorskip("uvloop")
    assert sys.platform != "win32"

    async def main() -> None:
        async with run_upstream(answer_each(OK), authority.server_context([HOST])) as upstream:
            rule = f":443:127.0.0.1:{upstream.port}"
            guard = DestinationGuard(DestinationSettings(connect_to=(rule,)), set())
            settings = UpstreamSettings(upstream_ca=str(authority.ca_file))
            pool = UpstreamPool(settings, guard, SystemClock())
            way = WayOut(upstream, pool)
            for _ in range(20):
                sent, _ = await way.send()
                assert sent.outcome is Outcome.EXECUTED
            assert upstream.connections == 1
            await pool.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    await asyncio.to_thread(run)
