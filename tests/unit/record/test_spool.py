"""The spool's files: what is durable, what a start finds, what a failed write leaves."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.model.errors import RecordError
from gateway.record.chain import ZERO_HASH, line_hash, seal, verify_chain
from gateway.record.spool import Spool, SpoolSettings
from tests.support.fake_record import FaultyDisk

SMALL = SpoolSettings(segment_bytes_max=600, spool_bytes_max=100_000, segments_kept=1)


@contextmanager
def opened(
    directory: Path, settings: SpoolSettings = SMALL, disk: FaultyDisk | None = None
) -> Iterator[Spool]:
    spool = Spool.open(directory, settings, disk)
    try:
        yield spool
    finally:
        spool.close()


def write(spool: Spool, count: int = 1, kind: str = "gateway", **fields: str) -> None:
    seq, head, lines = spool.last_seq, spool.head, b""
    for _ in range(count):
        seq += 1
        sealed = seal({"kind": kind, "event": "e" * 40, **fields}, spool.gateway_id, seq, head)
        head = sealed.hash
        lines += sealed.line + b"\n"
    spool.write(lines, count, head)


def everything(directory: Path) -> list[bytes]:
    paths = sorted(directory.glob("records-*.jsonl"))
    return [line for path in paths for line in path.read_bytes().splitlines()]


def newest(directory: Path) -> Path:
    return max(directory.glob("records-*.jsonl"))


def test_only_the_owner_reads_the_spool(tmp_path: Path) -> None:
    """Directory 0700, every file 0600."""
    with opened(tmp_path / "spool") as spool:
        write(spool)
        spool.acknowledge(1)
        assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()}
        assert modes == {0o600}


def test_a_gateway_keeps_its_name(tmp_path: Path) -> None:
    """Made once, kept in the spool; a given one must be the one that is kept."""
    with opened(tmp_path) as spool:
        name = spool.gateway_id
        assert name.startswith("gw_")
        assert len(name) == 19
    with opened(tmp_path) as spool:
        assert spool.gateway_id == name
    with pytest.raises(RecordError, match=f"belongs to gateway `{name}`, not to `gw_other`"):
        Spool.open(tmp_path, SpoolSettings(gateway_id="gw_other"))
    with opened(tmp_path / "b", SpoolSettings(gateway_id="mine")) as spool:
        assert spool.gateway_id == "mine"


def test_two_gateways_cannot_share_a_spool(tmp_path: Path) -> None:
    """Their chains would tear each other apart."""
    with opened(tmp_path), pytest.raises(RecordError) as caught:
        Spool.open(tmp_path, SMALL)
    assert caught.value.code == "record.spool_locked"
    with opened(tmp_path):
        pass


def test_a_start_continues_the_chain(tmp_path: Path) -> None:
    """Over several segments and several runs it is one chain."""
    for _ in range(3):
        with opened(tmp_path) as spool:
            write(spool, 4)
            write(spool, 3)
    lines = everything(tmp_path)
    assert len(list(tmp_path.glob("records-*.jsonl"))) > 2
    report = verify_chain(lines, first_seq=1)
    assert (report.last_seq, report.head) == (21, line_hash(lines[-1]))


TORN: dict[str, bytes] = {
    "half a line": b'{"event":"eee',
    "a whole line without its newline": b'{"event":"e"}',
    "a hole that a power loss left": b"\0" * 4096,
    "a hole with a line behind it": b"\0" * 100 + b'\n{"event":"e"}\n',
}


@pytest.mark.parametrize("what", TORN)
def test_a_torn_tail_is_cut(tmp_path: Path, what: str) -> None:
    """It was never acknowledged; the next line takes its place and the chain verifies."""
    with opened(tmp_path) as spool:
        write(spool, 3)
    with newest(tmp_path).open("ab") as file:
        file.write(TORN[what])
    with opened(tmp_path) as spool:
        assert spool.last_seq == 3
        assert spool.recovered.torn_bytes == len(TORN[what])
        write(spool)
    assert verify_chain(everything(tmp_path), first_seq=1).last_seq == 4


def test_a_segment_that_is_all_torn_goes(tmp_path: Path) -> None:
    """The head is in the segment before it."""
    with opened(tmp_path) as spool:
        write(spool, 4)
    (tmp_path / f"records-{5:020d}.jsonl").write_bytes(b'{"torn')
    with opened(tmp_path) as spool:
        assert spool.last_seq == 4
        write(spool)
    assert verify_chain(everything(tmp_path), first_seq=1).last_seq == 5


def test_damage_in_the_middle_stops_the_start(tmp_path: Path) -> None:
    """It was whole once: cutting it would destroy evidence. The sentence names file and record."""
    with opened(tmp_path) as spool:
        write(spool, 3)
    path = newest(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"eee", b"fff", 1) + lines[2])
    with pytest.raises(RecordError, match="is damaged: record 2 was changed") as caught:
        Spool.open(tmp_path, SMALL)
    assert caught.value.code == "record.corrupt"
    assert not caught.value.retryable


def test_records_that_are_gone_but_were_shipped_stop_the_start(tmp_path: Path) -> None:
    """Their seqs must not be used a second time."""
    with opened(tmp_path, SpoolSettings()) as spool:
        write(spool, 3)
        spool.acknowledge(3)
    path = newest(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(RecordError, match="ends at record 2, but the control plane has more"):
        Spool.open(tmp_path, SMALL)


FAULTS: dict[str, dict[str, int]] = {
    "the disk is full at once": {"fail_write": errno.ENOSPC},
    "the disk is full in the middle of a line": {"fail_write": errno.ENOSPC, "torn_bytes": 70},
    "the disk is full after whole lines": {"fail_write": errno.ENOSPC, "torn_bytes": 300},
    "the sync fails though all is written": {"fail_sync": errno.EIO},
    "the file system turned read-only": {"fail_write": errno.EROFS},
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_failed_write_leaves_no_trace(tmp_path: Path, what: str) -> None:
    """Seq and head stay; the same seqs are written again and the chain has no gap."""
    disk = FaultyDisk()
    with opened(tmp_path, SpoolSettings(), disk) as spool:
        write(spool, 2)
        before = (spool.last_seq, spool.head)
        for name, value in FAULTS[what].items():
            setattr(disk, name, value)
        for _ in range(3):
            with pytest.raises(OSError, match=r"E\w+"):
                write(spool, 2)
        assert (spool.last_seq, spool.head) == before
        disk.heal()
        write(spool, 3)
    assert verify_chain(everything(tmp_path), first_seq=1).last_seq == 5


def test_what_cannot_be_cut_is_not_written_over(tmp_path: Path) -> None:
    """While the torn rest can't be cut, every write fails."""
    disk = FaultyDisk(torn_bytes=70)
    with opened(tmp_path, SpoolSettings(), disk) as spool:
        write(spool)
        disk.fail_write = disk.fail_truncate = errno.EROFS
        with pytest.raises(OSError, match="EROFS"):
            write(spool)
        disk.fail_write = 0
        with pytest.raises(OSError, match="EROFS"):
            write(spool)
        disk.heal()
        write(spool)
    assert verify_chain(everything(tmp_path), first_seq=1).last_seq == 2


