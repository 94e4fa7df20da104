"""Names -> numeric addresses, by the system's resolver, each lookup in a thread of its own.

Not by the event loop's: its few threads are shared by all names, so that four which a dead name
server holds up would hold up every other, and it ends no sooner than they do. A thread of ours is
left behind instead, and dies with the process.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from contextlib import suppress
from typing import Final

LOOKUPS_MAX: Final = 64
"""At once. A dead resolver holds each for up to half a minute, at some 100 KB."""

_free: Final = threading.BoundedSemaphore(LOOKUPS_MAX)

Answer = asyncio.Future[list[str]]


async def resolve_name(host: str, port: int) -> list[str]:
    """Ask the system's resolver. Whoever doesn't wait any more leaves the lookup behind.

    Raises:
        OSError: as `getaddrinfo` does; EAGAIN where too many lookups hang.
    """
    if not _free.acquire(blocking=False):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    loop = asyncio.get_running_loop()
    answer: Answer = loop.create_future()
    thread = threading.Thread(
        target=_look_up, args=(loop, answer, host, port), name="name-lookup", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:  # no thread is left
        _free.release()
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
    return await answer


def _look_up(loop: asyncio.AbstractEventLoop, answer: Answer, host: str, port: int) -> None:
    found: list[str] | BaseException
    try:
        entries = socket.getaddrinfo(
            host,
            port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_ADDRCONFIG,
        )
        found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    except BaseException as error:
        found = error
    finally:
        _free.release()
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, answer, found)


def _settle(answer: Answer, found: list[str] | BaseException) -> None:
    if answer.done():
        return
    if isinstance(found, BaseException):
        answer.set_exception(found)
    else:
        answer.set_result(found)
