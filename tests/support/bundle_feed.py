"""A gateway's feed of bundles without the gateway, and bundles to feed it with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.control_client.bundles import BundleFeed
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.counters.local import LocalLimits
from gateway.decide.bundle import Bundle
from gateway.decide.envelope import BundleContent, NamedText, seal_bundle
from gateway.journey.judge import Judge, Ruleset
from gateway.journey.reservations import Reservations
from gateway.rulesets.keeper import RulesetKeeper
from gateway.rulesets.settings import RulesetSettings
from tests.support.fake_control_plane import KEY
from tests.support.fake_world import FakeStops
from tests.support.fakes import FakeClock
from tests.support.policy_world import bundle_of, policy_text

NOWHERE = "http://127.0.0.1:1"
SIGNER, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SHIPPED = Canonicalizer.load([mappers_dir() / "stripe.yaml"])


def rules_of(number: int) -> str:
    """Policies that tell which bundle they came from."""
    return policy_text(f"- {{id: all, priority: 1, effect: BLOCK, reason: FROM_{number}}}")


def content_of(number: int, **changes: Any) -> BundleContent:
    text = changes.pop("text", rules_of(number))
    content = BundleContent(
        "tenant-1",
        number,
        bundle_of(text).revision,
        datetime(2026, 11, 21, tzinfo=UTC),
        (NamedText("own.yaml", text),),
    )
    return replace(content, **changes)


def sealed(content: BundleContent, key: Ed25519PrivateKey = SIGNER) -> dict[str, str]:
    found = seal_bundle(content, key)
    return {"payload": found.payload, "signature": found.signature, "keyId": found.key_id}


def tampered(content: BundleContent) -> dict[str, str]:
    found = sealed(content)
    return found | {"payload": found["payload"].replace("FROM_6", "FROM_9")}


class Fed:
    """A keeper that a feed gives bundles to."""

    def __init__(self, url: str, data_dir: Path, clock: FakeClock, **settings: Any) -> None:
        control = ControlSettings(
            api_url=url,
            api_key=KEY,
            control_seconds_max=20.0,
            directory_pause_seconds=0.0,
            retry_seconds_max=0.01,
            wait_retry_seconds_max=0.01,
        )
        self.client = ControlPlaneClient(control)
        self.feed = BundleFeed(
            self.client,
            control,
            RulesetSettings(**settings),
            data_dir / "bundle",
            "gw_1",
            lambda: [mappers_dir() / "stripe.yaml"],
            clock,
        )
        ruleset = Ruleset(SHIPPED, Bundle.empty())
        judge = Judge(ruleset, FakeStops(), Reservations(LocalLimits(clock)))
        self.notes: list[tuple[str, str]] = []
        self.keeper = RulesetKeeper(judge, lambda *note: self.notes.append(note))

    @property
    def reason(self) -> str:
        """The reason of the rule that is in force; empty without any."""
        policies = self.keeper.ruleset.bundle.policies
        return policies[0].rules[0].reason if policies else ""

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.notes]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def fed_by(
    url: str, data_dir: Path, clock: FakeClock | None = None, **settings: Any
) -> AsyncIterator[Fed]:
    found = Fed(url, data_dir, clock or FakeClock(), **settings)
    await found.feed.start(found.keeper)
    try:
        yield found
    finally:
        await found.feed.stop()
        await found.client.close()
