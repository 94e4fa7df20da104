"""Bundles: what is taken, what is refused and changes nothing, what a restart still knows."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import telemetry
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.control_client.bundles import BundleFeed
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.counters.local import LocalLimits
from gateway.decide.bundle import Bundle
from gateway.decide.envelope import BundleContent, NamedText, public_key_text, seal_bundle
from gateway.judge import Judge, Ruleset
from gateway.model.errors import ConfigurationError
from gateway.rulesets.keeper import RulesetKeeper
from gateway.rulesets.settings import RulesetSettings
from tests.support.fake_control_plane import KEY, FakeControlPlane, fake_control_plane
from tests.support.fake_world import FakeStops
from tests.support.fakes import FakeClock
from tests.support.policy_world import bundle_of, policy_text

NOWHERE = "http://127.0.0.1:1"
SIGNER, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SHIPPED = Canonicalizer.load([mappers_dir() / "stripe.yaml"])

OWN_MAPPER = """\
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  operations:
    GET /v1/orders: {operation: shop.orders.list, action: browse_shop, kind: read}
"""


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


@pytest.fixture
async def plane() -> AsyncIterator[FakeControlPlane]:
    """A control plane whose current bundle is the fifth."""
    async with fake_control_plane() as fake:
        fake.bundle_key = public_key_text(SIGNER.public_key())
        fake.set_bundle(5, sealed(content_of(5)))
        yield fake


class Fed:
    """A keeper that a feed gives bundles to."""

    def __init__(self, url: str, data_dir: Path, clock: FakeClock, **settings: Any) -> None:
        control = ControlSettings(
            api_url=url,
            api_key=KEY,
            control_seconds_max=0.5,
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
        judge = Judge(ruleset, FakeStops(), LocalLimits(clock))
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


async def test_the_current_bundle_decides_from_the_start(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Recorded with its revision and number, and told to the control plane with the next poll."""
    async with fed_by(plane.url, tmp_path) as fed:
        assert fed.reason == "FROM_5"
        revision = content_of(5).revision
        assert fed.notes == [("policy_loaded", f"revision {revision}, bundle 5")]
        assert fed.feed.describe() == "bundle 5"
        assert telemetry.BUNDLE_SEQUENCE._value.get() == 5
        await fed.until(lambda: len(plane.calls) >= 3)
    polls = [call.query for call in plane.calls if call.path == "/v1/bundles/current"]
    assert polls[0] == {"sequence": "0", "gatewayId": "gw_1"}
    assert polls[1] == {
        "sequence": "5", "gatewayId": "gw_1", "running": revision, "waitSeconds": "25",
    }  # fmt: skip


async def test_a_new_bundle_takes_its_place(plane: FakeControlPlane, tmp_path: Path) -> None:
    """As one: mappers and policies; what its mappers name is known to its policies."""
    async with fed_by(plane.url, tmp_path) as fed:
        rule = (
            "- {id: all, priority: 1, match: {action: browse_shop}, effect: BLOCK, reason: FROM_6}"
        )
        content = content_of(
            6, text=policy_text(rule), mappers=(NamedText("shop.yaml", OWN_MAPPER),)
        )
        plane.set_bundle(6, sealed(content))
        await fed.until(lambda: fed.reason == "FROM_6")
        assert "browse_shop" in fed.keeper.ruleset.canonicalizer.vocabulary().actions
        before = fed.keeper.ruleset.canonicalizer
        plane.set_bundle(7, sealed(replace(content_of(7), mappers=content.mappers)))
        await fed.until(lambda: fed.reason == "FROM_7")
        # The same mappers need not be read again.
        assert fed.keeper.ruleset.canonicalizer is before
        plane.set_bundle(8, sealed(content_of(8)))
        await fed.until(lambda: fed.reason == "FROM_8")
        assert "browse_shop" not in fed.keeper.ruleset.canonicalizer.vocabulary().actions
        assert list((tmp_path / "bundle").glob("mappers-*")) == []


def tampered(content: BundleContent) -> dict[str, str]:
    found = sealed(content)
    return found | {"payload": found["payload"].replace("FROM_6", "FROM_9")}


