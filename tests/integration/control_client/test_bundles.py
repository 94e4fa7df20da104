"""Bundles: what is taken, what is refused and changes nothing, what a restart still knows."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway import telemetry
from gateway.decide.envelope import NamedText
from gateway.model.errors import ConfigurationError
from tests.support.bundle_feed import (
    NOWHERE,
    STRANGER,
    Fed,
    content_of,
    fed_by,
    rules_of,
    sealed,
    tampered,
)
from tests.support.fake_control_plane import FakeControlPlane
from tests.support.fakes import FakeClock
from tests.support.policy_world import policy_text

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


async def test_the_current_bundle_decides_from_the_start(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Recorded with its revision and number, and told to the control plane with the next poll."""
    async with fed_by(publisher.url, tmp_path) as fed:
        assert fed.reason == "FROM_5"
        revision = content_of(5).revision
        assert fed.notes == [("policy_loaded", f"revision {revision}, bundle 5")]
        assert fed.feed.describe() == "bundle 5"
        assert telemetry.BUNDLE_SEQUENCE.value == 5
        await fed.until(lambda: len(publisher.calls) >= 3)
    polls = [call.query for call in publisher.calls if call.path == "/v1/bundles/current"]
    assert polls[0] == {"sequence": "0", "gatewayId": "gw_1"}
    assert polls[1] == {
        "sequence": "5", "gatewayId": "gw_1", "running": revision, "waitSeconds": "25",
    }  # fmt: skip


async def test_a_new_bundle_takes_its_place(publisher: FakeControlPlane, tmp_path: Path) -> None:
    """As one: mappers and policies; what its mappers name is known to its policies."""
    async with fed_by(publisher.url, tmp_path) as fed:
        rule = (
            "- {id: all, priority: 1, match: {action: browse_shop}, effect: BLOCK, reason: FROM_6}"
        )
        content = content_of(
            6, text=policy_text(rule), mappers=(NamedText("shop.yaml", OWN_MAPPER),)
        )
        publisher.set_bundle(6, sealed(content))
        await fed.until(lambda: fed.reason == "FROM_6")
        assert "browse_shop" in fed.keeper.ruleset.canonicalizer.vocabulary().actions
        before = fed.keeper.ruleset.canonicalizer
        publisher.set_bundle(7, sealed(replace(content_of(7), mappers=content.mappers)))
        await fed.until(lambda: fed.reason == "FROM_7")
        # The same mappers need not be read again.
        assert fed.keeper.ruleset.canonicalizer is before
        publisher.set_bundle(8, sealed(content_of(8)))
        await fed.until(lambda: fed.reason == "FROM_8")
        assert "browse_shop" not in fed.keeper.ruleset.canonicalizer.vocabulary().actions
        assert list((tmp_path / "bundle").glob("mappers-*")) == []


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
    publisher: FakeControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: int,
    offer: Callable[[], dict[str, str]],
    words: str,
) -> None:
    """The last good one decides on, also after a restart; it is shouted about once; a good one
    ends it."""
    async with fed_by(publisher.url, tmp_path) as fed:
        publisher.set_bundle(number, offer())
        await fed.until(lambda: fed.keeper.fault)
        count = len(publisher.calls)
        await fed.until(lambda: len(publisher.calls) > count + 3)
        assert words in str(fed.keeper.fault)
        assert fed.reason == "FROM_5"
        assert fed.events == ["policy_loaded", "policy_refused"]
        assert [each.levelname for each in caplog.records].count("ERROR") == 1
        assert telemetry.RULESET_REFUSED.value == 1
        async with fed_by(NOWHERE, tmp_path) as again:
            assert again.reason == "FROM_5"
        publisher.set_bundle(7, sealed(content_of(7)))
        await fed.until(lambda: fed.reason == "FROM_7")
        assert fed.keeper.fault is None
        assert telemetry.RULESET_REFUSED.value == 0


# --- without the control plane --------------------------------------------------------------------


