"""What every `StopBoard` promises: the fake, and the one that follows a control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.control_client.stops import Stops
from gateway.model.stop import Stop, StopScope
from gateway.ports import StopBoard
from tests.support.fake_control_plane import KEY, fake_control_plane
from tests.support.fake_world import FakeStops

ROWS = {
    "its agent": (StopScope.AGENT, "bot", True),
    "another agent": (StopScope.AGENT, "other", False),
    "an agent with the name of its run": (StopScope.AGENT, "r-1", False),
    "its run": (StopScope.RUN, "r-1", True),
    "another run": (StopScope.RUN, "r-2", False),
    "its run, of this agent alone": (StopScope.RUN, "bot+r-1", True),
    "that run of another agent": (StopScope.RUN, "bob+r-1", False),
    "one of its providers": (StopScope.PROVIDER, "stripe", True),
    "another provider": (StopScope.PROVIDER, "slack", False),
    "a provider with the name of its agent": (StopScope.PROVIDER, "bot", False),
    "everything": (StopScope.EVERYTHING, "", True),
}


@asynccontextmanager
async def fake_board(stop: Stop | None, folder: Path) -> AsyncIterator[StopBoard]:
    board = FakeStops()
    board.stop = stop
    yield board


@asynccontextmanager
async def real_board(stop: Stop | None, folder: Path) -> AsyncIterator[StopBoard]:
    async with fake_control_plane() as plane:
        if stop is not None:
            plane.set_stops(
                {
                    "stopId": stop.stop_id,
                    "scope": stop.scope.value,
                    "name": stop.name,
                    "reason": stop.reason,
                    "by": stop.by,
                    "at": stop.at,
                }
            )
        settings = ControlSettings(api_url=plane.url, api_key=KEY)
        client = ControlPlaneClient(settings)
        board = Stops(client, settings, folder / "stops.json")
        await board.start()
        try:
            yield board
        finally:
            await board.stop()
            await client.close()


BOARDS = {"the fake": fake_board, "the one that follows": real_board}


@pytest.fixture(params=BOARDS.values(), ids=BOARDS.keys())
def open_board(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Each board in turn."""
    found: Callable[..., object] = request.param
    return found


@pytest.mark.parametrize(("scope", "name", "is_stopped"), ROWS.values(), ids=ROWS.keys())
async def test_what_falls_under_one_stop(
    open_board: Callable, tmp_path: Path, scope: StopScope, name: str, is_stopped: bool
) -> None:
    """A request of agent `bot` in run `r-1`, which is of two providers; the stop is given whole."""
    stop = Stop("stop-1", scope, name, "it runs wild", "ada", 1_763_700_000_000_000)
    async with open_board(stop, tmp_path) as board:
        found = board.find("bot", "r-1", {"stripe", "aws"})
        assert found == (stop if is_stopped else None)


async def test_without_a_stop_nothing_is_stopped(open_board: Callable, tmp_path: Path) -> None:
    """Nor is a request without a run of a run."""
    async with open_board(None, tmp_path) as board:
        assert board.find("bot", None, ()) is None
