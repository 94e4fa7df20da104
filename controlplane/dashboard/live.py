"""Server-sent events: what happened to followed things of the visitor's tenant, as it happens.

A message says what changed, never what it is now; a page decides what to say of it. The stream ends
with its session, when its browser is gone, and when the control plane stops.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections import Counter
from typing import Final

from aiohttp import web

from controlplane.dashboard.gate import HEADERS
from controlplane.dashboard.visit import ANYBODY, PageRoute, Visit, get
from controlplane.faults import ControlFault, Fault
from controlplane.notify.bus import Subscription
from controlplane.store.events import EventCursor

STREAMS_MAX: Final = 500
"""Open streams of this process; each holds a socket and reads when its tenant changes."""

STREAMS_PER_SESSION_MAX: Final = 12
"""Tabs of one browser. Over HTTP/1.1 a browser itself opens no more than 6 to one site."""

LOOK_SECONDS: Final = 5.0
"""How late a stream notices at most that its session is over; also how often it says that it is
alive, so that no proxy cuts it."""

STREAM_SECONDS_MAX: Final = 900.0
"""Then the browser connects anew by itself, to whichever replica there is."""

EVENTS_MAX: Final = 200
"""Read at once; more come with the next reading."""

RETRY_MILLISECONDS: Final = 2_000

SOON_SECONDS: Final = 0.1
SOON_LOOKS: Final = 10
"""After a wake-up that found nothing: the event shows itself once older transactions are over."""


class Streams:
    """The open streams of one process."""

    def __init__(self) -> None:
        self._open: Counter[uuid.UUID] = Counter()
        self._waiting: set[Subscription] = set()
        self._is_ending = False

    async def end(self, _: web.Application) -> None:
        """Let all of them come to an end."""
        self._is_ending = True
        for subscription in self._waiting:
            subscription.wake()

    def route(self) -> PageRoute:
        return get("/events", self.follow, *ANYBODY)

    async def follow(self, visit: Visit) -> web.StreamResponse:
        """`GET /dashboard/events`.

        Raises:
            ControlFault: UNAVAILABLE when too many are open.
        """
        session_id = visit.session.session_id
        if (
            self._open[session_id] >= STREAMS_PER_SESSION_MAX
            or self._open.total() >= STREAMS_MAX
            or self._is_ending
        ):
            raise ControlFault(Fault.UNAVAILABLE, "too many live pages are open")
        self._open[session_id] += 1
        try:
            with visit.services.following.subscribe(visit.caller.tenant_id) as subscription:
                self._waiting.add(subscription)
                try:
                    return await self._follow(visit, subscription)
                finally:
                    self._waiting.discard(subscription)
        finally:
            self._open[session_id] -= 1
            if not self._open[session_id]:
                del self._open[session_id]

    async def _follow(self, visit: Visit, subscription: Subscription) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        last = visit.http.headers.get("Last-Event-ID") or visit.query("after") or visit.cursor
        cursor = EventCursor.parse(last) or EventCursor.parse(visit.cursor) or EventCursor()
        # The browser went away between a look and a word: nobody misses the rest.
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(visit.http)
            await self._tell(visit, subscription, cursor, response)
        return response

    async def _tell(
        self,
        visit: Visit,
        subscription: Subscription,
        cursor: EventCursor,
        response: web.StreamResponse,
    ) -> None:
        following, tenant_id = visit.services.following, visit.caller.tenant_id
        await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
        kinds = {page.nav.live for page in visit.pages if page.nav is not None}
        ends_at = time.monotonic() + STREAM_SECONDS_MAX
        looks_left = 0
        while not self._is_ending and time.monotonic() < ends_at and await _still_holds(visit):
            rows = await following.after(tenant_id, cursor, EVENTS_MAX)
            for row in rows:
                cursor = row.cursor
                if row.kind not in kinds:
                    continue
                said = {"kind": row.kind, "id": row.subject_id, "change": row.change}
                await response.write(_event(str(cursor), said))
            if len(rows) == EVENTS_MAX:
                continue
            looks_left = 0 if rows else max(0, looks_left - 1)
            if await subscription.wait(SOON_SECONDS if looks_left else LOOK_SECONDS):
                looks_left = SOON_LOOKS
            elif not looks_left:
                await response.write(b": alive\n\n")


async def _still_holds(visit: Visit) -> bool:
    """Whether somebody is signed in, and there."""
    transport = visit.http.transport
    is_there = transport is not None and not transport.is_closing()
    return is_there and await visit.services.sessions.still_holds(visit.session)


def _event(cursor: str, said: dict[str, str]) -> bytes:
    """JSON has no line break in it, so no text can end the event early."""
    return f"id: {cursor}\ndata: {json.dumps(said)}\n\n".encode()
