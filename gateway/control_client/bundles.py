"""Rules from the control plane: fetched, verified, compiled, kept, and never older than before.

INVARIANT(bundle): what decides was signed by the trusted key, is this tenant's, and is not older
than any bundle that was ever accepted here, also after a restart. Whatever else is offered leaves
in force what is, and is shouted about.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.bundle_trust import (
    Trust,
    check_key_id,
    digest_of,
    load_trust,
    store_trust,
)
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.kept_file import load_kept, store_kept
from gateway.control_client.retry import FIRST_FETCH_SECONDS_MAX, pauses
from gateway.control_client.settings import ControlSettings
from gateway.decide.envelope import Sealed, open_bundle, parse_public_key
from gateway.journey.judge import Ruleset
from gateway.model.dataclass import dataclass
from gateway.model.errors import (
    BundleError,
    CheckreinError,
    ConfigurationError,
    ControlPlaneError,
    Problem,
)
from gateway.ports import Clock
from gateway.process.background import in_background
from gateway.process.tasks import end_tasks, wait_at_most
from gateway.rulesets.content import Mapped, load_content, remove_others
from gateway.rulesets.keeper import RulesetKeeper
from gateway.rulesets.settings import RulesetSettings

log = logging.getLogger(__name__)

CONFIRMATION_KEPT_SECONDS: Final = 30.0
"""How often the time of the last confirmation is written; a restart counts from what was."""

_MICROSECONDS: Final = 1_000_000
_NONE_YET: Final = "BUNDLE_NONE"


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A bundle that may be used, and what to remember of it."""

    ruleset: Ruleset
    mapped: Mapped
    trust: Trust


