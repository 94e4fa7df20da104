"""The small HTTP client: every answer that is one is taken, however it is cut; no other is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.http_client import (
    HEAD_BYTES_MAX,
    AnswerTooLong,
    ConnectionGone,
    HttpClient,
    HttpFault,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BYTES_MAX = 1_000


class Server:
    """Answers each question with the next of `answers`; None ends the connection unanswered."""

    def __init__(self, answers: Sequence[Sequence[bytes] | None]) -> None:
        self.answers = list(answers)
        self.questions: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.questions.append(head + await reader.readexactly(int(length or 0)))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                for piece in answer:
                    writer.write(piece)
                    await asyncio.sleep(0)
                if b"Connection: close" in b"".join(answer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: Sequence[bytes] | None) -> AsyncIterator[Server]:
    found = Server(answers)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base/"
    try:
        yield found
    finally:
        server.close()


async def ask(
    client: HttpClient, method: str = "GET", body: bytes | None = None, seconds_max: float = 10
) -> tuple[int, bytes]:
    return await client.ask(
        method, "/v1/x", seconds_max=seconds_max, bytes_max=BYTES_MAX, body=body
    )


def single(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"

TAKEN: dict[str, tuple[Sequence[bytes], int, bytes]] = {
    "with a length": ([OK], 200, b"{}"),
    "byte by byte": (single(OK), 200, b"{}"),
    "in chunks": ([CHUNKED], 200, b"{}"),
    "in chunks, byte by byte": (single(CHUNKED), 200, b"{}"),
    "after a word that it is on its way": ([b"HTTP/1.1 100 Continue\r\n\r\n" + OK], 200, b"{}"),
    "without a body": ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
    "that ends with its connection": (
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"{}"],
        200,
        b"{}",
    ),
    "that is an error": ([b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"], 503, b""),
}


@pytest.mark.parametrize("what", TAKEN)
async def test_an_answer_is_taken(what: str) -> None:
    """Status and body."""
    pieces, status, body = TAKEN[what]
    async with serving(pieces) as server:
        client = HttpClient(server.url, {}, 1)
        assert await ask(client) == (status, body)
        client.close()


REFUSED: dict[str, tuple[Sequence[bytes], type[HttpFault]]] = {
    "no HTTP": ([b"SSH-2.0-x\r\n"], HttpFault),
    "two lengths": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"],
        HttpFault,
    ),
    "another protocol": (
        [b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
        HttpFault,
    ),
    "a head without an end": (
        [b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * (HEAD_BYTES_MAX // 6 + 1)],
        AnswerTooLong,
    ),
    "a body that is too long": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", b" " * (BYTES_MAX + 1)],
        AnswerTooLong,
    ),
    "half a body": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{}"],
        ConnectionGone,
    ),
    "half a chunk": (
        [CHUNKED[:-5].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)],
        ConnectionGone,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_answer_is_refused(what: str) -> None:
    """Within the deadline, and with no second try: an answer had begun."""
    pieces, fault = REFUSED[what]
    async with serving(pieces, [OK]) as server:
        client = HttpClient(server.url, {}, 1)
        with pytest.raises(fault):
            await ask(client)
        assert len(server.questions) == 1
        assert await ask(client) == (200, b"{}")  # on a connection of its own
        assert server.connections == 2
        client.close()


async def test_a_connection_is_kept() -> None:
    """And each question says all that it has to."""
    async with serving([OK], [OK]) as server:
        client = HttpClient(server.url, {"X-Api-Key": "k"}, 1)
        query = {"cursor": "a b&c"}
        await client.ask("GET", "/v1/x", seconds_max=10, bytes_max=BYTES_MAX, query=query)
        await ask(client, "POST", b"{}")
        place = server.url.removeprefix("http://").removesuffix("/base/").encode()
        head = b" HTTP/1.1\r\nHost: " + place + b"\r\nX-Api-Key: k\r\n"
        assert server.connections == 1
        assert server.questions == [
            b"GET /base/v1/x?cursor=a+b%26c" + head + b"\r\n",
            b"POST /base/v1/x" + head + b"Content-Length: 2\r\n\r\n{}",
        ]
        client.close()


async def test_more_than_one_answer_ends_the_connection() -> None:
    """What follows an answer must never be taken for the next question's."""
    for more in (OK, b"H"):
        async with serving([OK + more], [OK]) as server:
            client = HttpClient(server.url, {}, 1)
            assert await ask(client) == (200, b"{}")
            assert await ask(client) == (200, b"{}")
            assert server.connections == 2
            client.close()


async def test_only_what_changes_nothing_is_sent_again() -> None:
    """On a connection that ended without an answer; once, and never what might act twice."""
    async with serving(None, [OK], None, None, None) as server:
        client = HttpClient(server.url, {}, 1)
        assert await ask(client) == (200, b"{}")
        with pytest.raises(ConnectionGone):
            await ask(client, "POST", b"{}")
        with pytest.raises(ConnectionGone):
            await ask(client)
        assert [each.split(b" ")[0] for each in server.questions] == [
            b"GET", b"GET", b"POST", b"GET", b"GET",
        ]  # fmt: skip
        client.close()


async def test_a_question_that_is_given_up_frees_its_place() -> None:
    """By its deadline or by its caller, with its connection: a late answer reaches nobody."""
    async with serving([], [], [OK]) as server:
        client = HttpClient(server.url, {}, 1)
        with pytest.raises(TimeoutError):
            await ask(client, seconds_max=0.05)
        asking = asyncio.create_task(ask(client))
        while len(server.questions) < 2:
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await ask(client) == (200, b"{}")
        assert server.connections == 3
        client.close()


async def test_questions_wait_for_a_place_for_a_time() -> None:
    """A silent server takes every connection there may be, and no more."""
    async with serving([], []) as server:
        client = HttpClient(server.url, {}, 1)
        asking = asyncio.create_task(ask(client))
        while not server.questions:
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await client.ask(
                "GET", "/", seconds_max=10, bytes_max=BYTES_MAX, place_seconds_max=0.05
            )
        asking.cancel()
        await asyncio.wait([asking])
        assert server.connections == 1
        client.close()


NOWHERE: dict[str, Callable[[], HttpClient]] = {
    "no URL": lambda: HttpClient("", {}, 1),
    "no server in it": lambda: HttpClient("http://", {}, 1),
    "another scheme": lambda: HttpClient("ftp://a.test", {}, 1),
    "a port that is none": lambda: HttpClient("http://a.test:99999", {}, 1),
    "a name that is none": lambda: HttpClient(f"http://{'a' * 64}.test", {}, 1),
    "nobody there": lambda: HttpClient("http://127.0.0.1:1", {}, 1),
    "a key with a line break": lambda: HttpClient("http://127.0.0.1:1", {"k": "a\r\nb: c"}, 1),
}


@pytest.mark.parametrize("what", NOWHERE)
async def test_there_is_nowhere_to_go(what: str) -> None:
    """It is one of the faults that callers know."""
    with pytest.raises((HttpFault, OSError)):
        await ask(NOWHERE[what]())
