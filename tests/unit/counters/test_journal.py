"""The journal: what a crash leaves of the counters, and what happens when the disk fails."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from gateway.counters import entries
from gateway.counters import journal as journals
from gateway.counters.entries import encode_line
from gateway.counters.journal import NAME, Journal
from gateway.counters.ledger import Ledger
from gateway.counters.local import LocalLimits
from gateway.model.errors import LimitError
from gateway.model.limit import Reserved
from tests.support.fake_record import FaultyDisk
from tests.support.fakes import FakeClock
from tests.support.limits import SECOND, claim


class Life:
    """Lives of one gateway after another, on one disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.disk = FaultyDisk()
        self.store = self.begin()

    def begin(self) -> LocalLimits:
        self.store = LocalLimits.open(self.directory, self.clock, disk=self.disk)
        return self.store

    async def kill(self) -> LocalLimits:
        """End without a word, as the process does with -9: what is not written stays so."""
        journal = self.store._journal
        assert journal is not None
        flushing = journal._flushing
        if flushing is not None:
            flushing.cancel()
            await asyncio.wait({flushing})
        journal.give_back()
        return self.begin()

    async def restart(self) -> LocalLimits:
        await self.store.close()
        return self.begin()

    async def take(self, owner: str, held: int | None = None, **of: object) -> Reserved:
        now = self.clock.now()
        lapses_at = None if held is None else now + held * SECOND
        claims = (claim(now, **of),)  # type: ignore[arg-type]
        return await self.store.reserve(owner, claims, now, lapses_at)

    async def left(self, **of: object) -> int:
        """How many of three are left."""
        count = 0
        tokens = []
        while taken := (await self.take(f"reader-{count}", **of)).token:
            tokens.append(taken)
            count += 1
        for token in tokens:
            await self.store.release(token)
        return count


@pytest.fixture
async def life(tmp_path: Path) -> Life:
    return Life(tmp_path / "limits")


async def test_what_was_in_flight_at_a_crash_counts(life: Life) -> None:
    """Nobody knows whether it was sent, so it was."""
    await life.take("a")
    await life.kill()
    assert await life.left() == 2


async def test_it_counts_for_a_whole_window_from_the_restart(life: Life) -> None:
    """It may have happened until just before."""
    await life.take("a", seconds=60)
    life.clock.advance(50)
    await life.kill()
    life.clock.advance(50)
    assert await life.left(seconds=60) == 2
    life.clock.advance(11)
    assert await life.left(seconds=60) == 3


async def test_what_was_settled_and_given_back_is_remembered(life: Life) -> None:
    """After an orderly end, exactly."""
    tokens = [(await life.take(owner)).token for owner in "abc"]
    await life.store.settle(tokens[0])
    await life.store.release(tokens[1])
    await life.restart()
    assert await life.left() == 1


async def test_what_was_held_is_still_held(life: Life) -> None:
    """The question stands, so its share does, under the old token; until it lapses."""
    held = await life.take("a", held=100)
    await life.restart()
    assert await life.left() == 2
    assert (await life.take("a", held=100)) == held
    assert await life.store.start(held.token)
    second = await life.take("b", held=100)
    await life.restart()
    life.clock.advance(101)
    assert not await life.store.start(second.token)
    assert await life.left() == 2


async def test_an_owner_that_lapsed_and_took_again(life: Life) -> None:
    """Lapses are not written: the journal says so by what comes after."""
    await life.take("a", held=10)
    life.clock.advance(11)
    await life.take("a", held=10)
    await life.restart()
    assert await life.left() == 2
    assert (await life.take("a", held=10)).readings[0].used == 0


async def test_tokens_of_two_lives_differ(life: Life) -> None:
    """A late word about an old token means nothing."""
    old = (await life.take("a")).token
    await life.kill()
    new = (await life.take("b")).token
    assert new != old
    await life.store.release(old)
    assert await life.left() == 1


async def test_a_torn_last_line_is_nothing(life: Life) -> None:
    """It was being written when the power went: nobody was told that it was."""
    await life.take("a")
    await life.take("b")
    await life.store.close()
    file = life.directory / NAME
    whole = file.read_bytes()
    for cut in (1, 5, 20):
        file.write_bytes(whole[:-cut])
        life.begin()
        assert await life.left() == 2
        await life.store.close()


async def test_a_last_line_that_is_not_whole_inside_is_torn_too(life: Life) -> None:
    """Blocks of a file can reach the disk in any order."""
    await life.take("a")
    await life.take("b")
    await life.store.close()
    file = life.directory / NAME
    data = file.read_bytes()
    file.write_bytes(data[:-30] + b"\0" * 29 + b"\n")
    life.begin()
    assert await life.left() == 2


async def test_damage_in_the_middle_is_told(life: Life) -> None:
    """Somebody or something changed it: counting on would be guessing."""
    await life.take("a")
    await life.take("b")
    await life.store.close()
    file = life.directory / NAME
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(LimitError, match=r"line 1 of the journal .* is damaged: restore it, or"):
        life.begin()
    file.unlink()
    assert await life.begin().reserve("a", (claim(life.clock.now()),), life.clock.now(), None)


