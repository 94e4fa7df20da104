"""Secrets of channels: sealed for their place, opened by the right key alone."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from controlplane.faults import ControlFault, StartError
from controlplane.services.secret_box import FILE, SecretBox, load_secret_box

CHANNEL = uuid.UUID(int=1)


def test_what_was_sealed_opens_again_and_is_never_sealed_alike():
    """Equal secrets of two channels can't be told to be equal."""
    box = SecretBox(os.urandom(32))
    sealed = box.seal(CHANNEL, {"password": "p"})
    assert box.open(CHANNEL, sealed) == {"password": "p"}
    assert box.seal(CHANNEL, {"password": "p"}) != sealed
    assert box.open(CHANNEL, None) == {}


def test_neither_another_key_nor_another_place_nor_a_changed_bit_opens_it():
    """Who can write into the database can't move a secret to a channel of their own."""
    box = SecretBox(os.urandom(32))
    sealed = box.seal(CHANNEL, {"password": "p"})
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for opener, place, text in (
        (SecretBox(os.urandom(32)), CHANNEL, sealed),
        (box, uuid.UUID(int=2), sealed),
        (box, CHANNEL, changed),
        (box, CHANNEL, b""),
    ):
        with pytest.raises(ControlFault) as caught:
            opener.open(place, text)
        assert caught.value.code == "channel.sealed"


def test_without_a_key_nothing_is_sealed():
    """Rather no channel than one whose secrets lie open."""
    with pytest.raises(ControlFault) as caught:
        load_secret_box(None, None).seal(CHANNEL, {"password": "p"})
    assert caught.value.code == "channel.no_key"


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path):
    """A second start reads it again; another file's key is another key."""
    sealed = load_secret_box(tmp_path, None).seal(CHANNEL, {"a": "b"})
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert load_secret_box(tmp_path, None).open(CHANNEL, sealed) == {"a": "b"}
    assert load_secret_box(None, tmp_path / FILE).open(CHANNEL, sealed) == {"a": "b"}


def test_a_file_that_is_no_key_ends_the_start(tmp_path: Path):
    """With what to do about it, and without its content."""
    bad = tmp_path / "bad"
    bad.write_text("not a key")
    for file in (bad, tmp_path / "missing"):
        with pytest.raises(StartError) as caught:
            load_secret_box(None, file)
        assert "not a key" not in caught.value.message
        assert caught.value.help
