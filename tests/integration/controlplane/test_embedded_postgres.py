"""The private Postgres: it starts anywhere, leaves nothing behind, and harms no stranger."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest

from controlplane.faults import StartError
from controlplane.store import binaries
from controlplane.store.binaries import Identity, choose_identity, find_binaries
from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings, Role

REPOSITORY = Path(__file__).parents[3]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to drop to another user")


@asynccontextmanager
async def running(folder: Path, **settings: float) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "pg", folder / "pg.log", PostgresSettings(**settings))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: EmbeddedPostgres, statement: str, role: Role = Role.SUPERUSER):
    connection = await asyncpg.connect(**server.endpoint(role, "postgres").arguments())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def servers_of(folder: Path) -> list[int]:
    """Pids of postgres processes whose binaries' mark is the one in `folder`."""
    mark = (folder / "pg" / "secrets.json").read_text().split('"')[3].encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and mark in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_gone(folder: Path, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while servers_of(folder):
        assert time.monotonic() < deadline, "postgres outlived its supervisor"
        time.sleep(0.02)


async def test_it_keeps_data_over_a_restart_and_listens_on_its_socket_only(tmp_path: Path):
    """Below pytest's private folders, which only root may enter."""
    async with running(tmp_path) as server:
        await ask(server, "create table kept (x int)")
        assert await ask(server, "show listen_addresses") == ""
        assert await ask(server, "show fsync") == "on"
        assert await ask(server, "show data_checksums") == "on"
    assert servers_of(tmp_path) == []
    async with running(tmp_path) as server:
        assert await ask(server, "select count(*) from kept") == 0


@as_root
async def test_as_root_it_runs_as_another_user_and_opens_no_folder(tmp_path: Path):
    """Not uid 0, not `nobody`; every permission above our folder is as it was."""
    parents = [tmp_path, *tmp_path.parents]
    before = {folder: folder.stat().st_mode for folder in parents}
    async with running(tmp_path) as server:
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner not in {0, 65_534}
        assert (tmp_path / "pg" / "cluster").stat().st_uid == owner
        groups = Path(f"/proc/{server.pid}/status").read_text()
        assert "\nGroups:\t \n" in groups or f"\nGroups:\t{owner} \n" in groups
    assert {folder: folder.stat().st_mode for folder in parents} == before
    assert stat.S_IMODE((tmp_path / "pg").stat().st_mode) == 0o700


async def test_secrets_are_private_and_no_argument_or_environment_carries_one(tmp_path: Path):
    """What `ps` and /proc show holds no password."""
    async with running(tmp_path) as server:
        file = tmp_path / "pg" / "secrets.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        secrets = file.read_text().split('"')[7::4]
        assert len(secrets) == 3
        for pid in servers_of(tmp_path):
            shown = Path(f"/proc/{pid}/cmdline").read_bytes()
            shown += Path(f"/proc/{pid}/environ").read_bytes()
            assert not any(secret.encode() in shown for secret in secrets)
        assert server.endpoint(Role.OWNER, "x").password not in repr(
            server.endpoint(Role.OWNER, "x")
        )
        assert not list((tmp_path / "pg").rglob("password"))


async def test_a_wrong_password_is_refused(tmp_path: Path):
    """Also over the socket, also for root."""
    async with running(tmp_path) as server:
        arguments = server.endpoint(Role.SUPERUSER, "postgres").arguments()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(**{**arguments, "password": "wrong"})


async def test_a_killed_server_is_started_again(tmp_path: Path):
    """The supervisor notices, and what was committed is there."""
    async with running(tmp_path) as server:
        await ask(server, "create table kept (x int)")
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while True:
            try:
                assert await ask(server, "select count(*) from kept") == 0
                break
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        assert server.pid not in {None, first}


SUPERVISOR = """
import asyncio, os, sys
from pathlib import Path
from controlplane.store.embedded import EmbeddedPostgres
async def main():
    folder = Path(sys.argv[1])
    server = EmbeddedPostgres(folder / "pg", folder / "pg.log")
    await server.start()
    print("ready", server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def start_supervisor(folder: Path) -> subprocess.Popen[str]:
    """A control plane's worth of supervisor in its own process, ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("ready"):
        process.kill()
        pytest.fail(process.communicate()[1])
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=10)


