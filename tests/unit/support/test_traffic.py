"""Shows that the checks of the crash tests fail when something is lost, doubled or unrecorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from tests.support.control_api import StoredRecord
from tests.support.oracle import Understood
from tests.support.traffic import assert_every_effect_is_recorded_once, verify_chain


@dataclass
class KnownUpstream:
    """What an oracle would have understood."""

    paths: Sequence[str]

    def about(self, text: str) -> list[Understood]:
        seen = [Understood(1, "POST", "h", path, (), b"") for path in self.paths]
        return [request for request in seen if request.mentions(text)]


def chained(paths: Sequence[str]) -> list[StoredRecord]:
    """A sound chain of intents for these paths."""
    records: list[StoredRecord] = []
    previous = "0" * 64
    for seq, path in enumerate(paths, 1):
        fields = {"gateway": "g", "seq": seq, "prev": previous, "kind": "intent", "path": path}
        line = json.dumps(fields)
        records.append(StoredRecord("g", seq, line))
        previous = hashlib.sha256(line.encode()).hexdigest()
    return records


SOUND = chained(["/a1a", "/a2a", "/a3a"])
BROKEN = {
    "a record is missing": [SOUND[0], SOUND[2]],
    "the first is missing": SOUND[1:],
    "a record is there twice": [*SOUND, SOUND[2]],
    "a byte is changed": [SOUND[0], replace(SOUND[1], line=SOUND[1].line + " "), SOUND[2]],
    "two are exchanged": [
        SOUND[0],
        replace(SOUND[1], line=SOUND[2].line),
        replace(SOUND[2], line=SOUND[1].line),
    ],
}


@pytest.mark.parametrize("records", BROKEN.values(), ids=BROKEN.keys())
def test_broken_chain_is_found(records: list[StoredRecord]) -> None:
    """Every way to lose or change a record breaks the check."""
    with pytest.raises(AssertionError):
        verify_chain(records, "g")


def test_sound_chain_holds() -> None:
    """A sound chain passes, in whatever order its records are given."""
    assert len(verify_chain(reversed(SOUND), "g").fields) == len(SOUND)


UNSOUND = {
    "executed twice": (["/a1a", "/a1a"], {"a1a": 200}),
    "executed without an intent": (["/a9a"], {"a9a": None}),
    "told as done and never executed": ([], {"a2a": 200}),
}


@pytest.mark.parametrize(("paths", "told"), UNSOUND.values(), ids=UNSOUND.keys())
def test_unsound_effects_are_found(paths: list[str], told: dict[str, int | None]) -> None:
    """Each kind of broken promise fails the check."""
    chain = verify_chain(SOUND, "g")
    with pytest.raises(AssertionError):
        assert_every_effect_is_recorded_once(KnownUpstream(paths), chain, told)


def test_sound_effects_hold() -> None:
    """Executed once with an intent, or broken off before anything happened: both are fine."""
    chain = verify_chain(SOUND, "g")
    told = {"a1a": 200, "a2a": None, "a3a": None}
    assert_every_effect_is_recorded_once(KnownUpstream(["/a1a", "/a2a"]), chain, told)