def test_a_new_segment_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    """The records in hand go into the next one that can."""
    disk = FaultyDisk()
    with opened(tmp_path, SMALL, disk) as spool:
        write(spool, 4)
        disk.fail_open = errno.ENOSPC
        with pytest.raises(OSError, match="ENOSPC"):
            write(spool)
        disk.heal()
        disk.fail_sync = errno.EIO
        with pytest.raises(OSError, match="EIO"):
            write(spool)
        disk.heal()
        write(spool)
    assert verify_chain(everything(tmp_path), first_seq=1).last_seq == 5


def test_a_deleted_or_cut_file_is_noticed(tmp_path: Path) -> None:
    """Writing on into a file that has no name, or lost lines, would be recording nothing."""
    with opened(tmp_path / "a", SpoolSettings()) as spool:
        write(spool)
        newest(tmp_path / "a").unlink()
        for reason in ("changed by somebody else", "No such file"):
            with pytest.raises(OSError, match=reason):
                write(spool)
    with opened(tmp_path / "b", SpoolSettings()) as spool:
        write(spool, 2)
        with newest(tmp_path / "b").open("r+b") as file:
            file.truncate(50)
        for reason in ("changed by somebody else", "lost records"):
            with pytest.raises(OSError, match=reason):
                write(spool)


