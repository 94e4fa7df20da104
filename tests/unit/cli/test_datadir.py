"""Where data lies, who holds it, and what is believed about a running stack."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.cli import datadir
from gateway.cli.datadir import (
    DataDir,
    Running,
    default_path,
    held,
    is_held,
    load_running,
    read_key,
    remove_state,
    write_state,
)
from gateway.cli.failures import CommandError

RUNNING = Running(
    proxy_url="http://agent:cr_agent_secret@127.0.0.1:3128",
    ca_file="/d/ca/ca.pem",
    ca_bundle_file="/d/ca/ca-bundle.pem",
    api_url="http://127.0.0.1:8080",
    metrics_url="http://127.0.0.1:9090/metrics",
    admin_key_file="/d/admin.key",
    tenant_id="t",
    data_dir="/d",
)

DEFAULTS = {
    "the variable wins": ({"CHECKREIN_DATA_DIR": "/x", "HOME": "/h"}, 0, "linux", "/x"),
    "root has no home that a database user can enter": (
        {"HOME": "/root"}, 0, "linux", "/var/lib/checkrein",
    ),
    "the desktop's convention": (
        {"HOME": "/h", "XDG_DATA_HOME": "/h/data"}, 1000, "linux", "/h/data/checkrein",
    ),
    "its default": ({"HOME": "/h"}, 1000, "linux", "/h/.local/share/checkrein"),
    "macOS": ({"HOME": "/h"}, 501, "darwin", "/h/Library/Application Support/checkrein"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "uid", "platform", "expected"), DEFAULTS.values(), ids=DEFAULTS.keys()
)
def test_default_place(
    environment: dict[str, str],
    uid: int,
    platform: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Data lies where the platform expects it, unless somebody says otherwise."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(datadir.sys, "platform", platform)

    assert default_path(environment) == Path(expected)


def test_a_second_holder_is_told_who_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the process and the proxy, what to do, and not the key in the proxy's URL."""
    monkeypatch.setattr(datadir, "LOCK_PATIENCE_SECONDS", 0)
    place = DataDir(tmp_path / "data")

    with held(place):
        write_state(place, RUNNING, {})
        with pytest.raises(CommandError) as caught, held(place):
            pass

    assert f"(pid {os.getpid()})" in caught.value.message
    assert "its proxy is http://127.0.0.1:3128" in caught.value.message
    assert "cr_agent_secret" not in caught.value.message
    assert "--data-dir" in caught.value.advice


def test_the_lock_ends_with_the_block(tmp_path: Path) -> None:
    """Afterwards the directory is free, and may be held again."""
    place = DataDir(tmp_path)

    with held(place):
        assert is_held(place)
    assert not is_held(place)
    with held(place):
        pass


def test_a_file_in_place_of_the_directory_is_said(tmp_path: Path) -> None:
    """A data directory that can't be one is an error of usage, in words."""
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(CommandError) as caught, held(DataDir(file)):
        pass

    assert caught.value.status == 2
    assert "can't be used" in caught.value.message


def test_what_a_stack_wrote_counts_only_while_it_runs(tmp_path: Path) -> None:
    """A checkrein.json that a crash left behind is not believed."""
    place = DataDir(tmp_path)

    with held(place):
        write_state(place, RUNNING, {"gateway": 1})
        assert load_running(place) == RUNNING
    assert place.state_file.exists()
    assert load_running(place) is None
    remove_state(place)
    assert not place.state_file.exists()


BAD_STATES = {
    "half of it": b'{"proxy_url": "x"',
    "no object": b"[]",
    "a field is missing": b'{"proxy_url": "http://a:b@c:1"}',
    "no text": b"\xff",
}


@pytest.mark.parametrize("content", BAD_STATES.values(), ids=BAD_STATES.keys())
def test_a_damaged_state_file_is_none(tmp_path: Path, content: bytes) -> None:
    """It is as if nothing ran; no command ends in a traceback."""
    place = DataDir(tmp_path)

    with held(place):
        place.state_file.write_bytes(content)
        assert load_running(place) is None


def test_the_state_file_is_for_its_owner(tmp_path: Path) -> None:
    """It holds an agent's key, so that nobody else may read it."""
    place = DataDir(tmp_path)

    write_state(place, RUNNING, {})

    assert place.state_file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [place.state_file]


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    """The directory is named, and how to name another."""
    with pytest.raises(CommandError) as caught:
        read_key(DataDir(tmp_path), "admin")

    assert "no admin key" in caught.value.message
    assert "--data-dir" in caught.value.advice
