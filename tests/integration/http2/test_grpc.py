"""Unchanged gRPC clients and servers speak through the gateway as if it were not there."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import grpc
import pytest

from gateway.enforce.refusal_shapes import GRPC, Category, Notice
from gateway.model.exchange import Response
from gateway.model.record import Outcome
from tests.integration.http2.relay import Relay, running_relay
from tests.support.grpc_upstream import SERVICE, GrpcUpstream, grpc_upstream
from tests.support.pki import TestAuthority
from tests.support.raw_upstream import answer_each, run_upstream

HOST = "grpc.test"
SECONDS = 10.0
T = TypeVar("T")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def upstream(authority: TestAuthority) -> Iterator[GrpcUpstream]:
    with grpc_upstream(*authority.issue([HOST])) as running:
        yield running


@pytest.fixture
async def relay(
    tmp_path: Path, authority: TestAuthority, upstream: GrpcUpstream
) -> AsyncIterator[Relay]:
    upstream.calls.clear()
    upstream.cancelled.clear()
    async with running_relay(tmp_path, upstream.port, authority.ca_file) as running:
        yield running


def call_orders(relay: Relay, work: Callable[[grpc.Channel], T]) -> asyncio.Future[T]:
    """Run blocking client code in a thread, with a channel through the gateway."""

    def run() -> T:
        credentials = grpc.ssl_channel_credentials(relay.ca_file.read_bytes())
        options = [("grpc.http_proxy", relay.proxy_url), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.secure_channel(f"{HOST}:443", credentials, options=options) as channel:
            return work(channel)

    return asyncio.get_running_loop().run_in_executor(None, run)


async def test_unary_call_with_metadata_both_ways(relay: Relay) -> None:
    """Request and answer, initial and trailing metadata, text and binary, arrive as they were sent,
    and the exchange that is decided is the call: its path, its authority, its whole body."""

    def work(channel: grpc.Channel) -> tuple[object, ...]:
        method = channel.unary_unary(f"/{SERVICE}/GetOrder")
        metadata = (("x-order", "7"), ("x-raw-bin", b"\x01\x02"))
        answer, call = method.with_call(b"seven", timeout=SECONDS, metadata=metadata)
        return answer, dict(call.initial_metadata()), dict(call.trailing_metadata())

    answer, initial, trailing = await call_orders(relay, work)
    assert answer == b"got seven"
    assert initial["first"] == "1"
    assert (trailing["last"], trailing["raw-bin"]) == ("2", b"\x00\xff")
    (exchange,) = relay.exchanges
    request = exchange.request
    assert (request.method, request.target) == ("POST", f"/{SERVICE}/GetOrder".encode())
    assert request.headers[0] == (b"host", b"grpc.test:443")
    assert request.body == b"\0\0\0\0\5seven"
    assert exchange.principal.run == "r1"


async def test_server_streams(relay: Relay) -> None:
    """Every message comes, in order, also when they are many more than a window holds."""

    def work(channel: grpc.Channel) -> list[int]:
        method = channel.unary_stream(f"/{SERVICE}/ListOrders")
        return [len(message) for message in method(b"200,20000", timeout=SECONDS)]

    assert await call_orders(relay, work) == [20_000] * 200


async def test_client_streams(relay: Relay) -> None:
    """Many messages, slowly begun: the call is decided on its head, and its body streams."""

    def work(channel: grpc.Channel) -> bytes:
        waits = threading.Event()

        def messages() -> Iterator[bytes]:
            yield b"first"
            waits.wait(0.3)
            for _ in range(100):
                yield b"y" * 20_000

        answer: bytes = channel.stream_unary(f"/{SERVICE}/AddOrders")(messages(), timeout=SECONDS)
        return answer

    assert await call_orders(relay, work) == b"101,2000005"
    assert relay.exchanges[0].request.body is None


async def test_both_stream(relay: Relay) -> None:
    """Each message is answered before the next is sent."""

    def work(channel: grpc.Channel) -> list[bytes]:
        answered = threading.Semaphore(1)
        heard: list[bytes] = []

        def messages() -> Iterator[bytes]:
            for number in range(5):
                assert answered.acquire(timeout=SECONDS)
                yield b"%d" % number

        for answer in channel.stream_stream(f"/{SERVICE}/Chat")(messages(), timeout=SECONDS):
            heard.append(answer)
            answered.release()
        return heard

    assert await call_orders(relay, work) == [b"echo %d" % number for number in range(5)]


@pytest.mark.parametrize(
    "status",
    ["INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAVAILABLE", "DATA_LOSS"],
)
async def test_statuses_of_the_upstream_are_intact(relay: Relay, status: str) -> None:
    """Status, message and trailing metadata of an error are the server's own."""

    def work(channel: grpc.Channel) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/FailOrder")(status.encode(), timeout=SECONDS)
        return raised.value

    error = await call_orders(relay, work)
    assert (error.code().name, error.details()) == (status, "käse & 100%")
    assert dict(error.trailing_metadata())["why"] == "so"


