"""The gateway's signed chain: its key is in it, heads prove it, a changed spool shows."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.model.errors import RecordError
from gateway.record.log.checkpoint import Checkpoint, open_checkpoint
from gateway.record.log.signed_note import NoteError, VerifierKey, open_note, split_note
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads
from gateway.record.spool import SpoolSettings
from tests.support.entries import an_outcome
from tests.support.fakes import FakeClock

SPOOL = SpoolSettings(gateway_id="gw_a", flush_seconds_max=0.001)


@asynccontextmanager
async def signing(directory: Path) -> AsyncIterator[tuple[Recorder, SignedHeads]]:
    recorder = Recorder.open(directory, SPOOL, FakeClock())
    try:
        heads = SignedHeads.open(recorder, FakeClock())
        await heads.start()
        try:
            yield recorder, heads
        finally:
            await heads.stop()
    finally:
        await recorder.close()


def lines_of(directory: Path) -> list[dict[str, object]]:
    found = sorted(directory.glob("records-*.jsonl"))
    return [json.loads(line) for path in found for line in path.read_bytes().splitlines()]


def kept_head(directory: Path, key: str) -> Checkpoint:
    note = (directory / "signed_head").read_text()
    return open_checkpoint(note, [VerifierKey.parse(key)])


async def test_a_chain_begins_with_the_key_that_signs_it(tmp_path: Path) -> None:
    """Announced once, with a proof that the key is held; the head at the end covers every line."""
    for _ in range(2):
        async with signing(tmp_path) as (recorder, heads):
            await recorder.append_durably(an_outcome("dec_1"))
            recorder.append(an_outcome("dec_2"))
    key = heads.keys.verifier_key
    first, *others = lines_of(tmp_path)
    assert (first["event"], first["detail"], first["seq"]) == ("signing_key", key, 1)
    proof = str(first["key_proof"])
    assert open_note(proof, [VerifierKey.parse(key)]) == key + "\n"
    assert all(line["kind"] == "outcome" for line in others)
    assert (tmp_path / "signing_key.pub").read_text() == key + "\n"
    assert (tmp_path / "signing_key").stat().st_mode & 0o777 == 0o600
    head = kept_head(tmp_path, key)
    assert (head.size, head.root.hex()) == (5, recorder.spool.head)


async def test_a_batch_is_signed_up_to_its_last_line(tmp_path: Path) -> None:
    """The head names the number and the hash of that line, under the gateway's own name."""
    async with signing(tmp_path) as (recorder, heads):
        await recorder.append_durably(an_outcome("dec_1"))
        (line,) = recorder.spool.read(1, 1, 1)
        note = heads.sign_batch(2, line)
        head = open_checkpoint(note, [VerifierKey.parse(heads.keys.verifier_key)])
        assert (head.origin, head.size) == ("checkrein/gateway/gw_a", 2)
        assert head.root.hex() == recorder.spool.head


async def test_a_rotated_key_is_vouched_for_by_the_old_one(tmp_path: Path) -> None:
    """In the chain, and in every head until the control plane took the new one."""
    async with signing(tmp_path) as (_, heads):
        old = heads.keys.verifier_key
    (tmp_path / "rotate_signing_key").touch()
    async with signing(tmp_path) as (_, heads):
        new = heads.keys.verifier_key
    assert new != old
    entry = lines_of(tmp_path)[-1]
    assert (entry["event"], entry["detail"]) == ("signing_key", new)
    for key in (old, new):
        assert open_note(str(entry["key_proof"]), [VerifierKey.parse(key)]) == new + "\n"
        assert kept_head(tmp_path, key).size == 2
    assert not (tmp_path / "rotate_signing_key").exists()
    async with signing(tmp_path) as (recorder, heads):
        await heads.forget_old_key()
        await recorder.append_durably(an_outcome("dec_1"))
    assert kept_head(tmp_path, new).size == 3
    with pytest.raises(NoteError):
        kept_head(tmp_path, old)
    assert [line["kind"] for line in lines_of(tmp_path)] == ["gateway", "gateway", "outcome"]


HALFWAY: dict[str, Callable[[Path], object]] = {
    "the new key is made and not announced": lambda spool: (spool / "signing_key.next").write_bytes(
        bytes(range(32))
    ),
    "the old key is moved and the new one is not in its place": lambda spool: (
        (spool / "signing_key.next").write_bytes(bytes(range(32))),
        (spool / "signing_key").rename(spool / "signing_key.old"),
    ),
    "the key was made and never announced": lambda spool: (spool / "signing_key.pub").unlink(),
}


