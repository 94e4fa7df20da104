"""Counters that all gateways share, kept by the control plane (`LimitStore`).

Reserving may be asked for twice: an owner that has a reservation is given the same one. What can't
be told at once, because the control plane is gone, is told later; what is never told counts.
Target ids that look like secrets leave the gateway as digests.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.retry import call_until, pauses
from gateway.model.dataclass import dataclass
from gateway.model.errors import ControlPlaneError, LimitError
from gateway.model.limit import LimitClaim, LimitReading, Reserved
from gateway.ports import Clock, LimitStore
from gateway.record.redact import redact_text

log = logging.getLogger(__name__)

_LOCAL: Final = "local:"
"""Begins the tokens of what was counted here while the control plane was gone."""


_NOT_ASKED: Final = "limit.not_asked"


class LimitsKept(StrEnum):
    """LOCAL: this gateway counts for itself. SHARED: the control plane counts for all."""

    LOCAL = "local"
    SHARED = "shared"


class LimitsFallback(StrEnum):
    """What happens to an action under limits while the shared counters can't be reached. LOCAL:
    this gateway counts by itself what it sends meanwhile, and can't know of others."""

    BLOCK = "block"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class SharedLimitSettings:
    """Who counts, and how long that may take.

    `limits_seconds_max` bounds one question with its retries: an agent waits for it.
    `limits_gone_seconds`: after a question without an answer, others are not asked for so long.
    `limits_untold_max` and `limits_untold_seconds_max`: how much and how long is kept to be told
    later; then it counts until its window is over.
    """

    limits_store: LimitsKept = LimitsKept.LOCAL
    limits_fallback: LimitsFallback = LimitsFallback.BLOCK
    limits_seconds_max: float = 2.0
    limits_gone_seconds: float = 1.0
    limits_untold_max: int = 10_000
    limits_untold_seconds_max: float = 900.0


_Tell = Callable[[], Awaitable[object]]


class SharedLimits:
    """The shared `LimitStore`. `fallback` counts while the control plane is gone; without one,
    what is under limits is refused then."""

    def __init__(
        self,
        client: ControlPlaneClient,
        settings: SharedLimitSettings,
        clock: Clock,
        fallback: LimitStore | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._fallback = fallback
        self._gone_until = 0.0
        self._untold: deque[tuple[float, _Tell]] = deque()
        self._telling: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[Reserved]] = set()

    @property
    def fault(self) -> str | None:
        """Whether the shared counters can be asked, and how many have not been told their end."""
        if self._clock.monotonic() < self._gone_until:
            return "the shared counters of limits can't be reached"
        return f"{len(self._untold)} reservations wait to be told" if self._untold else None

    async def close(self, seconds_max: float) -> None:
        """Tell what is left, within `seconds_max`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                if self._asking:
                    await asyncio.wait(self._asking)
                if self._telling is not None:
                    await asyncio.shield(self._telling)
        for task in (*self._asking, self._telling):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait({task})
        self._drop(len(self._untold))

    # --- ports.LimitStore -------------------------------------------------------------------------

    async def reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> Reserved:
        asking = asyncio.create_task(
            self._reserve(owner, claims, now, lapses_at), name="limits-reserve"
        )
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            # Cut off, a question may have been answered all the same: somebody must hear it.
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            if lapses_at is None:
                asking.add_done_callback(self._give_back_unheard)
            raise

    async def start(self, token: str) -> bool:
        if token.startswith(_LOCAL):
            return await self._local().start(token.removeprefix(_LOCAL))
        tries = 0

        async def call() -> bool:
            nonlocal tries
            tries += 1
            return await self._client.start_limits(token)

        is_started: bool = await self._ask(call)
        if not is_started and tries > 1:
            # The first try may have started it, and its answer was lost.
            raise _unavailable("the counters of limits did not say what they did")
        return is_started

    async def settle(self, token: str) -> None:
        if token.startswith(_LOCAL):
            await self._local().settle(token.removeprefix(_LOCAL))
        else:
            await self._tell(lambda: self._client.settle_limits(token))

    async def release(self, token: str) -> None:
        if token.startswith(_LOCAL):
            await self._local().release(token.removeprefix(_LOCAL))
        else:
            await self._tell(lambda: self._client.release_limits(token))

    # --- asking -----------------------------------------------------------------------------------

    async def _reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> Reserved:
        body = demand_json(owner, claims, now, lapses_at)
        try:
            answer = await self._ask(lambda: self._client.reserve_limits(body))
        except LimitError as error:
            if self._fallback is None or not error.retryable:
                if lapses_at is None and error.retryable and error.code != _NOT_ASKED:
                    self._later(lambda: self._undo(body))
                raise
            telemetry.LIMITS_FALLEN_BACK.inc()
            reserved = await self._fallback.reserve(owner, claims, now, lapses_at)
            token = f"{_LOCAL}{reserved.token}" if reserved.token else ""
            return Reserved(token, reserved.readings)
        return parse_reserved(answer, claims)

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Ask until there is an answer or no more time.

        Raises:
            LimitError: retryable, where the control plane is out of reach.
        """
        now = self._clock.monotonic
        if now() < self._gone_until:
            raise LimitError(_NOT_ASKED, "the counters of limits can't be reached")
        try:
            return await call_until(now() + self._settings.limits_seconds_max, now, call)
        except ControlPlaneError as error:
            telemetry.LIMIT_FAULTS.labels(error.code).inc()
            if error.retryable:
                self._gone_until = now() + self._settings.limits_gone_seconds
            raise LimitError(
                "limit.unavailable", error.message, retryable=error.retryable
            ) from error

    async def _undo(self, body: Mapping[str, object]) -> None:
        """Nobody knows whether it was taken, and nothing was sent: ask again, and give it back."""
        token = (await self._client.reserve_limits(body)).get("token")
        if isinstance(token, str) and token:
            await self._client.release_limits(token)

    def _give_back_unheard(self, asked: asyncio.Task[Reserved]) -> None:
        if asked.cancelled() or asked.exception() is not None:
            return
        token = asked.result().token
        if token.startswith(_LOCAL):
            local = token.removeprefix(_LOCAL)
            self._later(lambda: self._local().release(local))
        elif token:
            self._later(lambda: self._client.release_limits(token))

    def _local(self) -> LimitStore:
        assert self._fallback is not None, "only a fallback gives tokens that begin so"
        return self._fallback

    # --- telling ----------------------------------------------------------------------------------

    async def _tell(self, call: _Tell) -> None:
        """Tell now if it can be, so that whoever asks next finds it done; else later."""
        try:
            await self._ask(call)
        except LimitError as error:
            if error.retryable:
                self._later(call)
            else:
                self._drop(1)
        except asyncio.CancelledError:
            self._later(call)
            raise

    def _later(self, call: _Tell) -> None:
        if len(self._untold) >= self._settings.limits_untold_max:
            self._untold.popleft()
            self._drop(1)
        deadline = self._clock.monotonic() + self._settings.limits_untold_seconds_max
        self._untold.append((deadline, call))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all(), name="limits-tell")

    async def _tell_all(self) -> None:
        waits = pauses(self._settings.limits_gone_seconds)
        while self._untold:
            deadline, call = self._untold[0]
            try:
                async with asyncio.timeout(self._settings.limits_seconds_max):
                    await call()
            except (ControlPlaneError, LimitError, TimeoutError) as error:
                is_over = self._clock.monotonic() >= deadline
                if not is_over and getattr(error, "retryable", True):
                    await asyncio.sleep(next(waits))
                    continue
                self._drop(1)
            # While it was told, a full queue may have dropped it.
            if self._untold and self._untold[0][1] is call:
                self._untold.popleft()

    def _drop(self, count: int) -> None:
        if count:
            telemetry.LIMITS_UNTOLD.inc(count)
            log.warning("counters never told", extra={"count": count})


