"""The board of stops: what falls under a stop, how changes come, what a restart still knows."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.control_client.stops import Stops, parse_stops
from gateway.model.errors import ControlPlaneError
from gateway.model.stop import StopScope
from tests.support.fake_control_plane import KEY, FakeControlPlane, fake_control_plane

NOWHERE = "http://127.0.0.1:1"


def a_stop(scope: str, name: str | None = None, stop_id: str = "") -> dict[str, Any]:
    return {
        "stopId": stop_id or f"stop-{scope}-{name}",
        "scope": scope,
        "name": name,
        "reason": "it runs wild",
        "by": "ada",
        "at": "2026-11-21T15:00:00Z",
        "liftedAt": None,
    }


@pytest.fixture
async def plane() -> AsyncIterator[FakeControlPlane]:
    async with fake_control_plane() as fake:
        yield fake


class Board(Stops):
    """Stops that write down what changed, and let a test wait for it."""

    def __init__(self, url: str, cache: Path, **changes: Any) -> None:
        self.settings = ControlSettings(
            api_url=url,
            api_key=KEY,
            control_seconds_max=20.0,
            directory_pause_seconds=0.0,
            stop_retry_seconds_max=0.01,
            **changes,
        )
        self.client = ControlPlaneClient(self.settings)
        super().__init__(self.client, self.settings, cache)
        self.changes: list[tuple[list[str], list[str]]] = []
        self.on_change = lambda came, lifted: self.changes.append(
            ([stop.stop_id for stop in came], [stop.stop_id for stop in lifted])
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def board_of(url: str, cache: Path, **changes: Any) -> AsyncIterator[Board]:
    board = Board(url, cache, **changes)
    await board.start()
    try:
        yield board
    finally:
        await board.stop()
        await board.client.close()


FOUND = {
    "nothing is stopped": ([], None),
    "its agent": ([a_stop("agent", "bot")], "stop-agent-bot"),
    "another agent": ([a_stop("agent", "other")], None),
    "an agent of the same letters in another case": ([a_stop("agent", "Bot")], None),
    "its run": ([a_stop("run", "r-1")], "stop-run-r-1"),
    "another run": ([a_stop("run", "r-2")], None),
    "an agent with the name of its run": ([a_stop("agent", "r-1")], None),
    "its provider": ([a_stop("provider", "stripe")], "stop-provider-stripe"),
    "its provider, in other letters": ([a_stop("provider", "Stripe")], "stop-provider-Stripe"),
    "another provider": ([a_stop("provider", "aws")], None),
    "everything": ([a_stop("everything")], "stop-everything-None"),
    "everything, whatever its name": ([a_stop("everything", "x")], "stop-everything-x"),
    "a scope that is not known here stops everything": ([a_stop("team", "x")], "stop-team-x"),
    "an agent without a name stops everything": ([a_stop("agent")], "stop-agent-None"),
    "a provider without a name stops everything": ([a_stop("provider", "")], "stop-provider-"),
    "the widest is told": (
        [a_stop("run", "r-1"), a_stop("agent", "bot"), a_stop("provider", "stripe"),
         a_stop("everything")], "stop-everything-None",
    ),
    "a provider's before an agent's": (
        [a_stop("agent", "bot"), a_stop("provider", "stripe")], "stop-provider-stripe",
    ),
    "an agent's before a run's": ([a_stop("run", "r-1"), a_stop("agent", "bot")], "stop-agent-bot"),
    "the first of two on one agent": (
        [a_stop("agent", "bot", "one"), a_stop("agent", "bot", "two")], "one",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stops", "expected"), FOUND.values(), ids=FOUND.keys())
async def test_what_falls_under_a_stop(
    plane: FakeControlPlane, tmp_path: Path, stops: list[dict[str, Any]], expected: str | None
) -> None:
    """A request of agent `bot` in run `r-1` to Stripe."""
    plane.set_stops(*stops)
    async with board_of(plane.url, tmp_path / "stops.json") as board:
        found = board.find("bot", "r-1", {"unknown", "stripe"})
        assert (None if found is None else found.stop_id) == expected


async def test_a_request_without_a_run_is_of_no_stopped_run(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """No run is not a run that has no name."""
    plane.set_stops(a_stop("run", "None"), a_stop("run", "r-1"))
    async with board_of(plane.url, tmp_path / "stops.json") as board:
        assert board.find("bot", None, {"stripe"}) is None


async def test_stops_come_and_go_while_it_runs(plane: FakeControlPlane, tmp_path: Path) -> None:
    """In force when `on_change` is told, counted, and gone again when lifted."""
    async with board_of(plane.url, tmp_path / "stops.json") as board:
        plane.set_stops(a_stop("agent", "bot"))
        await board.until(lambda: len(board.changes) == 1)
        assert board.find("bot", None, ()) is not None
        assert telemetry.STOPS.value == 1
        assert board.describe() == "agent `bot` stopped by ada (stop-agent-bot): it runs wild"
        plane.set_stops(a_stop("provider", "aws"))
        await board.until(lambda: len(board.changes) == 2)
        assert board.find("bot", None, ()) is None
        plane.set_stops()
        await board.until(lambda: len(board.changes) == 3)
        assert telemetry.STOPS.value == 0
        assert board.describe() is None
    assert board.changes == [
        (["stop-agent-bot"], []),
        (["stop-provider-aws"], ["stop-agent-bot"]),
        ([], ["stop-provider-aws"]),
    ]


async def test_many_stops_are_shown_in_few_words(plane: FakeControlPlane, tmp_path: Path) -> None:
    """Readiness stays a page that a person can read."""
    plane.set_stops(*(a_stop("agent", f"bot-{number}") for number in range(9)))
    async with board_of(plane.url, tmp_path / "stops.json") as board:
        assert str(board.describe()).endswith("; and 4 more")


async def test_a_restart_without_control_plane_still_stops(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """The copy is readable for nobody else; what it stops is no news."""
    cache = tmp_path / "stops.json"
    plane.set_stops(a_stop("agent", "bot"), a_stop("provider", "aws"))
    async with board_of(plane.url, cache) as before:
        pass
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    async with board_of(NOWHERE, cache) as board:
        assert board.in_force == before.in_force
        assert board.find("bot", None, ()) is not None
        assert board.changes == []


async def test_a_stop_that_was_lifted_meanwhile_is_lifted(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """The control plane's word is newer than the copy."""
    cache = tmp_path / "stops.json"
    plane.set_stops(a_stop("agent", "bot"))
    async with board_of(plane.url, cache):
        pass
    plane.set_stops()
    async with board_of(plane.url, cache) as board:
        assert board.find("bot", None, ()) is None
        assert board.changes == [([], ["stop-agent-bot"])]
    async with board_of(NOWHERE, cache) as board:
        assert board.in_force == ()


