"""Rules in files: every way in which they change is seen, and a bad file changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import telemetry
from gateway.content import mappers_dir
from gateway.counters.local import LocalLimits
from gateway.journey.judge import Judge, Ruleset
from gateway.journey.reservations import Reservations
from gateway.model.errors import ConfigurationError
from gateway.rulesets.files import RulesetFiles, load_marks
from gateway.rulesets.keeper import RulesetKeeper
from tests.support.fake_world import FakeStops
from tests.support.fakes import FakeClock
from tests.support.policy_world import policy_text

ALLOW = policy_text("- {id: all, priority: 1, effect: ALLOW}")
BLOCK = policy_text("- {id: all, priority: 1, effect: BLOCK, reason: NO}")
OTHER = policy_text("- {id: all, priority: 1, effect: ALLOW}", name="other")
BAD = policy_text("- {id: all, priority: one, effect: ALLOW}")

MAPPER = """\
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  operations:
    GET /v1/orders: {operation: shop.orders.list, action: %s, kind: read}
"""


class Watched:
    """A folder of policies, one of mappers, and what a keeper made of them."""

    def __init__(self, folder: Path, policies: Mapping[str, str]) -> None:
        self.policies, self.mappers = folder / "policies", folder / "mappers"
        for each in (self.policies, self.mappers):
            each.mkdir()
        for name, text in policies.items():
            self.write(text, name)
        self.map("list_orders")
        self.files = RulesetFiles(lambda: [self.policies], lambda: [self.mappers], 0.001)
        judge = Judge(self.files.load(), FakeStops(), Reservations(LocalLimits(FakeClock())))
        self.notes: list[tuple[str, str]] = []
        self.keeper = RulesetKeeper(judge, lambda *note: self.notes.append(note))
        self.first = self.keeper.ruleset

    def write(self, text: str, name: str = "own.yaml") -> None:
        (self.policies / name).write_text(text)

    def map(self, action: str) -> None:
        (self.mappers / "shop.yaml").write_text(MAPPER % action)

    @property
    def ruleset(self) -> Ruleset:
        return self.keeper.ruleset

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)

    async def until_changed(self) -> Ruleset:
        before = self.first
        await self.until(lambda: self.ruleset is not before)
        return self.ruleset


@asynccontextmanager
async def watched(folder: Path, **policies: str) -> AsyncIterator[Watched]:
    named = {f"{name}.yaml": text for name, text in policies.items()}
    found = Watched(folder, named or {"own.yaml": ALLOW})
    await found.files.start(found.keeper)
    try:
        yield found
    finally:
        await found.files.stop()


def in_place(found: Watched) -> None:
    found.write(BLOCK)


def replaced(found: Watched) -> None:
    new = found.policies / ".own.yaml.swp"
    new.write_text(BLOCK)
    new.replace(found.policies / "own.yaml")


def added(found: Watched) -> None:
    found.write(OTHER, "other.yml")


def same_size_and_time(found: Watched) -> None:
    """As a copy that keeps times does."""
    path = found.policies / "own.yaml"
    before = path.stat()
    text = path.read_text()
    path.write_text(text.replace("id: all", "id: any"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "a file is written in place": in_place,
    "a file is replaced by another": replaced,
    "a file is added": added,
    "a file of the same size and time": same_size_and_time,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_every_change_is_seen(tmp_path: Path, change: Callable[[Watched], None]) -> None:
    """The new rules decide, and are recorded with their revision."""
    async with watched(tmp_path) as found:
        change(found)
        ruleset = await found.until_changed()
        assert ruleset.bundle.revision != found.first.bundle.revision
        assert found.notes == [("policy_loaded", f"revision {ruleset.bundle.revision}")]
        # Catalogs that were read stay read.
        assert ruleset.canonicalizer is found.first.canonicalizer


async def test_a_file_is_removed(tmp_path: Path) -> None:
    """Its policy is gone with it."""
    async with watched(tmp_path, own=ALLOW, other=OTHER) as found:
        (found.policies / "other.yaml").unlink()
        ruleset = await found.until_changed()
        assert [policy.name for policy in ruleset.bundle.policies] == ["p"]


async def test_a_folder_of_links_that_is_turned_elsewhere(tmp_path: Path) -> None:
    """As Kubernetes changes a ConfigMap: the files are links through `..data`, which is swapped."""
    volume = tmp_path / "volume"
    for version, text in (("..1", ALLOW), ("..2", BLOCK)):
        (volume / version).mkdir(parents=True)
        (volume / version / "own.yaml").write_text(text)
    (volume / "..data").symlink_to("..1")
    (volume / "own.yaml").symlink_to("..data/own.yaml")
    files = RulesetFiles(lambda: [volume], lambda: [mappers_dir()], 0.001)
    judge = Judge(files.load(), FakeStops(), Reservations(LocalLimits(FakeClock())))
    keeper = RulesetKeeper(judge, lambda *_: None)
    before = keeper.ruleset
    await files.start(keeper)
    (volume / "..tmp").symlink_to("..2")
    (volume / "..tmp").replace(volume / "..data")
    async with asyncio.timeout(10):
        while keeper.ruleset is before:
            await asyncio.sleep(0.001)
    await files.stop()
    assert keeper.ruleset.bundle.policies[0].rules[0].reason == "NO"


async def test_a_changed_mapper_is_read_with_the_policies(tmp_path: Path) -> None:
    """Policies are checked against the names that the new mappers have."""
    async with watched(tmp_path) as found:
        found.map("show_orders")
        ruleset = await found.until_changed()
        assert ruleset.canonicalizer is not found.first.canonicalizer
        assert "show_orders" in ruleset.canonicalizer.vocabulary().actions
        assert ruleset.bundle.revision == found.first.bundle.revision


BROKEN = {
    "a policy that is none": (lambda found: found.write(BAD), "own.yaml:8:"),
    "half a file": (lambda found: found.write(ALLOW[:40] + ": ["), "own.yaml:"),
    "an empty folder": (
        lambda found: (found.policies / "own.yaml").unlink(), "there is no policy here",
    ),
    "a mapper that is none": (
        lambda found: (found.mappers / "shop.yaml").write_text("kind: Mapper"), "shop.yaml:",
    ),
    "a policy that names what no mapper makes any more": (
        lambda found: found.write(
            policy_text("- {id: all, priority: 1, match: {action: list_orderz}, effect: ALLOW}")
        ), "no mapper makes the action",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_bad_file_changes_nothing_and_is_shouted_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[Watched], None], words: str
) -> None:
    """Once in the log and the record, for as long as it lasts in readiness and a metric; mended,
    it is over."""
    async with watched(tmp_path) as found:
        change(found)
        await found.until(lambda: found.keeper.fault)
        assert words in str(found.keeper.fault)
        assert found.ruleset is found.first
        assert telemetry.RULESET_REFUSED.value == 1
        await asyncio.sleep(0.05)
        assert [event for event, _ in found.notes] == ["policy_refused"]
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        found.write(BLOCK)
        found.map("list_orders")
        await found.until_changed()
        await found.until(lambda: found.keeper.fault is None)
        assert found.ruleset.bundle.policies[0].rules[0].reason == "NO"
        assert telemetry.RULESET_REFUSED.value == 0


async def test_each_different_fault_is_shouted_about(tmp_path: Path) -> None:
    """The same one is not, however often the file is written."""
    async with watched(tmp_path) as found:
        for count, text in enumerate((BAD, BAD.replace("ALLOW", "ALOW"), BAD), 1):
            found.write(text)
            await found.until(lambda count=count: len(found.notes) == count)
            found.write(text)
            await asyncio.sleep(0.02)
        assert len(found.notes) == 3


async def test_what_was_there_before_is_good_again(tmp_path: Path) -> None:
    """Taken back, there is nothing new to record: the rules never changed."""
    async with watched(tmp_path) as found:
        found.write(BAD)
        await found.until(lambda: found.keeper.fault)
        found.write(ALLOW)
        await found.until(lambda: found.keeper.fault is None)
        assert [event for event, _ in found.notes] == ["policy_refused"]


async def test_a_file_that_is_still_being_written_is_no_fault(tmp_path: Path) -> None:
    """What changes while it is read is read again, and nothing is said about it."""
    async with watched(tmp_path) as found:
        read = found.files._read

        def read_while_it_is_written(**how: Any) -> Ruleset:
            found.files._read = read  # type: ignore[method-assign]
            try:
                return read(**how)
            finally:
                found.write(BLOCK)

        found.files._read = read_while_it_is_written  # type: ignore[method-assign]
        found.write(BAD)
        ruleset = await found.until_changed()
        assert ruleset.bundle.policies[0].rules[0].reason == "NO"
        assert [event for event, _ in found.notes] == ["policy_loaded"]


async def test_files_that_never_rest_are_taken_all_the_same(tmp_path: Path) -> None:
    """A clock that is written beside the policies keeps no policy out."""
    async with watched(tmp_path) as found:
        look, looks = found.files._look, iter(range(10**9))

        def look_at_a_clock() -> Any:
            policies, mappers = look()
            return (*policies, ("clock", next(looks), 0, 0, 0)), mappers

        found.files._look = look_at_a_clock  # type: ignore[method-assign]
        found.write(BLOCK)
        assert (await found.until_changed()).bundle.policies[0].rules[0].reason == "NO"


async def test_a_signal_reads_everything_again(tmp_path: Path) -> None:
    """Also where nothing seems to have changed."""
    async with watched(tmp_path) as found:
        found.files.force()
        ruleset = await found.until_changed()
        assert ruleset.canonicalizer is not found.first.canonicalizer


async def test_a_fault_of_ours_does_not_end_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged and counted, and looked again."""
    async with watched(tmp_path) as found:
        look, bugs = found.files._look, telemetry.BUGS.value

        def fail() -> Any:
            found.files._look = look  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        found.files._look = fail  # type: ignore[method-assign]
        await found.until(lambda: telemetry.BUGS.value > bugs)
        found.write(BLOCK)
        await found.until_changed()
    assert "looking for changed rules failed" in caplog.text


def test_a_bad_start_is_none(tmp_path: Path) -> None:
    """There are no older rules to keep."""
    with pytest.raises(ConfigurationError):
        Watched(tmp_path, {"own.yaml": BAD})


def test_swap_files_and_cases_of_editors_are_no_change(tmp_path: Path) -> None:
    """Hidden files are not looked at, nor is the folder's own time."""
    (tmp_path / "own.yaml").write_text(ALLOW)
    before = load_marks([tmp_path])
    (tmp_path / ".own.yaml.swp").write_text("x")
    assert load_marks([tmp_path]) == before
    (tmp_path / "catalogs").mkdir()
    (tmp_path / "catalogs" / "a.cat").write_text("x")
    assert load_marks([tmp_path], "catalogs") != load_marks([tmp_path])