@pytest.mark.parametrize("stopped", HALFWAY.values(), ids=HALFWAY.keys())
async def test_a_stop_in_the_middle_of_a_change_of_keys_is_made_good(
    tmp_path: Path, stopped: Callable[[Path], object]
) -> None:
    """The next start ends what was begun: the key in use is in the chain, and named by the file."""
    async with signing(tmp_path) as (_, heads):
        pass
    stopped(tmp_path)
    if (tmp_path / "signing_key.next").exists():
        (tmp_path / "signing_key.next").chmod(0o600)
    async with signing(tmp_path) as (_, heads):
        key = heads.keys.verifier_key
    assert lines_of(tmp_path)[-1]["detail"] == key
    assert (tmp_path / "signing_key.pub").read_text() == key + "\n"
    assert not (tmp_path / "signing_key.next").exists()
    assert kept_head(tmp_path, key).size == len(lines_of(tmp_path))


def _cut_last(spool: Path) -> None:
    (path,) = spool.glob("records-*.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _forge_last(spool: Path) -> None:
    """The last line is the one whose change no later line shows."""
    (path,) = spool.glob("records-*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"dec_2"', b'"dec_9"'))


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "the last line was cut off": (_cut_last, "the spool ends at record 2, but record 3 was signed"),
    "the last line was changed": (_forge_last, "record 3 in the spool is not the one that was"),
}


@pytest.mark.parametrize(("tamper", "says"), TAMPERED.values(), ids=TAMPERED.keys())
async def test_a_spool_that_is_not_what_was_signed_is_not_gone_on_with(
    tmp_path: Path, tamper: Callable[[Path], None], says: str
) -> None:
    """What the chain alone can't show."""
    async with signing(tmp_path) as (recorder, _):
        await recorder.append_durably(an_outcome("dec_1"))
        await recorder.append_durably(an_outcome("dec_2"))
    tamper(tmp_path)
    with pytest.raises(RecordError, match=says):
        async with signing(tmp_path):
            pass


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "it is cut short": lambda key: key.write_bytes(b"\0" * 31),
    "it is too long": lambda key: key.write_bytes(b"\0" * 33),
}


@pytest.mark.parametrize("damage", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_a_key_that_can_not_be_used_stops_the_start(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """A fresh one in its place would sign what nobody knows to be ours."""
    async with signing(tmp_path):
        pass
    damage(tmp_path / "signing_key")
    with pytest.raises(RecordError, match="no usable key"):
        async with signing(tmp_path):
            pass


async def test_what_a_kill_left_unsigned_is_signed_by_the_next_start(tmp_path: Path) -> None:
    """The kept head lags; what was durable behind it is verified at start, and then covered."""
    async with signing(tmp_path / "killed") as (recorder, heads):
        # The first head is kept by the task in its own time, and two can't write it at once.
        while not (tmp_path / "killed" / "signed_head").exists():
            await asyncio.sleep(0.01)
        await recorder.append_durably(an_outcome("dec_1"))
        heads.keep_newest()
        await recorder.append_durably(an_outcome("dec_2"))
        shutil.copytree(tmp_path / "killed", tmp_path / "left")  # as a kill leaves it
        key = heads.keys.verifier_key
    assert kept_head(tmp_path / "left", key).size == 2
    async with signing(tmp_path / "left"):
        pass
    head = kept_head(tmp_path / "left", key)
    assert head.size == len(lines_of(tmp_path / "left")) == 3


async def test_a_key_that_others_could_read_is_made_private_again(tmp_path: Path) -> None:
    """As volumes of a cluster open files to a group whenever they are mounted."""
    async with signing(tmp_path) as (_, heads):
        before = heads.keys.verifier_key
    (tmp_path / "signing_key").chmod(0o664)
    async with signing(tmp_path) as (_, heads):
        assert heads.keys.verifier_key == before
    assert (tmp_path / "signing_key").stat().st_mode & 0o777 == 0o600


async def test_a_head_that_is_no_head_of_ours_is_only_replaced(tmp_path: Path) -> None:
    """It proves nothing, and nothing is lost with it."""
    async with signing(tmp_path):
        pass
    (tmp_path / "signed_head").write_text("no note")
    async with signing(tmp_path) as (recorder, heads):
        await recorder.append_durably(an_outcome("dec_1"))
    assert kept_head(tmp_path, heads.keys.verifier_key).size == 2
    _, signatures = split_note((tmp_path / "signed_head").read_text())
    assert len(signatures) == 1
