"""Where notifications may go: each address is looked at, and what was looked at is dialled."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage

import pytest
from aiohttp import web

from controlplane.notify.notice import NotSent
from controlplane.notify.outbound import (
    RESPONSE_BYTES_MAX,
    OutboundError,
    OutboundGuard,
    post,
)
from controlplane.notify.smtp import SmtpAt, SmtpSecurity, send_mail


def resolving(**names: list[str]) -> OutboundGuard:
    """A guard for which names lead where the test says."""

    async def resolve(host: str, port: int) -> list[str]:
        return names[host.replace(".", "_")]

    return OutboundGuard((), resolve)


REFUSED = {
    "one bad address among good ones": ["8.8.8.8", "10.0.0.1"],
    "mapped": ["::ffff:10.0.0.1"],
    "NAT64": ["64:ff9b::a9fe:a9fe"],
    "6to4": ["2002:a9fe:a9fe::"],
    "Teredo": ["2001:0:0:0:0:0:5601:5601"],
    "with a zone": ["fe80::1%eth0"],
    "no address": ["nonsense"],
    "none": [],
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_name_that_leads_inward_is_refused(case: str):
    """And never a part of its addresses used."""
    with pytest.raises(OutboundError):
        await resolving(a_test=REFUSED[case]).addresses("a.test", 443)


async def test_a_public_name_gives_its_addresses():
    """All of them, in their order."""
    guard = resolving(a_test=["8.8.8.8", "2606:4700::1111"])
    assert await guard.addresses("A.test.", 443) == ["8.8.8.8", "2606:4700::1111"]


async def test_what_the_operator_allows_is_reached():
    """A host wherever it leads, a network by its addresses; metadata only by its own."""

    async def resolve(host: str, port: int) -> list[str]:
        return {"hooks.corp": ["10.1.2.3"], "a.test": ["10.2.0.9"], "m.test": ["169.254.169.254"]}[
            host
        ]

    guard = OutboundGuard(("hooks.corp", "10.2.0.0/16", "169.254.0.0/16"), resolve)
    assert await guard.addresses("hooks.corp", 443) == ["10.1.2.3"]
    assert await guard.addresses("a.test", 443) == ["10.2.0.9"]
    with pytest.raises(OutboundError, match="cloud metadata"):
        await guard.addresses("m.test", 443)
    assert guard.allows_plain("HOOKS.corp.")
    assert guard.allows_plain("10.2.0.9")
    assert not guard.allows_plain("a.test")


async def test_a_name_that_changes_its_mind_is_not_followed():
    """Each answer of the resolver is looked at, and what was looked at is what is dialled."""
    answers = [["8.8.8.8"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    with pytest.raises(OutboundError, match="loopback"):
        await post(OutboundGuard((), resolve), "https://a.test/", b"", {}, 5)
    assert answers == []


async def test_an_endless_answer_is_cut():
    """A receiver can't fill our memory."""

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with_room = b"x" * 65536
        try:
            for _ in range(1000):
                await response.write(with_room)
        except ConnectionError:
            pass
        return response

    application = web.Application()
    application.router.add_post("/", flood)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    server = await asyncio.get_running_loop().create_server(runner.server, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        reply = await post(OutboundGuard(("127.0.0.1",)), f"http://127.0.0.1:{port}/", b"", {})
        assert len(reply.body) <= RESPONSE_BYTES_MAX
    finally:
        server.close()
        await runner.cleanup()


async def test_a_password_is_never_sent_without_tls():
    """Not even to a relay that the operator allows, whatever is stored."""
    at = SmtpAt("127.0.0.1", 25, SmtpSecurity.NONE, "a@example.test", "user", "hunter2")
    outcome = await send_mail(at, EmailMessage(), "b@example.test", OutboundGuard(("127.0.0.1",)))
    assert outcome == NotSent("a password is never sent without TLS", is_final=True)
