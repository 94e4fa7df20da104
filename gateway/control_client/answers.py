"""One question to the control plane for all requests that are held here: which were answered?

A long poll for each held request is the quickest way for a few, and a connection each for many. So
from some number on they wait on this instead, and look at their approval when it is named. It
decides nothing and tells nobody what was answered: whoever is woken asks for that.

INVARIANT(no-gap): while it asks, whatever is answered after a request has looked wakes it: once it
has a place to begin at it wakes everybody, after an outage it goes on where it was, and when it
ends it wakes everybody again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.retry import pauses
from gateway.control_client.settings import ControlSettings
from gateway.model.errors import ControlPlaneError
from gateway.tasks import end_tasks

log = logging.getLogger(__name__)

FEED_FROM: Final = 16
"""Held requests from which on one question is cheaper than one for each."""

IDS_MAX: Final = 10_000
"""In one answer; more is nothing that a control plane of ours says."""


class AnswerFeed:
    """One per gateway. `close` it at the end; it starts and stops with those who watch."""

    def __init__(self, client: ControlPlaneClient, settings: ControlSettings) -> None:
        self._client = client
        self._settings = settings
        self._watched: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._cursor = ""
        self._task: asyncio.Task[None] | None = None
        self._is_offered = True

    @property
    def is_asking(self) -> bool:
        """Whether those who watch and look now are woken when it is answered later."""
        return self._task is not None

    @property
    def is_live(self) -> bool:
        """Whether it has a place from which on it knows everything."""
        return bool(self._cursor)

    @contextmanager
    def watch(self, approval_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the approval may have been answered, while the block runs."""
        event = asyncio.Event()
        self._watched.setdefault(approval_id, set()).add(event)
        self._count += 1
        if self._count >= FEED_FROM and self._is_offered and self._task is None:
            self._task = asyncio.create_task(self._follow(), name="approvals-answered")
        try:
            yield event
        finally:
            self._count -= 1
            watching = self._watched[approval_id]
            watching.remove(event)
            if not watching:
                del self._watched[approval_id]

    async def close(self) -> None:
        """Stop asking."""
        await end_tasks([self._task])

    async def _follow(self) -> None:
        """Ask until nobody watches."""
        try:
            waits = pauses(self._settings.wait_retry_seconds_max)
            while self._watched:
                try:
                    await self._ask()
                    waits = pauses(self._settings.wait_retry_seconds_max)
                except ControlPlaneError as error:
                    if isinstance(error, Rejected) and not error.retryable:
                        # It doesn't have this, or the key may not: each looks for itself.
                        log.warning("answers not followed", extra={"code": error.code})
                        self._is_offered = error.status != 404
                        await asyncio.sleep(next(waits))
                        return
                    await asyncio.sleep(next(waits))
        except Exception:
            log.exception("following the answers failed")
            telemetry.BUGS.inc()
        finally:
            self._cursor, self._task = "", None
            self._wake_all()

    async def _ask(self) -> None:
        """One question. The first answer says where it begins, and whoever has looked before that
        looks again."""
        is_first = not self._cursor
        wait_seconds = 0 if is_first else self._settings.long_poll_seconds
        answer = await self._client.fetch_answered(self._cursor, wait_seconds)
        named, self._cursor = _parse(answer)
        if is_first:
            self._wake_all()
        for approval_id in named:
            for event in self._watched.get(approval_id, ()):
                event.set()

    def _wake_all(self) -> None:
        for watching in self._watched.values():
            for event in watching:
                event.set()


def _parse(answer: Mapping[str, Any]) -> tuple[list[str], str]:
    named, cursor = answer.get("answered"), answer.get("nextCursor")
    is_list = isinstance(named, list) and len(named) <= IDS_MAX
    if not is_list or not isinstance(cursor, str) or not cursor:
        raise ControlPlaneError("control.unreadable", "the answered approvals can't be understood")
    assert isinstance(named, list)
    return [text for text in named if isinstance(text, str)], cursor