class BundleFeed:
    """`RulesetSource` of the control plane's bundles."""

    def __init__(
        self,
        client: ControlPlaneClient,
        control: ControlSettings,
        settings: RulesetSettings,
        folder: Path,
        gateway_id: str,
        own_mappers: Callable[[], Sequence[Path]],
        clock: Clock,
        mapped: Mapped | None = None,
    ) -> None:
        """`mapped` is what the own mappers make alone, where it is loaded already."""
        self._client = client
        self._control = control
        self._stale_seconds_max = settings.stale_seconds_max
        self._configured_key = _checked_key(settings.load_public_key())
        self._folder = folder
        self._gateway_id = gateway_id
        self._own_mappers = own_mappers
        self._clock = clock
        self._trust = load_trust(self._trust_path)
        self._running: Trust | None = None
        self._revision = ""
        self._mapped = mapped
        self._kept_at = float("-inf")
        self._vouched_until = float("inf")
        self._is_heard = False
        self._forced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, keeper: RulesetKeeper) -> None:
        """Take the bundle on disk, ask once for a newer one, and begin to follow. A control plane
        that is gone delays this by a few seconds and fails nothing."""
        await self._take_kept(keeper)
        try:
            async with asyncio.timeout(FIRST_FETCH_SECONDS_MAX):
                answer = await self._ask(0)
            self._is_heard = await self._take_answer(keeper, answer)
        except (ControlPlaneError, TimeoutError):
            log.warning("no bundle from the control plane yet; the one on disk is used, if any")
        self._task = asyncio.create_task(self._follow(keeper), name="bundles")

    async def stop(self) -> None:
        """Stop following."""
        await end_tasks([self._task])

    def force(self) -> None:
        """Ask again now, where the last answer was refused or none came."""
        self._forced.set()

    def describe(self) -> str | None:
        """See `RulesetSource.describe`."""
        running = self._running
        if running is None:
            return None
        said = f"bundle {running.sequence}"
        return said if self._is_heard else f"{said}, not confirmed by the control plane just now"

    # --- following --------------------------------------------------------------------------------

    async def _follow(self, keeper: RulesetKeeper) -> None:
        """Long-poll for ever. What was refused is asked for again with growing pauses."""
        control = self._control
        refused, lost = pauses(control.retry_seconds_max), pauses(control.wait_retry_seconds_max)
        code = ""
        while True:
            try:
                # Nobody waits for news of a bundle that is not confirmed: it may be stale.
                answer = await self._ask(self._wait_seconds if self._is_heard else 0)
                code, lost = "", pauses(control.wait_retry_seconds_max)
                self._is_heard = await self._take_answer(keeper, answer)
                if self._is_heard:
                    refused = pauses(control.retry_seconds_max)
                # A server that answers at once every time must not keep us busy.
                pause = control.directory_pause_seconds if self._is_heard else next(refused)
            except ControlPlaneError as error:
                before = code
                code = error.reason if isinstance(error, Rejected) else error.code
                self._is_heard = code == _NONE_YET
                if code != before:
                    log.warning("bundles not followed", extra={"code": code})
                pause = control.directory_pause_seconds if self._is_heard else next(lost)
            except Exception:
                log.exception("following the bundles failed")
                telemetry.BUGS.inc()
                self._is_heard, pause = False, next(lost)
            self._end_if_silent(keeper)
            await wait_at_most(self._forced, pause)
            self._forced.clear()

    @property
    def _wait_seconds(self) -> float:
        """How long a poll may wait: a bundle that is current must not become stale meanwhile."""
        wait_seconds = self._control.long_poll_seconds
        if not self._stale_seconds_max:
            return wait_seconds
        return min(wait_seconds, self._stale_seconds_max / 3)

    async def _ask(self, wait_seconds: float) -> Mapping[str, Any]:
        running = self._running
        sequence = 0 if running is None else running.sequence
        return await self._client.fetch_bundle(
            sequence, self._revision, self._gateway_id, wait_seconds
        )

    # --- taking -----------------------------------------------------------------------------------

    async def _take_answer(self, keeper: RulesetKeeper, answer: Mapping[str, Any]) -> bool:
        """Make the best of an answer; whether what runs now is what the control plane has.

        Raises:
            ControlPlaneError: `control.unreadable`, or the key could not be asked for.
        """
        sequence, sealed = parse_answer(answer)
        running = self._running
        if sealed is None:
            if running is None or running.sequence != sequence:
                raise ControlPlaneError("control.unreadable", "the bundle's number is not ours")
            await self._confirm(keeper)
            return True
        if running is not None and digest_of(sealed.payload) == running.digest:
            await self._confirm(keeper)
            return True
        key = await self._trusted_key()
        return await self._take(keeper, sealed, key)

    async def _take(
        self, keeper: RulesetKeeper, sealed: Sealed, key: str, kept: Trust | None = None
    ) -> bool:
        """Use a bundle; `kept` says what was remembered of the one that comes from the disk."""
        try:
            opened = await in_background(self._open, sealed, key, kept)
        except CheckreinError as error:
            keeper.refuse(error)
            return False
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            message = f"the bundle can't be kept on disk: {reason}"
            keeper.refuse(BundleError("bundle.not_kept", message))
            return False
        trust = opened.trust
        self._trust = self._running = trust
        self._mapped = opened.mapped
        self._revision = opened.ruleset.bundle.revision
        ruleset = replace(opened.ruleset, usable_until=self._usable_until(trust))
        keeper.adopt(ruleset, f", bundle {trust.sequence}")
        self._tell(trust)
        return True

    def _open(self, sealed: Sealed, key: str, kept: Trust | None) -> _Opened:
        """Verify, compile and keep a bundle. Slow: in a thread.

        It is kept before the floor is raised, so that there is always a bundle at the floor.
        """
        now = self._clock.now()
        confirmed_at = now if kept is None else min(now, kept.confirmed_at)
        check_key_id(sealed.key_id, key)
        content = open_bundle(sealed.payload, sealed.signature, parse_public_key(key))
        before = self._trust
        if before is not None:
            before.check(content, sealed.payload)
        ruleset, mapped = load_content(content, self._folder, self._own_mappers(), self._mapped)
        digest = digest_of(sealed.payload)
        trust = Trust(key, content.tenant_id, content.sequence, digest, confirmed_at)
        if kept is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            store_kept(self._kept_path, _text_of(sealed))
        if trust != kept:
            store_trust(self._trust_path, trust)
        remove_others(self._folder, content.sequence)
        return _Opened(ruleset, mapped, trust)

    async def _trusted_key(self) -> str:
        """The key that was configured, or trusted before; else the one that the control plane
        names, which is trusted from then on, once a bundle that it signed is accepted."""
        if self._configured_key:
            return self._configured_key
        if self._trust is not None:
            return self._trust.public_key
        return parse_key(await self._client.fetch_bundle_key())

    async def _take_kept(self, keeper: RulesetKeeper) -> None:
        """Start from the bundle on disk, verified as if it had just come."""
        trust = self._trust
        if trust is None:
            return
        try:
            sealed = _load_sealed(self._kept_path)
        except CheckreinError as error:
            keeper.refuse(error)
            return
        await self._take(keeper, sealed, self._configured_key or trust.public_key, trust)

    # --- confirmed --------------------------------------------------------------------------------

    async def _confirm(self, keeper: RulesetKeeper) -> None:
        """The control plane says that what runs is current."""
        assert self._running is not None
        trust = replace(self._running, confirmed_at=self._clock.now())
        self._trust = self._running = trust
        keeper.confirm(self._usable_until(trust))
        keeper.settle()
        self._tell(trust)
        now = self._clock.monotonic()
        if now - self._kept_at < CONFIRMATION_KEPT_SECONDS:
            return
        self._kept_at = now
        try:
            await in_background(store_trust, self._trust_path, trust)
        except OSError as error:
            log.warning("confirmation not kept on disk", extra={"detail": error.strerror})

    def _usable_until(self, trust: Trust) -> int | None:
        if not self._stale_seconds_max:
            return None
        until = trust.confirmed_at + int(self._stale_seconds_max * _MICROSECONDS)
        left_seconds = (until - self._clock.now()) / _MICROSECONDS
        self._vouched_until = self._clock.monotonic() + left_seconds
        return until

    def _end_if_silent(self, keeper: RulesetKeeper) -> None:
        """The time of day may be set back; how long nobody vouched for the rules is not."""
        if self._clock.monotonic() > self._vouched_until:
            keeper.confirm(0)

    def _tell(self, trust: Trust) -> None:
        telemetry.BUNDLE_SEQUENCE.set(trust.sequence)
        telemetry.BUNDLE_CONFIRMED.set(trust.confirmed_at / _MICROSECONDS)

    @property
    def _trust_path(self) -> Path:
        return self._folder / "trust.json"

    @property
    def _kept_path(self) -> Path:
        return self._folder / "newest.json"


