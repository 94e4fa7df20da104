"""Bursts are queued and not turned into a burst of handshakes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.model.exchange import Header
from gateway.model.record import Outcome
from tests.integration.enforce.conftest import MakeWayOut
from tests.support.fake_channel import FakeChannel
from tests.support.raw_upstream import RawPeer, answer_each

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_burst_opens_no_more_than_the_cap_at_once(make_way_out: MakeWayOut) -> None:
    """300 sends at once, 64 connections in the making at most; all are executed."""
    way = await make_way_out(answer_each(OK))
    pool = way.pool._pool
    connecting_most = 0
    real_connect = pool._connect

    async def counted(origin: object, agent: str) -> object:
        nonlocal connecting_most
        lane = next(iter(pool._lanes.values()))
        connecting_most = max(connecting_most, lane.connecting)
        return await real_connect(origin, agent)  # type: ignore[arg-type]

    pool._connect = counted  # type: ignore[assignment]
    results = await asyncio.gather(*(way.send() for _ in range(300)))
    assert {sent.outcome for sent, _ in results} == {Outcome.EXECUTED}
    assert len(way.upstream.heads) == 300
    assert connecting_most == 64
    assert pool.idle_count <= 256


@pytest.mark.parametrize("name", ["upstream_idle_count_max", "upstream_idle_total_max"])
async def test_idle_connections_are_capped(make_way_out: MakeWayOut, name: str) -> None:
    """Those of one upstream, and those of all; the rest is closed, and what is left is used."""
    way = await make_way_out(answer_each(OK), **{name: 3})
    pool = way.pool._pool
    for _ in range(2):
        results = await asyncio.gather(*(way.send() for _ in range(12)))
        assert {sent.outcome for sent, _ in results} == {Outcome.EXECUTED}
        assert pool.idle_count == sum(lane.idle_count for lane in pool._lanes.values()) == 3
    assert pool.open_count == 3


async def test_connections_are_capped_and_the_rest_waits(make_way_out: MakeWayOut) -> None:
    """With four connections at most, forty requests are served by four."""
    way = await make_way_out(answer_each(OK), upstream_connections_max=4)
    results = await asyncio.gather(*(way.send() for _ in range(40)))
    assert {sent.outcome for sent, _ in results} == {Outcome.EXECUTED}
    assert way.upstream.connections == 4


async def test_idle_connections_of_others_make_room(make_way_out: MakeWayOut) -> None:
    """An agent isn't locked out by what another one left open."""
    way = await make_way_out(answer_each(OK), upstream_connections_max=2)
    await asyncio.gather(*(way.send(agent="a") for _ in range(2)))
    sent, _ = await way.send(agent="b")
    assert sent.outcome is Outcome.EXECUTED


async def test_queue_gives_up_in_time(make_way_out: MakeWayOut) -> None:
    """Who waits too long is told so, and nothing of it was sent."""

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        await peer.wait_end()

    way = await make_way_out(
        script, upstream_connections_max=1, upstream_queue_seconds_max=0.2,
        upstream_first_byte_seconds_max=2.0,
    )  # fmt: skip
    first = asyncio.create_task(way.send())
    await asyncio.wait({first}, timeout=0.1)
    sent, _ = await way.send()
    assert (sent.outcome, sent.code, sent.error_status) == (Outcome.NOT_SENT, "upstream.busy", 503)
    await way.pool.close()
    sent, _ = await first
    assert sent.outcome is Outcome.UNKNOWN


async def test_queue_is_bounded(make_way_out: MakeWayOut) -> None:
    """A full queue refuses at once."""

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        await peer.wait_end()

    way = await make_way_out(script, upstream_connections_max=1, upstream_queue_count_max=2)
    tasks = [asyncio.create_task(way.send()) for _ in range(3)]
    await asyncio.wait(tasks, timeout=0.1)
    sent, _ = await way.send()
    assert (sent.outcome, sent.code) == (Outcome.NOT_SENT, "upstream.busy")
    await way.pool.close()
    outcomes = [(await task)[0].outcome for task in tasks]
    assert outcomes == [Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.NOT_SENT]


async def test_idle_connections_end_by_age(make_way_out: MakeWayOut) -> None:
    """An idle connection is closed before the upstream would close it."""

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(OK)
        await peer.wait_end()

    way = await make_way_out(script, upstream_idle_seconds_max=0.1)
    await way.send()
    await asyncio.wait_for(way.upstream.ended.wait(), 20)
    assert way.pool._pool.open_count == 0
    assert way.pool._pool._lanes == {} or way.pool._pool.idle_count == 0


async def test_cancelling_the_finished_leaves_the_next_alone(make_way_out: MakeWayOut) -> None:
    """A send that is cancelled just as its answer ends must not drop the connection, which has
    been handed to the next request by then."""

    class CancellingChannel(FakeChannel):
        def finish(self, trailers: Sequence[Header] = ()) -> None:
            super().finish(trailers)
            first.cancel()

    way = await make_way_out(answer_each(OK), upstream_connections_max=1)
    first = asyncio.create_task(way.send(channel=CancellingChannel()))
    second = asyncio.create_task(way.send())
    sent, channel = await asyncio.wait_for(second, 20)
    assert (sent.outcome, channel.end) == (Outcome.EXECUTED, "finished")
    assert first.cancelled()
    assert way.upstream.connections == 1


async def test_deadline_of_the_next_request_on_a_connection_holds(
    make_way_out: MakeWayOut,
) -> None:
    """A connection handed straight from one request to the next is still watched."""

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(OK)
        await peer.read_request()
        await peer.wait_end()

    way = await make_way_out(
        script, upstream_connections_max=1, upstream_first_byte_seconds_max=1.0
    )
    results = await asyncio.gather(way.send(), way.send())
    assert [sent.outcome for sent, _ in results] == [Outcome.EXECUTED, Outcome.UNKNOWN]
    assert results[1][0].code == "upstream.timed_out"
