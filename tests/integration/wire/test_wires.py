"""Plain and TLS wires over loopback, on both event loops: what their owner is told, and when."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from gateway.intercept.certificates import CertificateAuthority
from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.wire.faults import WireError
from gateway.wire.socket_wire import HIGH_BYTES, SocketWire, adopt, connect
from gateway.wire.tls_wire import TlsWire, start_tls_client, start_tls_server
from tests.support.fakes import FakeReceiver

Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine function on one of the loops, with a deadline."""

    def runs(test: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test()

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return runs


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """One CA for all, since making one signs twice."""
    return CertificateAuthority.load_or_make(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A listening socket on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(5)
        yield sock


def client_context(ca: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca.ca_pem_file))


class Pair:
    """Two wires that lead to each other."""

    def __init__(self) -> None:
        self.near, self.far = FakeReceiver(), FakeReceiver()
        self.near_wire: SocketWire
        self.far_wire: SocketWire


async def plain_pair(listening: socket.socket) -> Pair:
    pair = Pair()
    pair.near_wire = await connect(listening.getsockname(), pair.near, 5)
    pair.far_wire = adopt(listening.accept()[0], pair.far)
    return pair


async def tls_pair(listening: socket.socket, ca: CertificateAuthority) -> Pair:
    pair = await plain_pair(listening)
    pair.far_wire.pause_reading()
    async with asyncio.TaskGroup() as group:
        server = group.create_task(
            start_tls_server(pair.far_wire, ca.context_for("api.test"), pair.far, 5)
        )
        pair.near_wire = await start_tls_client(
            pair.near_wire, client_context(ca), "api.test", pair.near, 5
        )
        pair.far_wire = await server
    return pair


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_conversation(
    run: Run, listening: socket.socket, ca: CertificateAuthority, tls: bool
) -> None:
    """Bytes both ways, a large one in bounded pieces, then a proper end: eof there, None here."""

    async def talk() -> None:
        pair = await (tls_pair(listening, ca) if tls else plain_pair(listening))
        pair.near_wire.write(b"hello")
        await pair.far.until(lambda: pair.far.data == b"hello")
        large = bytes(range(256)) * 20_000
        pair.far_wire.write(large)
        await pair.near.until(lambda: len(pair.near.data) == len(large), 15)
        assert pair.near.data == large
        assert pair.near.largest <= 262_144 + 16_384
        assert pair.far.events == ["full", "drained"]
        pair.far_wire.close()
        await pair.near.until(lambda: "eof" in pair.near.events)
        await pair.far.until(lambda: "lost" in pair.far.events)
        assert pair.far.error is None
        assert pair.near.events == ["eof"]
        pair.near_wire.write(b"after your end")
        pair.near_wire.close()
        await pair.near.until(lambda: "lost" in pair.near.events)
        assert (pair.near.error, pair.near.events) == (None, ["eof", "lost"])

    run(talk)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_back_pressure(
    run: Run, listening: socket.socket, ca: CertificateAuthority, tls: bool
) -> None:
    """A reader that pauses fills the writer, loses nothing, and drains it when it goes on."""

    async def press() -> None:
        pair = await (tls_pair(listening, ca) if tls else plain_pair(listening))
        pair.far_wire.pause_reading()
        sent = b""
        while "full" not in pair.near.events:
            sent += b"0123456789" * 10_000
            pair.near_wire.write(b"0123456789" * 10_000)
            await asyncio.sleep(0)
        assert len(sent) > HIGH_BYTES
        assert pair.far.data == b""
        pair.far_wire.resume_reading()
        await pair.near.until(lambda: "drained" in pair.near.events)
        await pair.far.until(lambda: len(pair.far.data) == len(sent))
        assert pair.far.data == sent
        pair.near_wire.abort()
        pair.far_wire.abort()

    run(press)


def test_close_sends_what_is_kept(
    run: Run, listening: socket.socket, ca: CertificateAuthority
) -> None:
    """What was written before close arrives whole, though the socket could not take it yet."""

    async def flush() -> None:
        pair = await tls_pair(listening, ca)
        pair.near_wire.write(b"z" * 6_000_000)
        pair.near_wire.close()
        pair.near_wire.write(b"ignored")
        await pair.far.until(lambda: "eof" in pair.far.events, 15)
        assert pair.far.data == b"z" * 6_000_000
        pair.far_wire.close()
        await pair.far.until(lambda: "lost" in pair.far.events)

    run(flush)


def test_truncated_tls_is_no_end_of_file(
    run: Run, listening: socket.socket, ca: CertificateAuthority
) -> None:
    """A FIN without close_notify is a broken wire: what came is delivered, and never an eof."""

    def truncate(address: tuple[str, int]) -> None:
        with socket.create_connection(address, 5) as sock:
            tls = client_context(ca).wrap_socket(sock, server_hostname="api.test")
            tls.sendall(b"all of it?")
            socket.socket.shutdown(tls, socket.SHUT_WR)
            assert socket.socket.recv(tls, 10_000) is not None
            tls.close()

    async def lose() -> None:
        receiver = FakeReceiver()
        thread = threading.Thread(target=truncate, args=(listening.getsockname(),))
        thread.start()
        wire = adopt(listening.accept()[0], receiver)
        await start_tls_server(wire, ca.context_for("api.test"), receiver, 5)
        await receiver.until(lambda: "lost" in receiver.events)
        assert (receiver.data, receiver.events) == (b"all of it?", ["lost"])
        assert isinstance(receiver.error, WireError)
        assert receiver.error.code == "wire.truncated"
        await asyncio.to_thread(thread.join)

    run(lose)


def test_half_close_of_tls(run: Run, listening: socket.socket, ca: CertificateAuthority) -> None:
    """After the peer's close_notify we can still answer."""
    answers: list[bytes] = []

    def ask(address: tuple[str, int]) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context(ca).wrap_bio(incoming, outgoing, server_hostname="api.test")
        with socket.create_connection(address, 5) as sock:
            for step in (tls.do_handshake, lambda: tls.write(b"ask"), tls.unwrap):
                while True:
                    try:
                        step()
                    except ssl.SSLWantReadError:
                        sock.sendall(outgoing.read())
                        if step == tls.unwrap:
                            break
                        incoming.write(sock.recv(65_536))
                        continue
                    sock.sendall(outgoing.read())
                    break
            answers.append(sock.recv(65_536))

    async def answer() -> None:
        receiver = FakeReceiver()
        thread = threading.Thread(target=ask, args=(listening.getsockname(),))
        thread.start()
        plain = adopt(listening.accept()[0], receiver)
        wire = await start_tls_server(plain, ca.context_for("api.test"), receiver, 5)
        await receiver.until(lambda: "eof" in receiver.events)
        assert receiver.data == b"ask"
        wire.write(b"answer")
        await asyncio.to_thread(thread.join)
        assert len(answers[0]) > len(b"answer")
        wire.close()
        await receiver.until(lambda: "lost" in receiver.events)
        assert receiver.events == ["eof", "lost"]

    run(answer)


def test_an_answer_before_the_reset_is_read(run: Run, listening: socket.socket) -> None:
    """A peer that answers early and closes: the answer is delivered, then the loss."""

    async def early() -> None:
        receiver = FakeReceiver()
        wire = await connect(listening.getsockname(), receiver, 5)
        peer = listening.accept()[0]
        peer.sendall(b"413")
        peer.close()
        for _ in range(3):
            wire.write(b"more of the body")
        await receiver.until(lambda: bool({"eof", "lost"} & set(receiver.events)))
        assert receiver.data == b"413"
        wire.abort()

    run(early)


def test_abort_resets(run: Run, listening: socket.socket) -> None:
    """An abort is told as a broken wire to the peer, and as None to its own side."""

    async def reset() -> None:
        pair = await plain_pair(listening)
        pair.near_wire.abort()
        pair.near_wire.abort()
        await pair.far.until(lambda: "lost" in pair.far.events)
        await pair.near.until(lambda: "lost" in pair.near.events)
        assert (pair.near.error, pair.near.events) == (None, ["lost"])
        assert isinstance(pair.far.error, WireError)
        assert (pair.far.error.code, pair.far.events) == ("wire.reset", ["lost"])

    run(reset)


def test_an_answer_survives_unread_bytes(run: Run, listening: socket.socket) -> None:
    """Closing an accepted wire with bytes still coming does not destroy what was answered."""

    def flood(address: tuple[str, int], read: list[bytes]) -> None:
        with socket.create_connection(address, 5) as sock:
            sock.sendall(b"x" * 500_000)
            while piece := sock.recv(65_536):
                read.append(piece)

    async def refuse() -> None:
        read: list[bytes] = []
        receiver = FakeReceiver()
        thread = threading.Thread(target=flood, args=(listening.getsockname(), read))
        thread.start()
        wire = adopt(listening.accept()[0], receiver)
        await receiver.until(lambda: len(receiver.data) > 0)
        wire.write(b"refused")
        wire.close()
        await asyncio.to_thread(thread.join)
        assert b"".join(read) == b"refused"

    run(refuse)


def test_connect_faults(run: Run) -> None:
    """A closed port is unreachable, and nothing was sent."""

    async def refuse() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(UpstreamError, match=r"upstream\.unreachable") as caught:
                await connect(unused.getsockname(), FakeReceiver(), 5)
        assert not caught.value.sent

    run(refuse)


def test_handshake_faults(
    run: Run, listening: socket.socket, ca: CertificateAuthority, tmp_path: Path
) -> None:
    """Untrusted, wrong name, no TLS at all, silence: each has its code on the client's side."""
    other = CertificateAuthority.load_or_make(tmp_path / "other")

    async def shake(context: ssl.SSLContext, name: str, code: str) -> None:
        pair = await plain_pair(listening)
        pair.far_wire.pause_reading()
        server = asyncio.create_task(
            start_tls_server(pair.far_wire, ca.context_for("api.test"), pair.far, 5), name="server"
        )
        with pytest.raises(UpstreamError, match=code) as caught:
            await start_tls_client(pair.near_wire, context, name, pair.near, 5)
        assert not caught.value.sent
        with pytest.raises(AgentProtocolError, match=r"tunnel\.(ca_distrusted|tls_failed)"):
            await server

    async def fail() -> None:
        await shake(client_context(other), "api.test", "upstream.tls_untrusted")
        await shake(client_context(ca), "other.test", "upstream.tls_untrusted")
        old = client_context(ca)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        await shake(old, "api.test", "upstream.tls_failed")

        for said, seconds_max, code in (
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", 5, r"upstream\.tls_failed"),
            (b"", 0.05, r"upstream\.timed_out"),
        ):
            pair = await plain_pair(listening)
            pair.far_wire.write(said)
            context = client_context(ca)
            with pytest.raises(UpstreamError, match=code):
                await start_tls_client(pair.near_wire, context, "api.test", pair.near, seconds_max)
            pair.far_wire.abort()
        pair = await plain_pair(listening)
        pair.far_wire.pause_reading()
        with pytest.raises(AgentProtocolError, match=r"tunnel\.timed_out"):
            await start_tls_server(pair.far_wire, ca.context_for("api.test"), pair.far, 0.05)
        pair.near_wire.abort()

    run(fail)


def test_tls_wires_are_wires(run: Run, listening: socket.socket, ca: CertificateAuthority) -> None:
    """HTTP/1.1 is what ALPN agrees on, and the peer's address is known."""

    async def look() -> None:
        pair = await tls_pair(listening, ca)
        assert isinstance(pair.near_wire, TlsWire)
        assert pair.near_wire.peer == listening.getsockname()
        assert not pair.near_wire.is_closing
        pair.near_wire.close()
        assert pair.near_wire.is_closing
        await pair.far.until(lambda: "eof" in pair.far.events)
        pair.far_wire.close()

    run(look)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_piece_that_gets_lost_in_our_hands_loses_the_wire(
    run: Run, listening: socket.socket, ca: CertificateAuthority, tls: bool
) -> None:
    """No memory is left to take it: what comes behind it is never handed on as if nothing were
    missing."""

    async def talk() -> None:
        pair = await (tls_pair(listening, ca) if tls else plain_pair(listening))
        take = pair.far.wire_data

        def take_nothing(data: bytes) -> None:
            pair.far.wire_data = take  # type: ignore[method-assign]
            raise MemoryError

        pair.far.wire_data = take_nothing  # type: ignore[method-assign]
        pair.near_wire.write(b"first")
        pair.near_wire.write(b"second")
        await pair.far.until(lambda: "lost" in pair.far.events)
        assert isinstance(pair.far.error, WireError)
        assert pair.far.error.code == "wire.failed"
        assert pair.far.data == b""
        await pair.near.until(lambda: "lost" in pair.near.events or "eof" in pair.near.events)
        pair.near_wire.abort()

    run(talk)