REFUSED: dict[str, tuple[int, Callable[[], dict[str, str]], str]] = {
    "one that was changed on its way": (6, lambda: tampered(content_of(6)), "bundle.signature"),
    "one that a stranger signed": (
        6, lambda: sealed(content_of(6), STRANGER), "bundle.key_changed",
    ),
    "one that a stranger signed in the signer's name": (
        6,
        lambda: sealed(content_of(6), STRANGER) | {"keyId": sealed(content_of(5))["keyId"]},
        "bundle.signature",
    ),
    "an older one": (4, lambda: sealed(content_of(4)), "bundle.older"),
    "an older one that is called newer": (6, lambda: sealed(content_of(4)), "bundle.older"),
    "another one with the same number": (
        6, lambda: sealed(content_of(5, text=rules_of(6))), "bundle.forked",
    ),
    "another tenant's": (
        6, lambda: sealed(content_of(6, tenant_id="tenant-2")), "bundle.other_tenant",
    ),
    "one that means something else here": (
        6, lambda: sealed(content_of(6, revision="0" * 64)), "bundle.revision",
    ),
    "one with a policy that is none": (
        6, lambda: sealed(content_of(6, documents=(NamedText("own.yaml", "kind: Policy"),))),
        "own.yaml:1:1",
    ),
    "one with a mapper that is none": (
        6, lambda: sealed(content_of(6, mappers=(NamedText("shop.yaml", "kind: Mapper"),))),
        "shop.yaml:1:1",
    ),
    "one without policies": (6, lambda: sealed(content_of(6, documents=())), "no policy here"),
    "no bundle at all": (
        6, lambda: sealed(content_of(6)) | {"payload": "{}"}, "bundle.signature",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("number", "offer", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_refused_changes_nothing(
    plane: FakeControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: int,
    offer: Callable[[], dict[str, str]],
    words: str,
) -> None:
    """The last good one decides on, also after a restart; it is shouted about once; a good one
    ends it."""
    async with fed_by(plane.url, tmp_path) as fed:
        plane.set_bundle(number, offer())
        await fed.until(lambda: fed.keeper.fault)
        count = len(plane.calls)
        await fed.until(lambda: len(plane.calls) > count + 3)
        assert words in str(fed.keeper.fault)
        assert fed.reason == "FROM_5"
        assert fed.events == ["policy_loaded", "policy_refused"]
        assert [each.levelname for each in caplog.records].count("ERROR") == 1
        assert telemetry.RULESET_REFUSED._value.get() == 1
        async with fed_by(NOWHERE, tmp_path) as again:
            assert again.reason == "FROM_5"
        plane.set_bundle(7, sealed(content_of(7)))
        await fed.until(lambda: fed.reason == "FROM_7")
        assert fed.keeper.fault is None
        assert telemetry.RULESET_REFUSED._value.get() == 0


# --- without the control plane --------------------------------------------------------------------


async def test_no_bundle_at_all_means_no_policy(plane: FakeControlPlane, tmp_path: Path) -> None:
    """Before the first one is published everything is refused; then it is taken at once."""
    plane.bundle = None
    async with fed_by(plane.url, tmp_path) as fed:
        assert fed.keeper.ruleset.bundle.policies == ()
        assert fed.feed.describe() is None
        plane.set_bundle(1, sealed(content_of(1)))
        await fed.until(lambda: fed.reason == "FROM_1")


async def test_a_restart_starts_from_the_last_good_one(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Also while the control plane is away; kept for nobody else to read."""
    async with fed_by(plane.url, tmp_path):
        pass
    for name in ("newest.json", "trust.json"):
        assert stat.S_IMODE((tmp_path / "bundle" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o700
    async with fed_by(NOWHERE, tmp_path) as fed:
        assert fed.reason == "FROM_5"
        assert fed.keeper.fault is None


async def test_an_older_one_is_refused_after_a_restart_too(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Though nothing runs, and although the older one lies on disk: the floor is remembered."""
    plane.set_bundle(4, sealed(content_of(4)))
    async with fed_by(plane.url, tmp_path):
        pass
    old = (tmp_path / "bundle" / "newest.json").read_text()
    plane.set_bundle(5, sealed(content_of(5)))
    async with fed_by(plane.url, tmp_path):
        pass
    (tmp_path / "bundle" / "newest.json").write_text(old)
    plane.set_bundle(4, sealed(content_of(4)))
    async with fed_by(plane.url, tmp_path) as fed:
        assert fed.reason == ""
        assert "bundle.older" in str(fed.keeper.fault)
        plane.set_bundle(5, sealed(content_of(5)))
        await fed.until(lambda: fed.reason == "FROM_5")


DAMAGED = ("", "{", "[]", '{"payload": 3}')


@pytest.mark.parametrize("text", [None, *DAMAGED])
async def test_a_bundle_that_is_damaged_on_disk_is_fetched_anew(
    plane: FakeControlPlane, tmp_path: Path, text: str | None
) -> None:
    """Without it nothing decides; and it is kept again."""
    async with fed_by(plane.url, tmp_path):
        pass
    kept = tmp_path / "bundle" / "newest.json"
    whole = kept.read_text()
    if text is None:
        kept.unlink()
    else:
        kept.write_text(text)
    async with fed_by(NOWHERE, tmp_path) as fed:
        assert fed.reason == ""
        assert "bundle.lost" in str(fed.keeper.fault)
    async with fed_by(plane.url, tmp_path) as fed:
        assert fed.reason == "FROM_5"
        assert fed.keeper.fault is None
    assert kept.read_text() == whole


async def test_a_bundle_that_was_changed_on_disk_is_not_used(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """What lies on disk is verified as if it had just come."""
    async with fed_by(plane.url, tmp_path):
        pass
    kept = tmp_path / "bundle" / "newest.json"
    kept.write_text(kept.read_text().replace("FROM_5", "FROM_6"))
    async with fed_by(NOWHERE, tmp_path) as fed:
        assert fed.reason == ""
        assert "bundle.signature" in str(fed.keeper.fault)


@pytest.mark.parametrize("text", [*DAMAGED, '{"publicKey": "x"}'])
async def test_damaged_trust_is_no_fresh_start(
    plane: FakeControlPlane, tmp_path: Path, text: str
) -> None:
    """Trusting whatever key comes next would be: the gateway does not start, and says why."""
    async with fed_by(plane.url, tmp_path):
        pass
    (tmp_path / "bundle" / "trust.json").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Fed(plane.url, tmp_path, FakeClock())
    assert caught.value.code == "bundle.trust_unreadable"


async def test_a_bundle_that_can_not_be_kept_is_not_used(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Else a restart would go back behind it; it is taken once there is room."""
    async with fed_by(plane.url, tmp_path) as fed:
        obstacle = tmp_path / "bundle" / "newest.json.new"
        obstacle.mkdir()
        plane.set_bundle(6, sealed(content_of(6)))
        await fed.until(lambda: fed.keeper.fault)
        assert "bundle.not_kept" in str(fed.keeper.fault)
        assert fed.reason == "FROM_5"
        obstacle.rmdir()
        await fed.until(lambda: fed.reason == "FROM_6")


# --- whose key ------------------------------------------------------------------------------------


async def test_the_first_key_is_trusted_and_no_other_after_it(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """A control plane that names another key is not believed, restarted or not."""
    async with fed_by(plane.url, tmp_path):
        pass
    plane.bundle_key = public_key_text(STRANGER.public_key())
    plane.set_bundle(6, sealed(content_of(6), STRANGER))
    async with fed_by(plane.url, tmp_path) as fed:
        await fed.until(lambda: fed.keeper.fault)
        assert "CHECKREIN_BUNDLE_PUBLIC_KEY" in str(fed.keeper.fault)
        assert fed.reason == "FROM_5"


async def test_a_configured_key_is_the_only_one(plane: FakeControlPlane, tmp_path: Path) -> None:
    """What the control plane names is not even asked for."""
    stranger = public_key_text(STRANGER.public_key())
    async with fed_by(plane.url, tmp_path, bundle_public_key=stranger) as fed:
        await fed.until(lambda: fed.keeper.fault)
        assert fed.reason == ""
        plane.set_bundle(6, sealed(content_of(6), STRANGER))
        await fed.until(lambda: fed.reason == "FROM_6")
    assert all(call.path != "/v1/bundles/key" for call in plane.calls)


async def test_a_key_is_exchanged_by_configuration(plane: FakeControlPlane, tmp_path: Path) -> None:
    """The floor stays where it was: the new key signs nothing older either."""
    async with fed_by(plane.url, tmp_path):
        pass
    key_file = tmp_path / "key"
    key_file.write_text(public_key_text(STRANGER.public_key()) + "\n")
    plane.set_bundle(4, sealed(content_of(4), STRANGER))
    async with fed_by(plane.url, tmp_path, bundle_public_key_file=str(key_file)) as fed:
        await fed.until(lambda: "bundle.older" in str(fed.keeper.fault))
        plane.set_bundle(6, sealed(content_of(6), STRANGER))
        await fed.until(lambda: fed.reason == "FROM_6")
    trust = json.loads((tmp_path / "bundle" / "trust.json").read_text())
    assert trust["publicKey"] == public_key_text(STRANGER.public_key())


async def test_a_bundle_that_is_refused_trusts_no_key(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Nothing is trusted before something that it signed is accepted."""
    plane.set_bundle(5, tampered(content_of(6)))
    async with fed_by(plane.url, tmp_path) as fed:
        await fed.until(lambda: fed.keeper.fault)
    assert not (tmp_path / "bundle" / "trust.json").exists()


WRONG_KEYS = {
    "no key": {"bundle_public_key": "nonsense"},
    "a file that is not there": {"bundle_public_key_file": "/nowhere/key"},
}


@pytest.mark.parametrize("settings", WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
async def test_a_key_that_is_none_stops_the_start(tmp_path: Path, settings: dict[str, str]) -> None:
    """It never means "trust whoever comes"."""
    with pytest.raises(ConfigurationError):
        Fed(NOWHERE, tmp_path, FakeClock(), **settings)


# --- for how long ---------------------------------------------------------------------------------


async def test_a_bundle_is_usable_for_as_long_as_it_was_confirmed(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """The time counts on over a restart, and begins anew when the control plane says so."""
    clock = FakeClock()
    at = clock.now()
    async with fed_by(plane.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == at + 60_000_000
    clock.advance(50)
    async with fed_by(NOWHERE, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == at + 60_000_000
    async with fed_by(plane.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        await fed.until(lambda: fed.keeper.ruleset.usable_until == at + 110_000_000)
    clock.advance(5)
    async with fed_by(NOWHERE, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == at + 110_000_000


async def test_a_refused_bundle_confirms_nothing(plane: FakeControlPlane, tmp_path: Path) -> None:
    """A control plane that has only bad bundles does not vouch for the old one."""
    clock = FakeClock()
    async with fed_by(plane.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        until = fed.keeper.ruleset.usable_until
        plane.set_bundle(6, tampered(content_of(6)))
        await fed.until(lambda: fed.keeper.fault)
        clock.advance(30)
        count = len(plane.calls)
        await fed.until(lambda: len(plane.calls) > count + 2)
        assert fed.keeper.ruleset.usable_until == until


async def test_a_clock_that_was_set_back_gives_no_more_time(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """A confirmation of the future counts from now."""
    clock = FakeClock()
    async with fed_by(plane.url, tmp_path, clock):
        pass
    clock.advance(-3_600)
    async with fed_by(NOWHERE, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == clock.now() + 60_000_000


async def test_zero_is_for_ever(plane: FakeControlPlane, tmp_path: Path) -> None:
    """By choice of the operator."""
    async with fed_by(plane.url, tmp_path, stale_seconds_max=0) as fed:
        assert fed.keeper.ruleset.usable_until is None


# --- a control plane that misbehaves --------------------------------------------------------------


async def test_trouble_changes_nothing_and_ends_by_itself(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Whatever comes instead of a bundle, the last good one decides and the next good one comes."""
    async with fed_by(plane.url, tmp_path) as fed:
        odd = [
            {},
            {"sequence": "5"},
            {"sequence": 9, "payload": None, "signature": None, "keyId": None},
            {"sequence": 6, "payload": 3, "signature": "x", "keyId": "y"},
            {"sequence": True},
        ]
        plane.script = [500, "cut", "garbage", "html", "list", "redirect", 404]
        plane.script += [web_json(each) for each in odd]
        plane.set_bundle(6, sealed(content_of(6)))
        await fed.until(lambda: fed.reason == "FROM_6")
        assert plane.script == []
        assert fed.events == ["policy_loaded", "policy_loaded"]


async def test_a_forced_look_does_not_wait(plane: FakeControlPlane, tmp_path: Path) -> None:
    """What was refused is asked for again at once."""
    async with fed_by(plane.url, tmp_path) as fed:
        plane.set_bundle(6, tampered(content_of(6)))
        await fed.until(lambda: fed.keeper.fault)
        plane.set_bundle(7, sealed(content_of(7)))
        fed.feed.force()
        await fed.until(lambda: fed.reason == "FROM_7")


def web_json(value: object) -> Any:
    from aiohttp import web

    return web.json_response(value)
