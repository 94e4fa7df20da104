"""Whose bundles are taken, and for how long they decide without a word from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.decide.envelope import public_key_text
from gateway.model.errors import ConfigurationError
from tests.support.bundle_feed import (
    NOWHERE,
    STRANGER,
    Fed,
    content_of,
    fed_by,
    sealed,
    tampered,
)
from tests.support.fake_control_plane import FakeControlPlane
from tests.support.fakes import FakeClock

# --- whose key ------------------------------------------------------------------------------------


async def test_the_first_key_is_trusted_and_no_other_after_it(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """A control plane that names another key is not believed, restarted or not."""
    async with fed_by(publisher.url, tmp_path):
        pass
    publisher.bundle_key = public_key_text(STRANGER.public_key())
    publisher.set_bundle(6, sealed(content_of(6), STRANGER))
    async with fed_by(publisher.url, tmp_path) as fed:
        await fed.until(lambda: fed.keeper.fault)
        assert "CHECKREIN_BUNDLE_PUBLIC_KEY" in str(fed.keeper.fault)
        assert fed.reason == "FROM_5"


async def test_a_configured_key_is_the_only_one(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """What the control plane names is not even asked for."""
    stranger = public_key_text(STRANGER.public_key())
    async with fed_by(publisher.url, tmp_path, bundle_public_key=stranger) as fed:
        await fed.until(lambda: fed.keeper.fault)
        assert fed.reason == ""
        publisher.set_bundle(6, sealed(content_of(6), STRANGER))
        await fed.until(lambda: fed.reason == "FROM_6")
    assert all(call.path != "/v1/bundles/key" for call in publisher.calls)


async def test_a_key_is_exchanged_by_configuration(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """The floor stays where it was: the new key signs nothing older either."""
    async with fed_by(publisher.url, tmp_path):
        pass
    key_file = tmp_path / "key"
    key_file.write_text(public_key_text(STRANGER.public_key()) + "\n")
    publisher.set_bundle(4, sealed(content_of(4), STRANGER))
    async with fed_by(publisher.url, tmp_path, bundle_public_key_file=str(key_file)) as fed:
        await fed.until(lambda: "bundle.older" in str(fed.keeper.fault))
        publisher.set_bundle(6, sealed(content_of(6), STRANGER))
        await fed.until(lambda: fed.reason == "FROM_6")
    trust = json.loads((tmp_path / "bundle" / "trust.json").read_text())
    assert trust["publicKey"] == public_key_text(STRANGER.public_key())


async def test_a_bundle_that_is_refused_trusts_no_key(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Nothing is trusted before something that it signed is accepted."""
    publisher.set_bundle(5, tampered(content_of(6)))
    async with fed_by(publisher.url, tmp_path) as fed:
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
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """The time counts on over a restart, and begins anew when the control plane says so."""
    clock = FakeClock()
    at = clock.now()
    async with fed_by(publisher.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == at + 60_000_000
    clock.advance(50)
    async with fed_by(NOWHERE, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == at + 60_000_000
    async with fed_by(publisher.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        await fed.until(lambda: fed.keeper.ruleset.usable_until == at + 110_000_000)
    clock.advance(5)
    async with fed_by(NOWHERE, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == at + 110_000_000


async def test_a_refused_bundle_confirms_nothing(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """A control plane that has only bad bundles does not vouch for the old one."""
    clock = FakeClock()
    async with fed_by(publisher.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        until = fed.keeper.ruleset.usable_until
        publisher.set_bundle(6, tampered(content_of(6)))
        await fed.until(lambda: fed.keeper.fault)
        clock.advance(30)
        count = len(publisher.calls)
        await fed.until(lambda: len(publisher.calls) > count + 2)
        assert fed.keeper.ruleset.usable_until == until


async def test_a_clock_that_was_set_back_gives_no_more_time(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """A confirmation of the future counts from now."""
    clock = FakeClock()
    async with fed_by(publisher.url, tmp_path, clock):
        pass
    clock.advance(-3_600)
    async with fed_by(NOWHERE, tmp_path, clock, stale_seconds_max=60.0) as fed:
        assert fed.keeper.ruleset.usable_until == clock.now() + 60_000_000


async def test_a_clock_that_is_set_back_meanwhile_gives_no_more_time(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """While the control plane is gone, an hour less on the clock is not an hour more for rules that
    nobody vouches for; its next word ends that."""
    clock = FakeClock()
    async with fed_by(publisher.url, tmp_path, clock, stale_seconds_max=60.0) as fed:
        publisher.script = ["cut"] * 100_000
        clock.step(-3_600)
        clock.advance(59)
        count = len(publisher.calls)
        await fed.until(lambda: len(publisher.calls) > count + 2)
        assert (fed.keeper.ruleset.usable_until or 0) > clock.now()
        clock.advance(2)
        await fed.until(lambda: (fed.keeper.ruleset.usable_until or 0) < clock.now())
        publisher.script = []
        await fed.until(lambda: fed.keeper.ruleset.usable_until == clock.now() + 60_000_000)


async def test_zero_is_for_ever(publisher: FakeControlPlane, tmp_path: Path) -> None:
    """By choice of the operator."""
    async with fed_by(publisher.url, tmp_path, stale_seconds_max=0) as fed:
        assert fed.keeper.ruleset.usable_until is None