async def test_no_bundle_at_all_means_no_policy(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Before the first one is published everything is refused; then it is taken at once."""
    publisher.bundle = None
    async with fed_by(publisher.url, tmp_path) as fed:
        assert fed.keeper.ruleset.bundle.policies == ()
        assert fed.feed.describe() is None
        publisher.set_bundle(1, sealed(content_of(1)))
        await fed.until(lambda: fed.reason == "FROM_1")


async def test_a_restart_starts_from_the_last_good_one(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Also while the control plane is away; kept for nobody else to read."""
    async with fed_by(publisher.url, tmp_path):
        pass
    for name in ("newest.json", "trust.json"):
        assert stat.S_IMODE((tmp_path / "bundle" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o700
    async with fed_by(NOWHERE, tmp_path) as fed:
        assert fed.reason == "FROM_5"
        assert fed.keeper.fault is None


async def test_an_older_one_is_refused_after_a_restart_too(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Though nothing runs, and although the older one lies on disk: the floor is remembered."""
    publisher.set_bundle(4, sealed(content_of(4)))
    async with fed_by(publisher.url, tmp_path):
        pass
    old = (tmp_path / "bundle" / "newest.json").read_text()
    publisher.set_bundle(5, sealed(content_of(5)))
    async with fed_by(publisher.url, tmp_path):
        pass
    (tmp_path / "bundle" / "newest.json").write_text(old)
    publisher.set_bundle(4, sealed(content_of(4)))
    async with fed_by(publisher.url, tmp_path) as fed:
        assert fed.reason == ""
        assert "bundle.older" in str(fed.keeper.fault)
        publisher.set_bundle(5, sealed(content_of(5)))
        await fed.until(lambda: fed.reason == "FROM_5")


DAMAGED = ("", "{", "[]", '{"payload": 3}')


@pytest.mark.parametrize("text", [None, *DAMAGED])
async def test_a_bundle_that_is_damaged_on_disk_is_fetched_anew(
    publisher: FakeControlPlane, tmp_path: Path, text: str | None
) -> None:
    """Without it nothing decides; and it is kept again."""
    async with fed_by(publisher.url, tmp_path):
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
    async with fed_by(publisher.url, tmp_path) as fed:
        assert fed.reason == "FROM_5"
        assert fed.keeper.fault is None
    assert kept.read_text() == whole


async def test_a_bundle_that_was_changed_on_disk_is_not_used(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """What lies on disk is verified as if it had just come."""
    async with fed_by(publisher.url, tmp_path):
        pass
    kept = tmp_path / "bundle" / "newest.json"
    kept.write_text(kept.read_text().replace("FROM_5", "FROM_6"))
    async with fed_by(NOWHERE, tmp_path) as fed:
        assert fed.reason == ""
        assert "bundle.signature" in str(fed.keeper.fault)


@pytest.mark.parametrize("text", [*DAMAGED, '{"publicKey": "x"}'])
async def test_damaged_trust_is_no_fresh_start(
    publisher: FakeControlPlane, tmp_path: Path, text: str
) -> None:
    """Trusting whatever key comes next would be: the gateway does not start, and says why."""
    async with fed_by(publisher.url, tmp_path):
        pass
    (tmp_path / "bundle" / "trust.json").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Fed(publisher.url, tmp_path, FakeClock())
    assert caught.value.code == "bundle.trust_unreadable"


async def test_a_bundle_that_can_not_be_kept_is_not_used(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Else a restart would go back behind it; it is taken once there is room."""
    async with fed_by(publisher.url, tmp_path) as fed:
        obstacle = tmp_path / "bundle" / "newest.json.new"
        obstacle.mkdir()
        publisher.set_bundle(6, sealed(content_of(6)))
        await fed.until(lambda: fed.keeper.fault)
        assert "bundle.not_kept" in str(fed.keeper.fault)
        assert fed.reason == "FROM_5"
        obstacle.rmdir()
        await fed.until(lambda: fed.reason == "FROM_6")


# --- a control plane that misbehaves --------------------------------------------------------------


async def test_trouble_changes_nothing_and_ends_by_itself(
    publisher: FakeControlPlane, tmp_path: Path
) -> None:
    """Whatever comes instead of a bundle, the last good one decides and the next good one comes."""
    async with fed_by(publisher.url, tmp_path) as fed:
        odd = [
            {},
            {"sequence": "5"},
            {"sequence": 9, "payload": None, "signature": None, "keyId": None},
            {"sequence": 6, "payload": 3, "signature": "x", "keyId": "y"},
            {"sequence": True},
        ]
        publisher.script = [500, "cut", "garbage", "html", "list", "redirect", 404]
        publisher.script += [web_json(each) for each in odd]
        publisher.set_bundle(6, sealed(content_of(6)))
        await fed.until(lambda: fed.reason == "FROM_6")
        assert publisher.script == []
        assert fed.events == ["policy_loaded", "policy_loaded"]


async def test_a_forced_look_does_not_wait(publisher: FakeControlPlane, tmp_path: Path) -> None:
    """What was refused is asked for again at once."""
    async with fed_by(publisher.url, tmp_path) as fed:
        publisher.set_bundle(6, tampered(content_of(6)))
        await fed.until(lambda: fed.keeper.fault)
        publisher.set_bundle(7, sealed(content_of(7)))
        fed.feed.force()
        await fed.until(lambda: fed.reason == "FROM_7")


def web_json(value: object) -> Any:
    from aiohttp import web

    return web.json_response(value)
