"""Long polls: when they end, and that they can't fill the process. On a real bus without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from controlplane.notify.bus import ChannelBus, Topic
from controlplane.services.waiting import WaitingRoom, WaitingSettings
from controlplane.telemetry import Metrics
from gateway.model.errors import CheckreinError

PLACE = (Topic.APPROVAL, "a")


class SilentChannel:
    """A channel to nowhere: only this process hears."""

    async def send(self, message: str) -> None: ...

    async def listen(self, ready: Callable[[], None], receive: Callable[[str], None]) -> None:
        ready()
        await asyncio.Event().wait()

    async def close(self) -> None: ...


class Counter:
    """What is read: a number that grows, and how often it was read."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0

    async def read(self) -> int:
        self.reads += 1
        return self.value


@pytest.fixture
def bus() -> ChannelBus:
    return ChannelBus(SilentChannel())


def room_on(bus: ChannelBus, **settings: float) -> WaitingRoom:
    return WaitingRoom(bus, Metrics(), WaitingSettings(**settings))


async def test_what_is_enough_already_is_answered_at_once(bus: ChannelBus):
    """One read, no wait."""
    counter = Counter()
    assert await room_on(bus).read_until(PLACE, counter.read, lambda _: True, 30) == 0
    assert counter.reads == 1


async def test_without_seconds_nobody_waits(bus: ChannelBus):
    """One read, whatever it says."""
    counter = Counter()
    assert await room_on(bus).read_until(PLACE, counter.read, lambda _: False, 0) == 0
    assert counter.reads == 1


async def test_a_change_between_reading_and_waiting_is_not_missed(bus: ChannelBus):
    """The change comes while the first read is on its way."""
    counter = Counter()

    async def read_and_change() -> int:
        seen = await counter.read()
        if counter.value == 0:
            counter.value = 1
            await bus.publish(*PLACE)
        return seen

    async with asyncio.timeout(20):
        value = await room_on(bus).read_until(PLACE, read_and_change, lambda one: one == 1, 30)
    assert value == 1


async def test_a_lost_wake_up_is_only_a_delay(bus: ChannelBus):
    """Nobody publishes; the re-read finds it."""
    counter = Counter()

    async def read() -> int:
        counter.value += 1
        return await counter.read()

    room = room_on(bus, reread_seconds=0.01)
    async with asyncio.timeout(20):
        assert await room.read_until(PLACE, read, lambda one: one == 3, 30) == 3


async def test_a_full_room_answers_instead_of_parking(bus: ChannelBus):
    """The bound on parked requests."""
    counter = Counter()
    room = room_on(bus, waiting_count_max=0)
    async with asyncio.timeout(20):
        assert await room.read_until(PLACE, counter.read, lambda _: False, 30) == 0


async def test_who_hung_up_is_not_waited_for(bus: ChannelBus):
    """The next look ends it."""
    counter = Counter()
    room = room_on(bus, reread_seconds=0.01)
    async with asyncio.timeout(20):
        await room.read_until(PLACE, counter.read, lambda _: False, 30, lambda: counter.reads > 2)
    assert counter.reads == 3


async def test_the_end_sends_everybody_home(bus: ChannelBus):
    """With what there is, at once; and who comes later does not wait either."""
    counter = Counter()
    room = room_on(bus)
    waiting = asyncio.create_task(room.read_until(PLACE, counter.read, lambda _: False, 30))
    while not bus.waiting_count:
        await asyncio.sleep(0)
    room.end()
    bus.wake_all()
    async with asyncio.timeout(20):
        assert await waiting == 0
        assert await room.read_until(PLACE, counter.read, lambda _: False, 30) == 0


async def test_a_bug_of_the_channel_ends_no_listening(monkeypatch: pytest.MonkeyPatch):
    """It is noted, and the bus listens again."""
    monkeypatch.setattr("controlplane.notify.bus.RECONNECT_SECONDS", 0)
    faults: list[str] = []

    class FaultyChannel(SilentChannel):
        async def listen(self, ready: Callable[[], None], receive: Callable[[str], None]) -> None:
            if not faults:
                raise RuntimeError("a bug")
            await super().listen(ready, receive)

    bus = ChannelBus(FaultyChannel(), lambda: faults.append("noted"))
    async with asyncio.timeout(10):
        await bus.start()
        while not bus._listening.is_set():
            await asyncio.sleep(0)
    await bus.close()
    assert faults == ["noted"]


async def test_a_lost_connection_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """However often it is tried again; and so is that it is back."""
    monkeypatch.setattr("controlplane.notify.bus.RECONNECT_SECONDS", 0)
    caplog.set_level("INFO", "controlplane.notify.bus")
    faults: list[str] = []

    class LostChannel(SilentChannel):
        async def listen(self, ready: Callable[[], None], receive: Callable[[str], None]) -> None:
            if len(faults) < 3:
                raise CheckreinError("bus.unavailable", "it is away")
            await super().listen(ready, receive)

    bus = ChannelBus(LostChannel(), lambda: faults.append("noted"))
    async with asyncio.timeout(10):
        await bus.start()
        while not bus._listening.is_set():
            await asyncio.sleep(0)
    await bus.close()
    assert len(faults) == 3
    assert caplog.messages == ["bus connection lost", "bus connection is back"]
