"""The directory of agents: who gets in, how it is kept fresh, what a restart still knows."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import telemetry
from gateway.control_client.agents import Directory, load_snapshot
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from tests.support.fake_control_plane import KEY, FakeControlPlane, fake_control_plane
from tests.support.fakes import FakeClock


def an_agent(name: str, *keys: str, enabled: bool = True) -> dict[str, Any]:
    hashes = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
    return {
        "agentId": name,
        "name": name,
        "labels": {"team": "billing"},
        "keyHashes": hashes,
        "enabled": enabled,
    }


@pytest.fixture
async def plane() -> AsyncIterator[FakeControlPlane]:
    """A control plane that knows two agents."""
    async with fake_control_plane() as fake:
        fake.agents = [
            an_agent("agent", "key-1", "key-2"),
            an_agent("off", "key-3", enabled=False),
        ]
        yield fake


@asynccontextmanager
async def directory_of(url: str, cache: Path, clock: FakeClock) -> AsyncIterator[Directory]:
    settings = ControlSettings(
        api_url=url,
        api_key=KEY,
        control_seconds_max=20.0,
        directory_pause_seconds=3_600,
        retry_seconds_max=0.05,
    )
    client = ControlPlaneClient(settings)
    directory = Directory(client, settings, cache, clock)
    await directory.start()
    try:
        yield directory
    finally:
        await directory.stop()
        await client.close()


ADMITTED = {
    "the right key": ("agent", "key-1", True),
    "its other key": ("agent", "key-2", True),
    "another agent's key": ("agent", "key-3", False),
    "a wrong key": ("agent", "key-4", False),
    "no key": ("agent", "", False),
    "a hash as the key": ("agent", hashlib.sha256(b"key-1").hexdigest(), False),
    "an unknown agent": ("nobody", "key-1", False),
    "a disabled agent": ("off", "key-3", False),
    "a name in other letters": ("Agent", "key-1", False),
    "a key that is not valid text": ("agent", "\udcff", False),
}


@pytest.mark.parametrize("what", ADMITTED)
async def test_who_gets_in(plane: FakeControlPlane, tmp_path: Path, what: str) -> None:
    """The principal carries the directory's name and labels, and no run."""
    name, key, is_admitted = ADMITTED[what]
    async with directory_of(plane.url, tmp_path / "agents.json", FakeClock()) as directory:
        principal = await directory.authenticate(name, key)
        assert (principal is not None) == is_admitted
        if principal is not None:
            assert (principal.agent, principal.run) == ("agent", None)
            assert principal.labels == {"team": "billing"}