def parse_answer(answer: Mapping[str, Any]) -> tuple[int, Sealed | None]:
    """The number of the current bundle, and the bundle, None where we have it.

    Raises:
        ControlPlaneError: `control.unreadable`.
    """
    sequence = answer.get("sequence")
    texts = [answer.get(name) for name in ("payload", "signature", "keyId")]
    if not isinstance(sequence, int) or isinstance(sequence, bool):
        raise _unreadable()
    if all(text is None for text in texts):
        return sequence, None
    return sequence, _sealed(texts)


def parse_key(answer: Mapping[str, Any]) -> str:
    """The key that the control plane names.

    Raises:
        ControlPlaneError: `control.unreadable`.
    """
    text = answer.get("publicKey")
    try:
        parse_public_key(str(text))
    except BundleError as error:
        raise _unreadable() from error
    return str(text)


def _sealed(texts: Sequence[object]) -> Sealed:
    payload, signature, key_id = texts
    if not (isinstance(payload, str) and isinstance(signature, str) and isinstance(key_id, str)):
        raise _unreadable()
    return Sealed(payload, signature, key_id)


def _text_of(sealed: Sealed) -> str:
    kept = {"payload": sealed.payload, "signature": sealed.signature, "keyId": sealed.key_id}
    return json.dumps(kept)


def _load_sealed(path: Path) -> Sealed:
    try:
        text = load_kept(path)
        kept = {} if text is None else json.loads(text)
        return _sealed([kept[name] for name in ("payload", "signature", "keyId")])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ControlPlaneError) as error:
        raise BundleError("bundle.lost", "the bundle on disk can't be read") from error


def _checked_key(text: str) -> str:
    """The configured key, if any.

    Raises:
        ConfigurationError: it is none.
    """
    if not text:
        return ""
    try:
        parse_public_key(text)
    except BundleError as error:
        problem = Problem("CHECKREIN_BUNDLE_PUBLIC_KEY", 0, 0, error.message, "")
        raise ConfigurationError("bundle.key", [problem]) from error
    return text


def _unreadable() -> ControlPlaneError:
    return ControlPlaneError("control.unreadable", "the bundle's answer can't be understood")
