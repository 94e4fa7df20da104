"""What takes its time or ends in its own way, through the listener and the way out together."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from gateway.model.record import Outcome
from tests.integration.enforce.conftest import HOST, authority
from tests.integration.http2.relay import Relay, running_relay
from tests.integration.intercept.agent import CREDENTIALS, Agent
from tests.support.pki import TestAuthority
from tests.support.raw_upstream import RawPeer, Script, run_upstream

__all__ = ["authority"]

SECONDS_MAX = 10.0
NAME = HOST.encode()
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = OK + b"Content-Length: 2\r\n\r\nhi"


def get(extra: bytes = b"", method: bytes = b"GET") -> bytes:
    return b"%b /v1/events HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, NAME, extra)


async def tunnel(relay: Relay) -> Agent:
    return await relay.proxy.tunnel(NAME + b":443", HOST)


def answering(data: bytes) -> Script:
    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(data)
        await peer.wait_end()

    return script


# --- trailers, interim answers, answers without a body --------------------------------------------

LATE = CHUNKED + b"2\r\nhi\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\nContent-Type: evil\r\n\r\n"
TRAILERS = {
    "an agent that asks": (b"TE: trailers\r\n", b"2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n", True),
    "among others": (b"TE: deflate;q=0.5, Trailers\r\n", b"2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n", True),
    "an agent that doesn't": (b"", b"2\r\nhi\r\n0\r\n\r\n", False),
}


@pytest.mark.parametrize("case", TRAILERS)
async def test_trailers_go_to_who_asked(
    tmp_path: Path, authority: TestAuthority, case: str
) -> None:
    """Behind the body, never among the headers, and without what belongs into a head; upstream is
    told that they are wanted by nobody but us."""
    extra, body, asks = TRAILERS[case]
    async with (
        run_upstream(answering(LATE), authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        agent = await tunnel(relay)
        agent.send(get(extra + b"Connection: TE, close\r\n"))
        status, headers = await agent.read_head()
        assert (status, b"x-sum" in headers) == (200, False)
        assert await agent.read_rest() == body
        (head,) = upstream.heads
        assert (b"\r\nTE: trailers\r\nConnection: TE\r\n" in head) is asks
        assert head.lower().count(b"\r\nte:") == asks


BODILESS = {
    "hints before it": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + SHORT, b"GET", 200),
    "nothing new": (b"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", b"GET", 304),
    "a length without a body": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"GET", 304,
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", 204),
    "HEAD": (OK + b"Content-Length: 2\r\n\r\n", b"HEAD", 200),
}  # fmt: skip


@pytest.mark.parametrize("case", BODILESS)
async def test_an_answer_ends_where_its_kind_says(
    tmp_path: Path, authority: TestAuthority, case: str
) -> None:
    """Both connections carry the next request."""
    data, method, status = BODILESS[case]

    async def script(peer: RawPeer) -> None:
        for _ in range(2):
            await peer.read_request()
            peer.write(data)

    async with (
        run_upstream(script, authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        agent = await tunnel(relay)
        for _ in range(2):
            agent.send(get(method=method))
            answer = await agent.read_answer(is_head=method == b"HEAD")
            assert answer.status == status
        assert upstream.connections == 1


# --- early, late, half ----------------------------------------------------------------------------


async def test_an_early_answer_reaches_an_agent_that_still_uploads(
    tmp_path: Path, authority: TestAuthority
) -> None:
    """413 before the body's end: relayed with our end of the connection, and known."""

    async def script(peer: RawPeer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await peer.wait_end()

    async with (
        run_upstream(script, authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file, body_bytes_max=1_000) as relay,
    ):
        agent = await tunnel(relay)
        agent.send(get(b"Content-Length: 1000000\r\n", b"PUT") + b"x" * 100_000)
        answer = await agent.read_answer()
        assert (answer.status, answer.headers[b"connection"], answer.body) == (
            413,
            b"close",
            b"big",
        )
        await relay.until_sent(1)
        assert relay.sent[0].outcome is Outcome.EXECUTED
        async with asyncio.timeout(SECONDS_MAX):
            await upstream.ended.wait()


async def test_a_long_poll_outlives_the_deadlines_of_requests(
    tmp_path: Path, authority: TestAuthority
) -> None:
    """Silence is the upstream's right, up to its own limit; so is another one on the same
    connection."""

    async def script(peer: RawPeer) -> None:
        for _ in range(2):
            await peer.read_request()
            await asyncio.sleep(0.4)  # what is tested is time that passes
            peer.write(SHORT)

    limits = {"keep_alive_seconds_max": 0.2, "head_seconds_max": 0.2, "body_idle_seconds_max": 0.2}
    async with (
        run_upstream(script, authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file, **limits) as relay,
    ):
        agent = await tunnel(relay)
        for _ in range(2):
            assert (await agent.ask(get())).body == b"hi"


HALF = {
    "one request": (1, 1),
    "two, the second of which came before the end": (2, 2),
}


@pytest.mark.parametrize("case", HALF)
async def test_an_agent_that_ends_its_side_gets_its_answer(
    tmp_path: Path, authority: TestAuthority, case: str
) -> None:
    """F4: over plain HTTP, a whole request with an end behind it is answered; then all ends."""
    asked, answered = HALF[case]

    async def script(peer: RawPeer) -> None:
        for _ in range(answered):
            await peer.read_request()
            await asyncio.sleep(0.05)  # so that the end is there before the answer
            peer.write(SHORT)

    line = b"GET http://%b:443/ HTTP/1.1\r\nHost: %b:443\r\n" % (NAME, NAME)
    async with (
        run_upstream(script, None) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        agent = await relay.proxy.dial()
        agent.send((line + CREDENTIALS + b"\r\n") * asked)
        agent.writer.write_eof()
        received = await agent.read_rest()
        assert received.count(b"HTTP/1.1 200 ") == answered
        assert received.endswith(b"connection: close\r\n\r\nhi")
        assert [sent.outcome for sent in relay.sent] == [Outcome.EXECUTED] * answered


async def test_half_a_request_with_an_end_behind_it_is_none(
    tmp_path: Path, authority: TestAuthority
) -> None:
    """F4: nothing is asked, and the connection ends."""
    async with running_relay(tmp_path, 1, authority.ca_file) as relay:
        for data in (b"GET http://a.test/ HT", b""):
            agent = await relay.proxy.dial()
            agent.send(data)
            agent.writer.write_eof()
            assert await agent.read_rest() == b""
        assert relay.exchanges == []


async def test_an_agent_that_ends_tls_is_gone(tmp_path: Path, authority: TestAuthority) -> None:
    """F4: libraries say `close_notify` when they close: what is under way is given up at once, and
    what became of it is not known."""
    async with (
        run_upstream(answering(b""), authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        agent = await tunnel(relay)
        agent.send(get())
        while not upstream.heads:
            await asyncio.sleep(0.01)
        agent.writer.close()
        async with asyncio.timeout(SECONDS_MAX):
            await upstream.ended.wait()
        await relay.until_sent(1)
        assert (relay.sent[0].outcome, relay.sent[0].code) == (Outcome.UNKNOWN, "agent_gone")


# --- events ---------------------------------------------------------------------------------------

DELTA = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
)


async def test_a_models_words_arrive_one_by_one(tmp_path: Path, authority: TestAuthority) -> None:
    """The real SDK of a model provider, streaming: each word is read before the next is written."""
    import openai  # by the one worker that needs it: it takes a second, and all collect this file

    read: asyncio.Queue[str] = asyncio.Queue()
    words = ("one", "two", "three")

    async def script(peer: RawPeer) -> None:
        await peer.read_request()
        peer.write(OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for word in words:
            data = DELTA % word.encode()
            peer.write(b"%x\r\n%b\r\n" % (len(data), data))
            assert await read.get() == word
        peer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    async with (
        run_upstream(script, authority.server_context([HOST])) as upstream,
        running_relay(tmp_path, upstream.port, authority.ca_file) as relay,
    ):
        trust = ssl.create_default_context(cafile=str(relay.ca_file))
        async with httpx.AsyncClient(
            proxy=relay.proxy_url, verify=trust, timeout=SECONDS_MAX
        ) as client:
            model = openai.AsyncOpenAI(
                api_key="k", base_url=f"https://{HOST}/v1", http_client=client, max_retries=0
            )
            stream = await model.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "count"}], stream=True
            )
            async for event in stream:
                read.put_nowait(event.choices[0].delta.content or "")
    assert read.empty()