# --- the question and its answer ------------------------------------------------------------------


def demand_json(
    owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
) -> dict[str, object]:
    """The body of a reservation."""
    return {
        "owner": owner,
        "now": now,
        "lapsesAt": lapses_at,
        "claims": [
            {
                "limit": claim.limit,
                "key": shown_key(claim.key),
                "amount": claim.amount,
                "max": claim.max,
                "since": claim.since,
                "windowSeconds": claim.window_seconds,
                "effect": claim.effect,
                "mode": claim.mode,
            }
            for claim in claims
        ],
    }


def shown_key(key: str) -> str:
    """A key as it may leave the gateway."""
    if redact_text(key) == key:
        return key
    return f"redacted#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def parse_reserved(answer: Mapping[str, Any], claims: Sequence[LimitClaim]) -> Reserved:
    """The reservation that an answer tells of. A claim without a reading joined one that was made
    before its limit was: it is counted there, as far as it is.

    Raises:
        LimitError: it can't be understood.
    """
    try:
        token, readings = answer["token"], answer["readings"]
        if not isinstance(token, str) or not token.isascii() or len(token) > 64:
            raise TypeError
        read = {(each["limit"], each["key"]): _used(each) for each in readings}
    except (KeyError, TypeError, ValueError) as error:
        raise _unavailable("the counters' answer can't be understood", False) from error
    found = tuple(
        _reading(claim, *read.get((claim.limit, shown_key(claim.key)), (0, False)))
        for claim in claims
    )
    if not token and not any(reading.is_exceeded for reading in found):
        raise _unavailable("the counters took nothing, and did not say why", False)
    return Reserved(token, found)


def _used(reading: Mapping[str, Any]) -> tuple[int, bool]:
    used, is_exceeded = reading["used"], reading["isExceeded"]
    if type(used) is not int or used < 0 or type(is_exceeded) is not bool:
        raise TypeError
    return used, is_exceeded


def _reading(claim: LimitClaim, used: int, is_exceeded: bool) -> LimitReading:
    return LimitReading(claim, used, is_exceeded or claim.exceeds(used))


def _unavailable(message: str, retryable: bool = True) -> LimitError:
    return LimitError("limit.unavailable", message, retryable=retryable)