DAMAGED = (
    "", "{", "[]", "null", "{}", '{"revision":"1","stops":3}', '{"revision":"1","stops":[3]}',
)  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED)
async def test_a_damaged_copy_stops_everything_until_it_is_mended(
    plane: FakeControlPlane, tmp_path: Path, text: str
) -> None:
    """Nobody knows what it stopped; the control plane does."""
    cache = tmp_path / "stops.json"
    cache.write_text(text)
    async with board_of(NOWHERE, cache) as board:
        found = board.find("bot", None, {"stripe"})
        assert found is not None
        assert (found.scope, found.stop_id) == (StopScope.EVERYTHING, "unreadable")
    async with board_of(plane.url, cache) as board:
        assert board.find("bot", None, {"stripe"}) is None
    async with board_of(NOWHERE, cache) as board:
        assert board.find("bot", None, {"stripe"}) is None


@pytest.mark.parametrize(
    "answer",
    [{}, {"stops": []}, {"revision": "2"}, {"stops": {}, "revision": "2"},
     {"stops": ["x"], "revision": "2"}, {"stops": [{"scope": "agent"}], "revision": "2"}],
)  # fmt: skip
def test_an_answer_that_is_no_list_of_stops_is_none(answer: dict[str, Any]) -> None:
    """What was known before stays in force."""
    with pytest.raises(ControlPlaneError) as caught:
        parse_stops(answer)
    assert caught.value.code == "control.unreadable"


