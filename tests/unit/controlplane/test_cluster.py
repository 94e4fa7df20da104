"""The cluster's files and how our own processes are told from strangers; no server needed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from pathlib import Path

import pytest

from controlplane.faults import StartError
from controlplane.store.binaries import Identity
from controlplane.store.cluster import (
    Cluster,
    Secrets,
    _is_server_command,
    disown_pid_file,
    load_secrets,
    lock_home,
    read_pid_file,
    scram_verifier,
)

MARK = b"checkrein-0123456789abcdef"

COMMANDS = {
    "the server": (b"/x/bin/postgres\0-D\0/d\0-c\0cluster_name=" + MARK + b"\0", True),
    "a child by its title": (b"postgres: " + MARK + b": checkpointer \0", True),
    "another cluster's server": (b"/x/bin/postgres\0-c\0cluster_name=checkrein-ffff\0", False),
    "another cluster's child": (b"postgres: checkrein-ffff: checkpointer \0", False),
    "a mark that only begins like ours": (b"postgres: " + MARK + b"0: walwriter \0", False),
    "a program that names the mark": (b"grep\0cluster_name=" + MARK + b"\0", False),
    "a program that only mentions it": (b"/bin/sh\0-c\0postgres: " + MARK + b":\0", False),
    "a kernel thread": (b"", False),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_only_our_own_servers_are_known(name: str):
    """A stranger is never taken for ours, so it is never signalled."""
    command, expected = COMMANDS[name]
    assert _is_server_command(command, MARK) is expected


PID_FILES = {
    "ready": ("12\n/d\n1\n5432\n/s\n\n 1 2\nready   \n", (12, "ready")),
    "starting": ("12\n/d\n1\n5432\n/s\n\n 1 2\nstarting\n", (12, "starting")),
    "just begun": ("12\n/d\n", (12, "")),
    "empty": ("", (0, "")),
    "nonsense": ("\0\0x\n", (0, "")),
    "negative": ("-1\n", (0, "")),
}


@pytest.mark.parametrize("name", PID_FILES)
def test_a_pid_file_is_read_or_means_nothing(tmp_path: Path, name: str):
    """Half a file and nonsense are no pid."""
    text, expected = PID_FILES[name]
    file = tmp_path / "postmaster.pid"
    file.write_text(text)
    assert read_pid_file(file) == expected
    assert read_pid_file(tmp_path / "none") == (0, "")


def _cluster(home: Path) -> Cluster:
    (home / "cluster").mkdir()
    return Cluster(home, Secrets("m", "a", "b", "c"), Identity(None, None), -1)


def test_a_disowned_pid_file_keeps_all_but_the_pid(tmp_path: Path):
    """The shared memory key stays: by it Postgres finds a server that still runs."""
    cluster = _cluster(tmp_path)
    cluster.pid_file.write_text("999999\n/d\n1\n5432\n/s\n\n 123 456\nready\n")
    disown_pid_file(cluster)
    assert cluster.pid_file.read_text() == f"{os.getpid()}\n/d\n1\n5432\n/s\n\n 123 456\nready\n"


def test_a_link_in_the_clusters_folder_is_not_followed(tmp_path: Path):
    """The folder belongs to Postgres's user; as root we must not write where it points."""
    cluster = _cluster(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("untouched\n")
    cluster.pid_file.symlink_to(victim)
    disown_pid_file(cluster)
    assert victim.read_text() == "untouched\n"


def test_secrets_are_made_once_and_never_shown(tmp_path: Path):
    """Mode 0600, the same again at the next start, nothing in a repr."""
    made = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert made.owner_password not in repr(made)
    assert len({made.superuser_password, made.owner_password, made.application_password}) == 3


def test_broken_secrets_are_told(tmp_path: Path):
    """Not replaced: the data could never be opened again."""
    (tmp_path / "secrets.json").write_text("{}")
    with pytest.raises(StartError, match="can't be read"):
        load_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == "{}"


def test_a_home_is_locked_once(tmp_path: Path):
    """The second is told; after the first lets go it is free."""
    lock = lock_home(tmp_path / "home")
    with pytest.raises(StartError, match="another control plane"):
        lock_home(tmp_path / "home")
    os.close(lock)
    os.close(lock_home(tmp_path / "home"))


def test_a_verifier_proves_the_password_it_was_made_of():
    """RFC 5803: checked here by the server's side of RFC 5802."""
    scheme, iterations_salt, keys = scram_verifier("hunter2").split("$")
    iterations, salt = iterations_salt.split(":")
    stored, server = (base64.b64decode(part) for part in keys.split(":"))
    salted = hashlib.pbkdf2_hmac("sha256", b"hunter2", base64.b64decode(salt), int(iterations))
    assert scheme == "SCRAM-SHA-256"
    assert stored == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert server == hmac.digest(salted, b"Server Key", "sha256")
    assert scram_verifier("hunter2") != scram_verifier("hunter2")