def test_reading_follows_the_chain(tmp_path: Path) -> None:
    """From any position, over segments, within counts and bytes."""
    with opened(tmp_path) as spool:
        for _ in range(5):
            write(spool, 3)
        whole = everything(tmp_path)
        assert len(whole) == 15
        assert spool.read(0, 100, 10**6) == whole
        assert spool.read(15, 100, 10**6) == []
        assert spool.read(7, 4, 10**6) == whole[7:11]
        assert spool.read(11, 4, 10**6) == whole[11:15]
        assert spool.read(2, 2, 10**6) == whole[2:4]
        assert spool.read(0, 100, 1) == whole[:1]
        assert spool.read(3, 100, 2 * len(whole[3])) == whole[3:5]


def test_reading_in_steps_gives_every_line_once(tmp_path: Path) -> None:
    """As the shipper does it, while more is written."""
    with opened(tmp_path) as spool:
        got: list[bytes] = []
        for step in range(12):
            write(spool, 1 + step % 3)
            got += spool.read(len(got), 2, 10**6)
        while more := spool.read(len(got), 2, 10**6):
            got += more
        assert got == everything(tmp_path)


def test_acknowledged_segments_go(tmp_path: Path) -> None:
    """All but those that are kept, and never the one that holds the head."""
    with opened(tmp_path) as spool:
        for _ in range(6):
            write(spool, 4)
        spool.acknowledge(10)
        assert spool.acknowledged_seq == 10
        assert spool.first_seq == 5
        spool.acknowledge(24)
        assert spool.first_seq == 17
    with opened(tmp_path) as spool:
        assert (spool.acknowledged_seq, spool.last_seq) == (24, 24)
        write(spool)


def test_the_head_survives_a_torn_first_line_of_a_new_segment(tmp_path: Path) -> None:
    """Even when everything is acknowledged and nothing is to be kept."""
    settings = SpoolSettings(segment_bytes_max=600, spool_bytes_max=100_000, segments_kept=0)
    disk = FaultyDisk(torn_bytes=20)
    with opened(tmp_path, settings, disk) as spool:
        write(spool, 4)
        write(spool, 4)
        disk.fail_write = disk.fail_truncate = errno.ENOSPC
        with pytest.raises(OSError, match="ENOSPC"):
            write(spool)
        spool.acknowledge(8)
        head = spool.head
    with opened(tmp_path, settings) as spool:
        assert (spool.last_seq, spool.head) == (8, head)
        assert head != ZERO_HASH


@pytest.mark.parametrize("text", ["", "{", '{"seq":"x"}', '{"seq":-5}', "[]"])
def test_a_damaged_position_costs_a_second_sending(tmp_path: Path, text: str) -> None:
    """It never skips a record."""
    with opened(tmp_path) as spool:
        write(spool, 3)
        spool.acknowledge(2)
    (tmp_path / "acknowledged.json").write_text(text)
    with opened(tmp_path) as spool:
        assert spool.acknowledged_seq == 0


def test_the_position_is_kept(tmp_path: Path) -> None:
    """A start ships on from where the control plane is."""
    with opened(tmp_path) as spool:
        write(spool, 3)
        spool.acknowledge(2)
        assert json.loads((tmp_path / "acknowledged.json").read_text()) == {"seq": 2}
    with opened(tmp_path) as spool:
        assert spool.acknowledged_seq == 2


def test_open_intents_are_found_once(tmp_path: Path) -> None:
    """An intent without an outcome is reported until a `recovered` event says that it was."""
    with opened(tmp_path, SpoolSettings()) as spool:
        write(spool, kind="intent", decision_id="dec_1")
        write(spool, kind="intent", decision_id="dec_2")
        write(spool, kind="outcome", decision_id="dec_1")
    with opened(tmp_path, SpoolSettings()) as spool:
        assert list(spool.recovered.open_intents) == ["dec_2"]
        write(spool, kind="gateway", event="recovered")
    with opened(tmp_path, SpoolSettings()) as spool:
        assert not spool.recovered.open_intents


def test_settings_that_could_never_drain_are_refused() -> None:
    """A spool smaller than what it always keeps would stay full for ever."""
    with pytest.raises(ValueError, match="must hold segments_kept"):
        SpoolSettings(segment_bytes_max=1_000, spool_bytes_max=3_999, segments_kept=2)
    with pytest.raises(ValueError, match="gateway_id"):
        SpoolSettings(gateway_id="no/slash")
