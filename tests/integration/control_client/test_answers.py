"""Many requests that wait at a real control plane are told of their answers by one question."""

from __future__ import annotations

import asyncio
import time

from gateway.control_client.answers import FEED_FROM
from gateway.control_client.approvals import ControlPlaneDesk
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.model.approval import ApprovalState
from gateway.system import SystemClock
from tests.support.control_plane import Client

COUNT = FEED_FROM * 3


async def test_each_is_told_of_its_own_answer(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings
) -> None:
    """One after the other is approved or denied, in any order, and only that one's wait ends."""
    desk = ControlPlaneDesk(client, control_settings, SystemClock())
    ids = [str((await plane.ask())["approvalId"]) for _ in range(COUNT)]
    waits = [asyncio.create_task(desk.wait(each, 30)) for each in ids]
    async with asyncio.timeout(10):
        while not desk._answers.is_live:
            await asyncio.sleep(0)
    slowest = 0.0
    for number in reversed(range(COUNT)):
        began = time.monotonic()
        resolution = "APPROVE" if number % 2 else "REJECT"
        assert (await plane.resolve(ids[number], resolution)).status == 200
        approval = await asyncio.wait_for(waits[number], 5)
        slowest = max(slowest, time.monotonic() - began)
        assert approval.approval_id == ids[number]
        expected = ApprovalState.APPROVED if number % 2 else ApprovalState.DENIED
        assert approval.state is expected
        assert sum(wait.done() for wait in waits) == COUNT - number
    assert slowest < 3
    # Those who came last wait without a connection of their own.
    assert plane.plane.metrics.waiting._value.get() <= FEED_FROM + 1
    await desk.close()


async def test_a_wait_that_nobody_answers_ends_in_time(
    plane: Client, client: ControlPlaneClient, control_settings: ControlSettings
) -> None:
    """The state is what it was."""
    desk = ControlPlaneDesk(client, control_settings, SystemClock())
    ids = [str((await plane.ask())["approvalId"]) for _ in range(COUNT)]
    began = time.monotonic()
    found = await asyncio.gather(*(desk.wait(each, 0.5) for each in ids))
    assert {approval.state for approval in found} == {ApprovalState.PENDING}
    assert 0.5 <= time.monotonic() - began < 5
    await desk.close()
