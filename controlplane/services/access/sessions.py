"""Signs people in to the dashboard: a key that was shown once -> a cookie that stands for it.

A session gives nothing by itself. Every request asks the database whether the session still holds
and what its key may do now, so that signing out, revoking, rotating or expiring ends it at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from controlplane.auth import Caller, Permission, hash_key, may, require_person, unauthenticated
from controlplane.faults import ControlFault, not_found
from controlplane.services.access.keys import KeyService
from controlplane.services.sweeping import sweep_forever
from controlplane.store.sessions import OpenSession, SessionRow, SessionStore, SignedInBy
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics

TOKEN_BYTES: Final = 32
"""256 random bits: a cookie can't be guessed, so no slow hash is needed."""

TOKEN_LENGTH_MAX: Final = 128

OPEN_COUNT_MAX: Final = 200
"""Sessions that are listed: more than anybody reads."""

_TOUCH_SECONDS: Final = 30.0
"""How exact `last_seen_at` is; exact to the request would be a write for every page."""

_SWEEP_SECONDS: Final = 600.0
_SWEEP_COUNT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """`idle_seconds_max`: half an hour, as for other consoles that can release money.
    `seconds_max`: a working day. `count_max_per_key`: a person's devices, several times over."""

    idle_seconds_max: float = 1800.0
    seconds_max: float = 43_200.0
    count_max_per_key: int = 20


@dataclass(frozen=True, slots=True)
class Session:
    """An open session and who it stands for now. `secret` is known to its cookie alone."""

    session_id: uuid.UUID
    caller: Caller
    signed_in_by: SignedInBy
    created_at: datetime
    token_hash: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    def proof(self, purpose: str) -> str:
        """A text that only this session can know, such as the token of its forms."""
        return hmac.new(self.secret, purpose.encode(), hashlib.sha256).hexdigest()


class SessionService:
    def __init__(
        self,
        store: SessionStore,
        keys: KeyService,
        metrics: Metrics,
        settings: SessionSettings | None = None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._metrics = metrics
        self._settings = settings or SessionSettings()

    async def sign_in(self, key: str) -> str:
        """Open a session for a person's key; the cookie.

        Raises:
            ControlFault: UNAUTHENTICATED, also for a secret in its grace after a rotation, which a
                session would outlast; FORBIDDEN for a machine's key.
        """
        caller = await self._keys.authenticate(key)
        return await self.open_for(caller, SignedInBy.KEY, hash_key(key))

    async def open_for(self, caller: Caller, by: SignedInBy, key_hash: bytes | None = None) -> str:
        """Open a session for somebody who is known; the cookie. It is always a new one, so that
        nobody can be signed in to a session that another person chose.

        Raises:
            ControlFault: FORBIDDEN for a machine's key, UNAUTHENTICATED where `key_hash` is not
                that of the key's newest secret.
        """
        require_person(caller, "sign in; use a person's key")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with acting_for(caller.tenant_id):
            opened = await self._store.insert(
                caller.tenant_id, caller.key_id, _hash(token), by, key_hash
            )
            if opened is None:
                raise unauthenticated()
            await self._store.end_surplus(caller.key_id, self._settings.count_max_per_key)
        return token

    async def person_named(self, name: str) -> Caller | None:
        """The person whose valid key has this name; None when nobody's, or those of several
        tenants have: who it is could then only be guessed. Names have plain letters alone; others
        are of nobody, lest a database take one of them for another in small letters."""
        if not name.isascii():
            return None
        with acting_for_everybody():
            found = await self._store.people_named(name)
        if not found or len({tenant_id for tenant_id, _ in found}) > 1:
            return None
        tenant_id, key_id = found[0]
        with acting_for(tenant_id):
            caller = await self._keys.caller_of(tenant_id, key_id)
        return None if caller is None or caller.is_machine else caller

    async def find(self, token: str) -> Session:
        """The session of a cookie, and a note that its person was here.

        Raises:
            ControlFault: UNAUTHENTICATED.
        """
        if not 0 < len(token) <= TOKEN_LENGTH_MAX or not token.isascii():
            raise unauthenticated()
        token_hash = _hash(token)
        row = await self._find(token_hash)
        if row is None:
            raise unauthenticated()
        with acting_for(row.tenant_id):
            caller = await self._person_of(row)
            if caller is None:
                await self._store.end(row.session_id)
                raise unauthenticated()
            if _age_seconds(row.last_seen_at) >= _TOUCH_SECONDS:
                await self._touch(row)
        return Session(
            row.session_id, caller, row.signed_in_by, row.created_at, token_hash, _secret(token)
        )

    async def still_holds(self, session: Session) -> bool:
        """Whether a session that was found before is still open; looking keeps none awake."""
        row = await self._find(session.token_hash)
        if row is None:
            return False
        with acting_for(row.tenant_id):
            return await self._person_of(row) is not None

    async def end(self, session: Session) -> None:
        """Sign out."""
        await self._store.end(session.session_id)

    async def open(self, session: Session) -> Sequence[OpenSession]:
        """Who is signed in now: an administrator sees everybody, others themselves."""
        settings = self._settings
        return await self._store.open(
            session.caller.tenant_id,
            _reach(session),
            settings.idle_seconds_max,
            settings.seconds_max,
            OPEN_COUNT_MAX,
        )

    async def end_one(self, session: Session, session_id: uuid.UUID) -> None:
        """Sign somebody out who is listed by `open`.

        Raises:
            ControlFault: NOT_FOUND.
        """
        tenant_id = session.caller.tenant_id
        if not await self._store.end_one(tenant_id, session_id, _reach(session)):
            raise not_found("session, or it is over")

    async def end_others(self, session: Session) -> int:
        """Sign this person out everywhere but here; how many sessions that ends."""
        return await self._store.end_others(session.caller.key_id, session.session_id)

    async def sweep_forever(self) -> None:
        """Forget sessions that are over. Correctness needs no sweeper: every look asks the time."""

        async def sweep() -> float:
            await self._store.forget(2 * self._settings.seconds_max, _SWEEP_COUNT_MAX)
            return _SWEEP_SECONDS

        await sweep_forever(sweep, _SWEEP_SECONDS, self._metrics)

    async def _find(self, token_hash: bytes) -> SessionRow | None:
        settings = self._settings
        with acting_for_everybody():
            return await self._store.find(
                token_hash, settings.idle_seconds_max, settings.seconds_max
            )

    async def _person_of(self, row: SessionRow) -> Caller | None:
        caller = await self._keys.caller_of(row.tenant_id, row.key_id)
        return None if caller is None or caller.is_machine else caller

    async def _touch(self, row: SessionRow) -> None:
        try:
            await self._store.touch(row.session_id)
        except ControlFault:
            return  # A read-only database must not sign people out over a mere note.


def _reach(session: Session) -> uuid.UUID | None:
    """Whose sessions this one may see and end; None: everybody's of its tenant."""
    caller = session.caller
    return None if may(caller, frozenset({Permission.ADMIN})) else caller.key_id


def _hash(token: str) -> bytes:
    return hashlib.sha256(b"checkrein-session:" + token.encode()).digest()


def _secret(token: str) -> bytes:
    """What proofs are made with: neither the cookie nor what is stored gives it away."""
    return hashlib.sha256(b"checkrein-session-proof:" + token.encode()).digest()


def _age_seconds(at: datetime) -> float:
    return (datetime.now(UTC) - at).total_seconds()
