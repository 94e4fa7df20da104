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
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.retry import pauses
from gateway.control_client.settings import ControlSettings
from gateway.model.errors import ControlPlaneError
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

FEED_FROM: Final = 16
"""Held requests from which on one question is cheaper than one for each."""

IDS_MAX: Final = 10_000
"""In one answer; more is nothing that a control plane of ours says."""

NAMED_SECONDS: Final = 30.0
NAMED_MAX: Final = 10_000
"""How long and how many answered ones are remembered: an answer may be told of before whoever asked
knows what its approval is called."""


class AnswerFeed:
    """One per gateway. `close` it at the end; it starts and stops with those who watch."""

    def __init__(self, client: ControlPlaneClient, settings: ControlSettings) -> None:
        self._client = client
        self._settings = settings
        self._watched: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._cursor = ""
        self._named: dict[str, float] = {}
        self._knows_since = math.inf
        self._task: asyncio.Task[None] | None = None
        self._is_offered = True

    @property
    def is_asking(self) -> bool:
        """Whether those who watch and look now are woken when it is answered later."""
        return self._task is not None

    @property
    def count(self) -> int:
        """How many watch."""
        return self._count

    @property
    def is_live(self) -> bool:
        """Whether it has a place from which on it knows everything."""
        return bool(self._cursor)

    def is_open_since(self, approval_id: str, asked_at: float) -> bool:
        """Whether an approval that was open at `asked_at` of the loop's clock, or later, is known
        not to have been answered since."""
        return self._knows_since <= asked_at and approval_id not in self._named

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
            self._named, self._knows_since = {}, math.inf
            self._wake_all()

    async def _ask(self) -> None:
        """One question. The first answer says where it begins, and whoever has looked before that
        looks again."""
        is_first = not self._cursor
        wait_seconds = 0 if is_first else self._settings.long_poll_seconds
        answer = await self._client.fetch_answered(self._cursor, wait_seconds)
        named, self._cursor = _parse(answer)
        now = asyncio.get_running_loop().time()
        if is_first:
            self._knows_since = now
            self._wake_all()
        self._remember(named, now)
        for approval_id in named:
            for event in self._watched.get(approval_id, ()):
                event.set()

    def _remember(self, named: Sequence[str], now: float) -> None:
        for approval_id in named:
            self._named.pop(approval_id, None)  # it goes to the end: they lie by age
            self._named[approval_id] = now
        while self._named:
            oldest, named_at = next(iter(self._named.items()))
            if len(self._named) <= NAMED_MAX and named_at >= now - NAMED_SECONDS:
                return
            del self._named[oldest]
            self._knows_since = max(self._knows_since, named_at)

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
