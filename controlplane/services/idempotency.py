"""Carries a request out once, however often it is sent: the same again gets the first answer again.

What was refused changed nothing, and is not kept: sent again, it is judged again. An answer is
sealed with the caller's own key, of which the database knows only the hash: it may carry a secret,
such as a new key, and whoever reads the table reads nothing.

Between the act and the note of its answer a process may die, or the database go away: the request
is then known to have begun and no more. A repeat is refused (`IDEMPOTENCY_IN_PROGRESS`) until the
time is over: the caller looks at what is there. It is never carried out twice within that time.
What fails before it begins, as most does when the database is away, may be sent again at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from controlplane.faults import ControlFault, Fault
from controlplane.services.sweeping import sweep_forever
from controlplane.store.idempotency import IdempotencyStore, Noted, Place
from controlplane.telemetry import Metrics

log = logging.getLogger(__name__)

COUNT_MAX = 10_000
"""Of one caller at once: thirty a second for the whole time that they are kept."""

ANSWER_BYTES_MAX = 512 * 1024
"""What makes something answers with some kilobytes. A repeat of what answers with more is refused,
as after a failure."""

WAIT_SECONDS_MAX = 5.0
"""How long a repeat waits for the first one, which is mostly some milliseconds away."""

PAUSE_SECONDS = (0.02, 0.05, 0.1, 0.25)
"""Between two looks at the first one; the last of them again and again. It happens so rarely that a
message for each finished request would cost more than the looks."""

MISSES_MAX = 3

SWEEP_SECONDS = 30.0
SWEEP_COUNT_MAX = 5_000

_PERHAPS_DONE = frozenset({Fault.UNAVAILABLE, Fault.INTERNAL})
"""After these nobody knows what was done; every other fault is a refusal."""

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered. `is_kept`: whether a repeat is to get the same."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    is_kept: bool


class IdempotencyService:
    def __init__(self, store: IdempotencyStore, metrics: Metrics, kept_seconds: float) -> None:
        self._store = store
        self._metrics = metrics
        self._kept_seconds = kept_seconds

    async def once(
        self,
        place: Place,
        request_digest: bytes,
        secret: str,
        carry_out: Callable[[], Awaitable[Answered]],
    ) -> tuple[Answered, bool]:
        """The answer, and whether it is that of an earlier request. `secret` is the caller's key.

        Raises:
            ControlFault: IDEMPOTENCY_MISMATCH, IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_FULL; and
                whatever `carry_out` raises.
        """
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        looks, misses = 0, 0
        noted: Noted | None = None
        while True:
            attempt_id = uuid.uuid4()
            if noted is None and await self._store.begin(
                place, request_digest, attempt_id, self._kept_seconds, COUNT_MAX
            ):
                return await self._carry_out(place, attempt_id, secret, carry_out), False
            noted = await self._store.find(place)
            if noted is None:
                # Abandoned or over since; or there is no room, as it is when that happens again.
                misses += 1
                if misses >= MISSES_MAX:
                    raise ControlFault(
                        Fault.IDEMPOTENCY_FULL, "this key has too many idempotency keys in use"
                    )
                continue
            if (found := _judge(noted, place, request_digest, secret)) is not None:
                return found, True
            if time.monotonic() >= deadline:
                raise ControlFault(
                    Fault.IDEMPOTENCY_IN_PROGRESS,
                    "the first request with this idempotency key has no answer; look whether it "
                    "was carried out before sending it with another key",
                )
            await asyncio.sleep(PAUSE_SECONDS[min(looks, len(PAUSE_SECONDS) - 1)])
            looks += 1

    async def sweep_forever(self) -> None:
        """Delete what is over, for as long as the control plane runs."""

        async def sweep() -> float:
            is_full = await self._store.sweep(SWEEP_COUNT_MAX) >= SWEEP_COUNT_MAX
            return 0.0 if is_full else SWEEP_SECONDS

        await sweep_forever(sweep, SWEEP_SECONDS, self._metrics)

    async def _carry_out(
        self,
        place: Place,
        attempt_id: uuid.UUID,
        secret: str,
        carry_out: Callable[[], Awaitable[Answered]],
    ) -> Answered:
        try:
            answered = await carry_out()
        except ControlFault as fault:
            if fault.fault not in _PERHAPS_DONE:
                await self._note(self._store.abandon(place, attempt_id))
            raise
        if answered.is_kept and len(answered.body) > ANSWER_BYTES_MAX:
            log.warning("an idempotent answer is too long to be kept", extra={"route": place.route})
        elif answered.is_kept:
            sealed = _seal(answered, place, secret)
            await self._note(self._store.finish(place, attempt_id, answered.status, sealed))
        else:
            await self._note(self._store.abandon(place, attempt_id))
        return answered

    async def _note(self, noting: Awaitable[None]) -> None:
        """What was done stays done, and is answered, when only the note of it fails."""
        try:
            await noting
        except ControlFault as fault:
            log.warning("an idempotent answer could not be noted", extra={"code": fault.code})


def _judge(noted: Noted, place: Place, request_digest: bytes, secret: str) -> Answered | None:
    """The kept answer; None while there is none."""
    if noted.request_digest != request_digest:
        raise ControlFault(
            Fault.IDEMPOTENCY_MISMATCH,
            "this idempotency key was used with another request; take a new one",
        )
    if noted.status is None:
        return None
    try:
        return _open(noted.status, noted.sealed_answer, place, secret)
    except InvalidTag:
        raise ControlFault(
            Fault.IDEMPOTENCY_IN_PROGRESS,
            "the request was carried out, and answered to the key's former secret",
        ) from None


def _seal(answered: Answered, place: Place, secret: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps(dict(answered.headers)).encode() + b"\n" + answered.body
    return nonce + AESGCM(_sealing_key(secret)).encrypt(nonce, plain, _bound_to(place))


def _open(status: int, sealed: bytes, place: Place, secret: str) -> Answered:
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    plain = AESGCM(_sealing_key(secret)).decrypt(nonce, rest, _bound_to(place))
    headers, _, body = plain.partition(b"\n")
    return Answered(status, body, json.loads(headers), is_kept=True)


def _sealing_key(secret: str) -> bytes:
    """A key has 256 random bits, so one hash in a domain of its own is enough of a derivation."""
    return hashlib.sha256(b"checkrein idempotent answer\0" + secret.encode()).digest()


def _bound_to(place: Place) -> bytes:
    """An answer opens only where it was put."""
    return "\0".join(map(str, place.values())).encode()