async def test_trouble_lifts_nothing_and_ends_by_itself(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """Whatever the control plane does wrong, what was stopped stays so, and the next stop comes."""
    quick = {"stop_poll_seconds": 0, "connect_seconds_max": 0.1}
    async with board_of(plane.url, tmp_path / "stops.json", **quick) as board:
        plane.set_stops(a_stop("agent", "bot"))
        await board.until(lambda: len(board.changes) == 1)
        plane.script = [500, "cut", "garbage", "html", "list", "long", "redirect", 404, "hang"]
        plane.set_stops(a_stop("agent", "bot"), a_stop("agent", "second"))
        assert board.find("bot", None, ()) is not None
        await board.until(lambda: len(board.changes) == 2)
        assert plane.script == []
        assert board.changes[1] == (["stop-agent-second"], [])


async def test_a_fault_of_whoever_is_told_does_not_end_it(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """A kill switch that has gone deaf would look well: it goes on, and keeps what it was told."""
    cache = tmp_path / "stops.json"
    bugs = telemetry.BUGS.value
    async with board_of(plane.url, cache) as board:
        note = board.on_change

        def fail(came: Any, lifted: Any) -> None:
            board.on_change = note
            raise RuntimeError("a bug")

        board.on_change = fail
        plane.set_stops(a_stop("agent", "bot"))
        await board.until(lambda: telemetry.BUGS.value > bugs)
        assert board.find("bot", None, ()) is not None
        assert json.loads(cache.read_text())["stops"][0]["name"] == "bot"
        plane.set_stops(a_stop("agent", "bot"), a_stop("agent", "second"))
        await board.until(lambda: bool(board.changes))


async def test_stops_that_can_not_be_kept_are_in_force_and_told(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """A full disk: what runs obeys, and readiness says that a restart might forget."""
    folder = tmp_path / "gone"
    folder.mkdir()
    async with board_of(plane.url, folder / "stops.json") as board:
        assert board.fault is None
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        plane.set_stops(a_stop("agent", "bot"))
        await board.until(lambda: board.fault is not None)
        assert board.find("bot", None, ()) is not None
        folder.mkdir()
        plane.set_stops(a_stop("agent", "bot"), a_stop("agent", "second"))
        await board.until(lambda: board.fault is None)
        assert len(json.loads((folder / "stops.json").read_text())["stops"]) == 2


async def test_held_requests_can_not_keep_a_stop_out(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """However many wait for answers, the kill switch has a connection of its own."""
    board = Board(plane.url, tmp_path / "stops.json")
    board.client._polls = asyncio.Semaphore(0)
    await board.start()
    try:
        plane.set_stops(a_stop("everything"))
        await board.until(lambda: bool(board.in_force))
    finally:
        await board.stop()
        await board.client.close()


async def test_bodies_that_are_read_can_not_keep_a_stop_out(
    plane: FakeControlPlane, tmp_path: Path
) -> None:
    """With every thread for large bodies busy, one stop after the other is taken and kept."""
    done = threading.Event()
    threads = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(threads)
    reading = asyncio.create_task(asyncio.to_thread(done.wait))
    try:
        async with board_of(plane.url, tmp_path / "stops.json") as board:
            for count in (1, 2, 3):
                plane.set_stops(*(a_stop("agent", f"bot-{number}") for number in range(count)))
                await board.until(lambda count=count: len(board.in_force) == count)
    finally:
        done.set()
        await reading


async def test_the_poll_names_what_is_known(plane: FakeControlPlane, tmp_path: Path) -> None:
    """So that the control plane can wait until there is something else."""
    async with board_of(plane.url, tmp_path / "stops.json") as board:
        plane.set_stops(a_stop("agent", "bot"))
        await board.until(lambda: len(plane.calls) >= 3)
    assert [call.query for call in plane.calls[:3]] == [
        {},
        {"waitSeconds": "5", "revision": "1"},
        {"waitSeconds": "5", "revision": "2"},
    ]