async def test_a_killed_supervisor_leaves_no_server_and_the_next_start_recovers(tmp_path: Path):
    """SIGKILL: no handler of ours runs; the kernel ends Postgres."""
    process = start_supervisor(tmp_path)
    assert servers_of(tmp_path)
    end(process)
    wait_gone(tmp_path)
    async with running(tmp_path) as server:
        assert await ask(server, "select 1") == 1


async def test_a_start_right_after_a_kill_waits_for_the_old_server(tmp_path: Path):
    """Not a moment in between: five times in a row."""
    for _ in range(5):
        end(start_supervisor(tmp_path))
    async with running(tmp_path) as server:
        assert await ask(server, "select 1") == 1


async def test_an_orphan_that_stays_is_ended(tmp_path: Path):
    """Where the kernel does not end it (stopped here; no such signal on macOS), the next start
    does: the lock proves that nobody supervises it."""
    process = start_supervisor(tmp_path)
    pid = int((tmp_path / "pg" / "cluster" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGSTOP)
    end(process)
    assert pid in servers_of(tmp_path)

    async def go_on_later() -> None:
        await asyncio.sleep(0.3)
        os.kill(pid, signal.SIGCONT)

    waking = asyncio.create_task(go_on_later())
    async with running(tmp_path, old_server_grace_seconds=0.1) as server:
        assert await ask(server, "select 1") == 1
        assert server.pid != pid
    await waking


async def test_a_second_supervisor_is_told_and_the_first_goes_on(tmp_path: Path):
    """One data directory, one supervisor."""
    async with running(tmp_path) as server:
        second = EmbeddedPostgres(tmp_path / "pg", tmp_path / "pg.log")
        with pytest.raises(StartError, match="another control plane"):
            await second.start()
        assert await ask(server, "select 1") == 1


STALE = {
    "a process that is gone": "gone",
    "a stranger with the old number": "stranger",
    "nothing at all": "empty",
    "nonsense": "nonsense",
}


@pytest.mark.parametrize("name", STALE)
async def test_a_stale_pid_file_neither_stops_the_start_nor_hurts_anybody(
    tmp_path: Path, name: str
):
    """After a restart of a container the old number belongs to somebody else."""
    end(start_supervisor(tmp_path))
    wait_gone(tmp_path)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        file = tmp_path / "pg" / "cluster" / "postmaster.pid"
        lines = file.read_text().splitlines() if file.exists() else ["1", "x", "1", "5432"]
        texts = {
            "gone": "\n".join(["4194303", *lines[1:]]),
            "stranger": "\n".join([str(stranger.pid), *lines[1:]]),
            "empty": "",
            "nonsense": "\0\0not a pid\n",
        }
        file.write_text(texts[STALE[name]])
        async with running(tmp_path) as server:
            assert await ask(server, "select 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_half_a_cluster_is_none(tmp_path: Path):
    """Killed in the middle of initdb: the next start begins anew."""
    (tmp_path / "pg" / "cluster.new" / "base").mkdir(parents=True)
    (tmp_path / "pg" / "cluster.new" / "PG_VERSION").write_text("18\n")
    async with running(tmp_path) as server:
        assert await ask(server, "select 1") == 1


@pytest.mark.parametrize("beyond", [1, 100])
async def test_a_path_longer_than_a_socket_address_works(tmp_path: Path, beyond: int):
    """The server gets open folders instead of paths; clients use the folder's short name. Also
    where only the socket's own name is too much."""
    folder = tmp_path
    left = 107 + beyond - len(os.fsencode(tmp_path / "pg" / "socket" / ".s.PGSQL.5432"))
    while left > 1:
        name = "x" * min(left - 1, 200)
        folder, left = folder / name, left - len(name) - 1
    folder.mkdir(parents=True, exist_ok=True)
    async with running(folder) as server:
        assert await ask(server, "select 1") == 1


async def test_lost_secrets_are_told_and_nothing_is_overwritten(tmp_path: Path):
    """New passwords would lock the data out for good."""
    async with running(tmp_path):
        pass
    (tmp_path / "pg" / "secrets.json").unlink()
    with pytest.raises(StartError, match="is missing") as caught:
        async with running(tmp_path):
            pass
    assert "backup" in caught.value.help
    assert not (tmp_path / "pg" / "secrets.json").exists()


async def test_a_cluster_that_can_not_start_says_why(tmp_path: Path):
    """Postgres's own last complaint is in the sentence, the log's place in the help."""
    async with running(tmp_path):
        pass
    (tmp_path / "pg" / "cluster" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StartError, match="incompatible") as caught:
        async with running(tmp_path):
            pass
    assert "pg.log" in caught.value.help


async def test_the_log_is_cut_when_it_grows(tmp_path: Path):
    """One older part is kept beside it."""
    async with running(tmp_path, log_bytes_max=1000):
        with (tmp_path / "pg.log").open("a") as stream:
            stream.write("x" * 5000)
        deadline = time.monotonic() + 10
        while (tmp_path / "pg.log").stat().st_size > 1000:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    assert (tmp_path / "pg.log.1").stat().st_size >= 5000


@as_root
def test_a_user_who_is_not_root_runs_it_as_themselves(tmp_path_factory: pytest.TempPathFactory):
    """As `nobody`, on a folder of their own, through the same code."""
    folder = Path("/tmp") / f"checkrein-test-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65_534, 65_534)
    reader, writer = os.pipe()
    # A fork and no new interpreter: the test's own may lie where `nobody` can't reach it.
    child = os.fork()
    if child == 0:
        os.close(reader)
        _supervise_as(65_534, folder, writer)
    os.close(writer)
    try:
        with os.fdopen(reader) as stream:
            assert stream.readline() == "ready\n"
            pids = servers_of(folder)
            assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids} == {65_534}
        os.kill(child, signal.SIGKILL)
        wait_gone(folder)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        shutil.rmtree(folder)


def _supervise_as(uid: int, folder: Path, writer: int) -> NoReturn:
    """In a forked child: become the user, supervise, tell, and wait to be killed."""
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)

        async def supervise() -> None:
            await EmbeddedPostgres(folder / "pg", folder / "pg.log").start()
            os.write(writer, b"ready\n")
            await asyncio.sleep(60)

        asyncio.run(supervise())
    except BaseException as error:
        os.write(writer, repr(error).encode())
    finally:
        os._exit(1)