async def test_a_restart_without_control_plane_knows_its_agents(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """From its copy on disk, readable for the owner alone, with no key in it."""
    cache, clock = tmp_path / "agents.json", FakeClock()
    async with directory_of(plane.url, cache, clock):
        pass
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert "key-1" not in cache.read_text()
    async with directory_of("http://127.0.0.1:1", cache, clock) as directory:
        assert directory.is_ready
        assert await directory.authenticate("agent", "key-1") is not None
        assert await directory.authenticate("agent", "wrong") is None


async def test_a_copy_that_is_too_old_lets_nobody_in(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Agents may have been removed meanwhile; `directory_stale_seconds_max` bounds that."""
    cache, clock = tmp_path / "agents.json", FakeClock()
    async with directory_of(plane.url, cache, clock):
        pass
    async with directory_of("http://127.0.0.1:1", cache, clock) as directory:
        clock.advance(86_399)
        assert await directory.authenticate("agent", "key-1") is not None
        clock.advance(2)
        assert not directory.is_ready
        assert await directory.authenticate("agent", "key-1") is None


async def test_a_key_that_was_let_in_is_out_with_the_next_directory(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Whoever was let in is remembered by the directory that let him in, and by no other."""
    async with directory_of(plane.url, tmp_path / "agents.json", FakeClock()) as directory:
        for _ in range(2):
            assert await directory.authenticate("agent", "key-1") is not None
        plane.agents = [an_agent("agent", "key-9")]
        assert await directory.authenticate("agent", "key-9") is not None
        assert await directory.authenticate("agent", "key-1") is None


DAMAGED = ("", "{", "[]", '{"fetched_at":1}', '{"fetched_at":1,"directory":{"agents":3}}')


@pytest.mark.parametrize("text", DAMAGED)
async def test_a_damaged_copy_is_none(tmp_path: Path, text: str) -> None:
    """The gateway starts, is not ready, and lets nobody in."""
    cache = tmp_path / "agents.json"
    cache.write_text(text)
    assert load_snapshot(cache) is None
    async with directory_of("http://127.0.0.1:1", cache, FakeClock()) as directory:
        assert not directory.is_ready
        assert await directory.authenticate("agent", "key-1") is None


async def test_a_new_agent_is_known_at_its_first_call(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """An unknown key asks for the directory, at once."""
    clock = FakeClock()
    async with directory_of(plane.url, tmp_path / "agents.json", clock) as directory:
        plane.agents.append(an_agent("fresh", "key-9"))
        plane.revision = "r2"
        assert await directory.authenticate("fresh", "key-9") is not None


async def test_guessing_keys_costs_the_control_plane_nothing(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """However many are guessed, it is asked once a second."""
    clock = FakeClock()
    async with directory_of(plane.url, tmp_path / "agents.json", clock) as directory:
        await directory.authenticate("agent", "wrong")
        plane.calls.clear()
        guesses = (directory.authenticate("agent", f"guess-{n}") for n in range(50))
        assert set(await asyncio.gather(*guesses)) == {None}
        assert [call for call in plane.calls if "waitSeconds" not in call.query] == []
        clock.advance(1.5)
        guesses = (directory.authenticate("agent", f"guess-{n}") for n in range(50))
        assert set(await asyncio.gather(*guesses)) == {None}
        assert len([call for call in plane.calls if "waitSeconds" not in call.query]) == 1


async def test_changes_are_followed(plane: FakeControlPlane, tmp_path: Path) -> None:
    """By a long poll that names the revision that is known."""
    async with directory_of(plane.url, tmp_path / "agents.json", FakeClock()):
        async with asyncio.timeout(10):
            while not any("waitSeconds" in call.query for call in plane.calls):
                plane.arrived.clear()
                await plane.arrived.wait()
        polls = [call.query for call in plane.calls if "waitSeconds" in call.query]
        assert polls[0] == {"waitSeconds": "25", "revision": "r1"}


async def test_an_answer_that_is_no_directory_changes_nothing(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """What was known before stays, in memory and on disk."""
    cache, clock = tmp_path / "agents.json", FakeClock()
    async with directory_of(plane.url, cache, clock) as directory:
        plane.answers["/v1/agents/directory"] = {"agents": [{"name": "x"}], "revision": "r3"}
        clock.advance(5)
        assert await directory.authenticate("x", "key") is None
        assert await directory.authenticate("agent", "key-1") is not None
        assert json.loads(cache.read_text())["directory"]["revision"] == "r1"


async def test_a_bug_ends_no_following(
    plane: FakeControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that nobody expected is counted, and the next poll brings what is new."""
    settings = ControlSettings(api_url=plane.url, api_key=KEY, retry_seconds_max=0.01)
    client, bugs = ControlPlaneClient(settings), telemetry.BUGS.value
    directory = Directory(client, settings, tmp_path / "agents.json", FakeClock())
    followed = asyncio.Event()

    async def fetch(_revision: str, wait_seconds: int) -> dict[str, Any]:
        if not wait_seconds:
            return {"agents": [], "revision": "1"}
        if telemetry.BUGS.value == bugs:
            raise RuntimeError("a bug")
        followed.set()
        return {"agents": plane.agents, "revision": "2"}

    monkeypatch.setattr(client, "fetch_directory", fetch)
    await directory.start()
    async with asyncio.timeout(10):
        await followed.wait()
    await directory.stop()
    await client.close()
    assert telemetry.BUGS.value == bugs + 1