async def test_many_counters_are_told_in_many_lines(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line has a length that can be read at once; together they tell all."""
    monkeypatch.setattr(entries, "COUNTERS_PER_LINE", 3)
    for number in range(10):
        taken = await life.take(f"o-{number}", key=f"target:{number}")
        await life.store.settle(taken.token)
    await life.restart()
    await life.take("first")
    assert (life.directory / NAME).read_bytes().count(b"\n") == 4
    await life.restart()
    for number in range(10):
        assert await life.left(key=f"target:{number}") == 2


def test_what_was_lost_of_a_journal_counts() -> None:
    """An owner that takes anew though it was in flight: its end is missing, so it counts."""
    first, second = Ledger("a"), Ledger("b")
    lines = [entries.started("unknown")]
    for ledger in (first, second):
        token = ledger.reserve("o", [claim(0)], 0, None)[0].token
        reservation = ledger.find(token)
        assert reservation is not None
        lines.append(entries.taken(reservation))
    read = Ledger("c")
    entries.replay(lines, read, 5)
    assert len(list(read.reservations)) == 1
    taken, _ = read.reserve("x", [claim(5)], 5, None)
    assert taken.readings[0].used == 2


async def test_a_journal_of_another_version_is_not_read(life: Life) -> None:
    """What a later version wrote may mean something else."""
    life.directory.mkdir(exist_ok=True)
    line = encode_line([("v", 2)])
    (life.directory / NAME).write_bytes(line + encode_line([]))
    await life.store.close()
    with pytest.raises(LimitError, match=r"line 1 .* is damaged"):
        life.begin()
    (life.directory / NAME).write_bytes(encode_line([("?",)]) + encode_line([]))
    with pytest.raises(LimitError, match=r"line 1 .* is damaged"):
        life.begin()


async def test_one_process_has_a_journal(life: Life) -> None:
    """Two would count apart."""
    with pytest.raises(LimitError, match=r"limit\.journal_locked"):
        Journal.open(life.directory)
    await life.restart()


async def test_a_place_that_can_not_be_used(tmp_path: Path) -> None:
    """A file where the folder should be; a folder where the journal should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LimitError, match=r"limit\.journal_unwritable"):
        Journal.open(tmp_path / "file")
    (tmp_path / "limits" / NAME).mkdir(parents=True)
    with pytest.raises(LimitError, match=r"limit\.journal_unwritable"):
        LocalLimits.open(tmp_path / "limits", FakeClock())


FAULTS = {
    "the disk is full": {"fail_write": errno.ENOSPC, "torn_bytes": 7},
    "the disk does not sync": {"fail_sync": errno.EIO},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_what_is_not_on_disk_is_not_taken(life: Life, fault: dict[str, int]) -> None:
    """It is refused and given back; when the disk is well again, all is as it was."""
    kept = await life.take("kept", held=100)
    await life.take("a")
    for name, value in fault.items():
        setattr(life.disk, name, value)
    with pytest.raises(LimitError, match=r"limit\.journal_unwritable"):
        await life.take("b")
    assert "can't be written" in str(life.store.fault)
    with pytest.raises(LimitError):
        await life.store.start(kept.token)
    await life.store.release("unknown")
    life.disk.heal()
    assert await life.left() == 2
    assert life.store.fault is None
    await life.restart()
    assert await life.left() == 2


async def test_a_journal_that_was_changed_is_written_anew(life: Life) -> None:
    """Deleted, or longer than we left it: what we know is the truth."""
    await life.take("a")
    (life.directory / NAME).unlink()
    with pytest.raises(LimitError):
        await life.take("b")
    await life.take("c")
    with (life.directory / NAME).open("ab") as file:
        file.write(b"x")
    with pytest.raises(LimitError):
        await life.take("d")
    await life.take("d")
    await life.kill()
    assert await life.left() == 0


async def test_those_who_wait_share_a_sync(life: Life) -> None:
    """A hundred at once need a few, and each is on disk when it is told."""
    await life.take("first", most=1_000)
    before = life.disk.syncs
    await asyncio.gather(*(life.take(f"o-{n}", most=1_000) for n in range(100)))
    assert life.disk.syncs - before <= 3
    await life.kill()
    assert (await life.take("x", most=1_000)).readings[0].used == 101


async def test_a_journal_that_grew_is_written_anew(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays as long as what it tells of, and tells the same."""
    monkeypatch.setattr(journals, "JOURNAL_BYTES_MAX", 2_000)
    for number in range(200):
        taken = await life.take(f"o-{number}", most=1_000)
        await life.store.settle(taken.token)
    assert (life.directory / NAME).stat().st_size < 20_000
    await life.restart()
    assert (await life.take("x", most=1_000)).readings[0].used == 200


async def test_who_is_cut_off_takes_nothing(life: Life) -> None:
    """Cancelled before it is on disk: nobody will send it."""
    await life.take("a")
    life.disk.gate = threading.Event()
    task = asyncio.create_task(life.take("b"))
    while not life.disk.gate or life.disk.syncs < 2:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    life.disk.gate.set()
    life.disk.gate = None
    assert await life.left() == 2
    await life.restart()
    assert await life.left() == 2


async def test_a_bug_while_writing_blocks(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong, whoever waits is told."""
    await life.take("a")

    def fail(*_: object) -> bytes:
        raise ValueError

    monkeypatch.setattr(journals, "encode_line", fail)
    with pytest.raises(LimitError, match="input/output error"):
        await life.take("b")
    await life.take("b")


async def test_counters_without_a_journal_begin_with_the_process() -> None:
    """For those who need no more."""
    store = LocalLimits(FakeClock())
    taken = await store.reserve("a", (claim(0),), 0, 10**18)
    assert await store.start(taken.token)
    assert store.fault is None
    await store.close()