@as_root
def test_binaries_out_of_reach_are_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A venv below a home of mode 0700: a root-owned copy serves, the home stays closed."""
    home = tmp_path / "home"
    shutil.copytree(
        binaries._wheel_folder() / binaries.INSTALL,
        home / binaries.PACKAGE / binaries.INSTALL,
        symlinks=True,
        ignore=shutil.ignore_patterns("include"),
    )
    shutil.copytree(binaries._wheel_folder().parent / binaries.LIBS, home / binaries.LIBS)
    home.chmod(0o700)
    monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    place = Path("/var/tmp") / f"checkrein-test-{os.getpid()}"
    identity = Identity(58_543, 65_534)
    try:
        found = find_binaries(identity, [place])
        assert found.bin_dir.is_relative_to(place)
        when = found.bin_dir.stat().st_mtime_ns
        assert find_binaries(identity, [place]) == found
        assert found.bin_dir.stat().st_mtime_ns == when
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        others = stat.S_IWGRP | stat.S_IWOTH
        for file in place.rglob("*"):
            assert file.lstat().st_uid == 0
            assert file.is_symlink() or not file.stat().st_mode & others
        place.chmod(0o777)
        with pytest.raises(StartError, match="can't be run"):
            find_binaries(identity, [place])
    finally:
        shutil.rmtree(place, ignore_errors=True)


@as_root
def test_an_existing_cluster_keeps_its_owner():
    """A changed choice of users must not lock old data out."""
    assert choose_identity(58_600).uid == 58_600
    assert choose_identity(None).uid not in {None, 0}