async def test_unknown_method_is_the_upstreams_to_refuse(relay: Relay) -> None:
    """An answer of one block of headers stays one."""

    def work(channel: grpc.Channel) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/Nothing")(b"", timeout=SECONDS)
        return raised.value

    assert (await call_orders(relay, work)).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_deadline_of_the_agent_is_kept(relay: Relay) -> None:
    """It goes on in the call's own metadata, and ends the call on all three sides."""

    def work(channel: grpc.Channel) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/Slow")(b"", timeout=0.5)
        return raised.value

    assert (await call_orders(relay, work)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await relay.until_sent(1)
    assert b"grpc-timeout" in relay.exchanges[0].request.fields


async def test_call_that_is_cancelled_is_an_agent_that_left(
    relay: Relay, upstream: GrpcUpstream
) -> None:
    """The upstream hears of it, and the outcome is unknown."""

    def work(channel: grpc.Channel) -> bool:
        future = channel.unary_unary(f"/{SERVICE}/Slow").future(b"", timeout=SECONDS)
        while "Slow" not in upstream.methods:
            time.sleep(0.01)
        is_cancelled: bool = future.cancel()
        return is_cancelled

    assert await call_orders(relay, work)
    await relay.until_sent(1)
    assert (relay.sent[0].outcome, relay.sent[0].code) == (Outcome.UNKNOWN, "agent_gone")
    async with asyncio.timeout(20):
        while not upstream.cancelled:
            await asyncio.sleep(0.01)


async def test_many_calls_at_once_on_one_connection(relay: Relay) -> None:
    """Each is an exchange of its own, and gets its own answer."""

    def work(channel: grpc.Channel) -> list[bytes]:
        method = channel.unary_unary(f"/{SERVICE}/GetOrder")
        futures = [method.future(b"%d" % n, timeout=SECONDS) for n in range(60)]
        return [future.result() for future in futures]

    assert await call_orders(relay, work) == [b"got %d" % n for n in range(60)]
    assert len({exchange.request_id for exchange in relay.exchanges}) == 60
    assert relay.proxy.listener.connections == 1


async def test_large_messages_both_ways(relay: Relay) -> None:
    """4 MB in one message, the most that clients take by default."""

    def work(channel: grpc.Channel) -> bytes:
        answer: bytes = channel.unary_unary(f"/{SERVICE}/GetOrder")(
            b"z" * 4_000_000, timeout=SECONDS
        )
        return answer

    assert await call_orders(relay, work) == b"got " + b"z" * 4_000_000


async def test_refusal_is_an_rpc_error_with_our_sentence(relay: Relay) -> None:
    """What is refused on the way raises the library's own exception."""
    notice = Notice(
        Category.BLOCKED, 403, "Checkrein blocked this call: 100% nö, never", "NO", "dec_1"
    )
    headers, body = GRPC.shape(notice)
    relay.refuse = Response(200, headers, body)

    def work(channel: grpc.Channel) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(f"/{SERVICE}/GetOrder")(b"", timeout=SECONDS)
        return raised.value

    error = await call_orders(relay, work)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "Checkrein blocked this call: 100% nö, never"


async def test_agent_whose_key_was_taken_is_unauthenticated(relay: Relay) -> None:
    """On the connection that it has, by the status that gRPC has for it."""

    def work(channel: grpc.Channel) -> grpc.RpcError:
        method = channel.unary_unary(f"/{SERVICE}/GetOrder")
        method(b"", timeout=SECONDS)
        relay.proxy.governor.is_disabled = True
        with pytest.raises(grpc.RpcError) as raised:
            method(b"", timeout=SECONDS)
        return raised.value

    error = await call_orders(relay, work)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "agent.unknown" in error.details()


async def test_upstream_without_http2_is_a_clear_error(
    tmp_path: Path, authority: TestAuthority
) -> None:
    """A call can't go on in HTTP/1.1, which has no place for its trailers: nothing is sent."""
    script = answer_each(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with (
        run_upstream(script, authority.server_context([HOST])) as old,
        running_relay(tmp_path, old.port, authority.ca_file) as relay,
    ):

        def work(channel: grpc.Channel) -> grpc.RpcError:
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary(f"/{SERVICE}/GetOrder")(b"", timeout=SECONDS)
            return raised.value

        assert (await call_orders(relay, work)).code() is grpc.StatusCode.UNAVAILABLE
        sent = relay.sent[0]
        assert (sent.outcome, sent.code) == (Outcome.NOT_SENT, "upstream.no_http2")
        assert old.heads == []


async def test_drain_lets_calls_finish(relay: Relay) -> None:
    """SIGTERM says goodbye on the connection; the call in flight ends as it would have."""
    begun, go_on = threading.Event(), threading.Event()

    def work(channel: grpc.Channel) -> list[bytes]:
        def messages() -> Iterator[bytes]:
            yield b"1"
            assert go_on.wait(SECONDS)
            yield b"2"

        heard = []
        for answer in channel.stream_stream(f"/{SERVICE}/Chat")(messages(), timeout=SECONDS):
            heard.append(answer)
            begun.set()
        return heard

    called = call_orders(relay, work)
    assert await asyncio.to_thread(begun.wait, SECONDS)
    draining = asyncio.create_task(relay.proxy.listener.drain(5.0))
    await asyncio.sleep(0.05)
    go_on.set()
    assert await called == [b"echo 1", b"echo 2"]
    await draining
