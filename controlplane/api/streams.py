"""`/v1/streams`: how far records were sent to other systems."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from controlplane.api.contract import At, View
from controlplane.api.parsing import timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.services.reaching.streaming import lag_seconds


class StreamView(View):
    """`destination` is a channel's id, or `otlp`. `waiting` is at most 10000, which then means so
    many or more; `lagSeconds` is how long the oldest of them waits. `problem`: why the last attempt
    failed."""

    destination: str
    name: str | None
    throughRecordId: int
    waiting: int
    lagSeconds: int
    attempts: int
    problem: str | None
    dueAt: At
    movedAt: At


class StreamsAnswer(View):
    streams: list[StreamView]


async def list_(call: Call) -> web.Response:
    """List where records are sent on to, and how far behind each is."""
    states = await call.services.streams.states(call.caller)
    now = datetime.now(UTC)
    return answer(
        {
            "streams": [
                {
                    "destination": one.destination,
                    "name": one.name,
                    "throughRecordId": one.record_id,
                    "waiting": one.waiting,
                    "lagSeconds": int(lag_seconds(one, now)),
                    "attempts": one.attempts,
                    "problem": one.problem,
                    "dueAt": timestamp(one.due_at),
                    "movedAt": timestamp(one.moved_at),
                }
                for one in states
            ]
        }
    )


ROUTES = (route("GET", "/v1/streams", list_, Permission.ADMIN, answers=StreamsAnswer),)
