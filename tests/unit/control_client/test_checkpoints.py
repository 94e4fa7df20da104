"""A gateway keeps the checkpoints it was shown, and refuses what contradicts them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.control_client.checkpoints import EVIDENCE_FILES_MAX, SILENT_SECONDS_MAX, LogFollower
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.record.log.checkpoint import open_checkpoint
from gateway.record.log.signed_note import VerifierKey
from tests.support.fake_control_plane import (
    KEY,
    FakeControlPlane,
    Scripted,
    envelope,
    fake_control_plane,
)
from tests.support.fakes import FakeClock
from tests.support.log_server import LogServer

PATH = "/v1/log/checkpoint"
PATIENT, HASTY = 20.0, 0.2
"""Seconds for an answer: more than a busy machine needs, and little where none will come."""


class Watch:
    """A follower of a fake control plane, with all that it said."""

    def __init__(
        self, plane: FakeControlPlane, folder: Path, key: str = "", seconds: float = PATIENT
    ) -> None:
        settings = ControlSettings(api_url=plane.url, api_key=KEY, control_seconds_max=seconds)
        self.plane = plane
        self.folder = folder
        self.events: list[tuple[str, str]] = []
        self.clock = FakeClock()
        self.client = ControlPlaneClient(settings)
        self.follower = LogFollower(
            self.client, folder, key, self.clock, lambda *said: self.events.append(said)
        )

    async def show(self, answer: object) -> None:
        """Let the control plane show this, and ask."""
        self.plane.answers[PATH] = answer
        await self.follower.ask()

    @property
    def size(self) -> int:
        return 0 if self.follower.seen is None else self.follower.seen.checkpoint.size

    @property
    def evidence(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("refused-*"))]


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    """One that has seen five records of an honest log."""
    async with fake_control_plane() as plane:
        log = LogServer().grow(5)
        plane.answers["/v1/log"] = {"key": log.key}
        found = Watch(plane, tmp_path / "log")
        assert await found.follower.load()
        await found.show(log.answer(0))
        assert found.size == 5
        yield found
        await found.client.close()


def honest() -> LogServer:
    return LogServer().grow(5)


async def test_growth_is_followed_and_kept(watch: Watch) -> None:
    """Each step is asked for from the size before; the newest is on disk, with the pinned key."""
    log = honest()
    for count in (0, 1, 11, 3):
        before = len(log.leaves)
        await watch.show(log.grow(count).answer(before, f"at {count}"))
        assert watch.plane.calls[-1].query == {"since": str(before)}
        assert watch.size == len(log.leaves)
    assert watch.follower.describe() is None
    key = VerifierKey.parse((watch.folder / "key").read_text().strip())
    assert open_checkpoint((watch.folder / "checkpoint").read_text(), [key]).size == 20
    assert (watch.folder / "checkpoint").stat().st_mode & 0o777 == 0o600
    assert (watch.events, watch.evidence) == ([], [])


def _bad_proof() -> object:
    answer = honest().grow(6).answer(5)
    proof = answer["consistency"]
    assert isinstance(proof, list)
    return {**answer, "consistency": [proof[-1], *proof[1:]]}


LIES: dict[str, tuple[Callable[[], object], str]] = {
    "it has fewer records": (lambda: LogServer().grow(4).answer(4), "log.shrunk"),
    "it is empty again": (lambda: LogServer().answer(0), "log.shrunk"),
    "another root of the same size": (
        lambda: honest().fork(4).grow(1, "x").answer(5),
        "log.forked",
    ),
    "a longer one with another past": (
        lambda: honest().fork(3).grow(9, "x").answer(5),
        "log.forked",
    ),
    "growth without its proof": (
        lambda: {**honest().grow(6).answer(5), "consistency": []},
        "log.forked",
    ),
    "a proof with another hash": (_bad_proof, "log.forked"),
    "a proof of very many hashes": (
        lambda: {**honest().grow(1).answer(5), "consistency": ["QUFB"] * 1_000},
        "log.malformed",
    ),
    "a proof that is no base64": (
        lambda: {**honest().grow(1).answer(5), "consistency": ["*"]},
        "log.malformed",
    ),
    "a proof that is no list": (
        lambda: {**honest().grow(1).answer(5), "consistency": "QUFB"},
        "log.malformed",
    ),
    "another key of the same name": (
        lambda: LogServer(seed=b"\2" * 32).grow(6).answer(5),
        "log.other_key",
    ),
    "another tenant's log": (lambda: LogServer("ten_b").grow(6).answer(5), "log.other_key"),
    "no signature": (
        lambda: {"checkpoint": "checkrein/log/ten_a\n6\n", "consistency": []},
        "log.malformed",
    ),
    "a signature of other words": (
        lambda: {
            "checkpoint": honest().note().replace("ten_a\n5", "ten_a\n6"),
            "consistency": [],
        },
        "log.malformed",
    ),
    "a number for a checkpoint": (lambda: {"checkpoint": 7, "consistency": []}, "log.malformed"),
    "no checkpoint any more": (lambda: {"checkpoint": None, "consistency": []}, "log.malformed"),
}


@pytest.mark.parametrize(("lie", "code"), LIES.values(), ids=LIES.keys())
async def test_what_contradicts_what_was_seen_is_refused(
    watch: Watch, lie: Callable[[], object], code: str
) -> None:
    """It is told once, kept as evidence, and never taken for what was seen; the truth heals it."""
    shown = lie()
    for _ in range(2):
        await watch.show(shown)
    assert watch.size == 5
    ((event, detail),) = watch.events
    assert (event, detail.partition(":")[0]) == ("checkpoint_refused", code)
    assert "refused" in (watch.follower.describe() or "")
    (evidence,) = watch.evidence
    assert (evidence["code"], evidence["shown"]) == (code, shown)
    assert evidence["kept"] == (watch.folder / "checkpoint").read_text()
    await watch.show(honest().grow(1).answer(5))
    assert (watch.size, watch.follower.describe()) == (6, None)


async def test_a_log_that_can_not_prove_what_was_seen_is_asked_for_what_it_has(
    watch: Watch,
) -> None:
    """After a backup was restored: the real control plane proves nothing to who has seen more."""
    watch.plane.script.append(envelope(422, "INVALID_ARGUMENT"))
    await watch.show(LogServer().grow(3).answer(0))
    assert [call.query["since"] for call in watch.plane.calls[-2:]] == ["5", "0"]
    assert (watch.size, watch.evidence[0]["code"]) == (5, "log.shrunk")
    again = Watch(watch.plane, watch.folder.with_name("other"))
    assert await again.follower.load()
    await again.show(honest().answer(0))
    again.plane.script.append(envelope(422, "INVALID_ARGUMENT"))
    await again.show(honest().grow(3).answer(0))
    assert (again.size, again.evidence) == (5, [])
    await again.client.close()


@pytest.mark.parametrize("lie", ["another root of the same size", "another key of the same name"])
async def test_who_claims_that_nothing_can_be_proven_is_refused_for_what_it_shows(
    watch: Watch, lie: str
) -> None:
    """Or a fork would be hidden by one more lie."""
    made, code = LIES[lie]
    watch.plane.script.append(envelope(422, "INVALID_ARGUMENT"))
    await watch.show(made())
    assert (watch.size, [each["code"] for each in watch.evidence]) == (5, [code])
    assert "refused" in (watch.follower.describe() or "")


FAULTS: dict[str, Scripted] = {
    "gone": 503, "of no log": 404, "silent": "hang", "cut off": "cut", "garbage": "garbage",
    "a page": "html", "a list": "list", "a redirect": "redirect",
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_control_plane_that_fails_is_no_contradiction(
    watch: Watch, fault: Scripted
) -> None:
    """What was seen stays, nobody is accused; silence is told after half an hour."""
    seconds = HASTY if fault == "hang" else PATIENT
    again = Watch(watch.plane, watch.folder, seconds=seconds)
    assert await again.follower.load()
    watch.plane.script.append(fault)
    await again.follower.ask()
    assert watch.plane.script == []
    assert (again.size, again.events, again.follower.describe()) == (5, [], None)
    again.clock.advance(SILENT_SECONDS_MAX + 1)
    assert "half an hour" in (again.follower.describe() or "")
    await again.client.close()


async def test_an_endless_answer_is_not_read(watch: Watch) -> None:
    """An answer has its limit, whatever is in it."""
    await watch.show({"checkpoint": "x" * 300_000, "consistency": []})
    assert (watch.size, watch.evidence) == (5, [])


async def test_a_restart_remembers(watch: Watch) -> None:
    """A log that shrank while nobody looked is refused by the next run."""
    again = Watch(watch.plane, watch.folder)
    assert await again.follower.load()
    await again.show(LogServer().grow(2).answer(2))
    assert (again.size, len(again.evidence)) == (5, 1)
    await again.client.close()


DAMAGED: dict[str, tuple[str, str]] = {
    "the checkpoint": ("checkpoint", "checkrein/log/ten_a\n0\n"),
    "the key": ("key", "a key"),
    "the key, exchanged": ("key", LogServer(seed=b"\3" * 32).key),
}


@pytest.mark.parametrize(("name", "text"), DAMAGED.values(), ids=DAMAGED.keys())
async def test_what_was_kept_and_is_damaged_is_no_fresh_start(
    watch: Watch, name: str, text: str
) -> None:
    """Else whoever edits a file could have any history believed."""
    (watch.folder / name).write_text(text)
    again = Watch(watch.plane, watch.folder)
    assert not await again.follower.load()
    assert "remove it to begin anew" in (again.follower.describe() or "")
    await again.client.close()


async def test_a_given_key_is_the_only_one(watch: Watch, tmp_path: Path) -> None:
    """`CHECKREIN_LOG_KEY` pins the log before anything is seen of it."""
    mine = LogServer(seed=b"\2" * 32).grow(3)
    pinned = Watch(watch.plane, tmp_path / "other", mine.key)
    assert await pinned.follower.load()
    await pinned.show(honest().answer(0))
    assert (pinned.size, len(pinned.events)) == (0, 1)
    await pinned.show(mine.answer(0))
    assert pinned.size == 3
    await pinned.client.close()


async def test_evidence_does_not_fill_the_disk(watch: Watch) -> None:
    """A log that lies in turns leaves so many files and no more."""
    lies = [LogServer().grow(4).answer(4), LogServer(seed=b"\2" * 32).grow(6).answer(5)]
    for number in range(2 * EVIDENCE_FILES_MAX):
        await watch.show(lies[number % 2])
    assert len(watch.evidence) == EVIDENCE_FILES_MAX
