"""Many requests that wait at a real control plane are told of their answers by one question."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.control_client.answers import FEED_FROM
from gateway.control_client.approvals import ControlPlaneDesk
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.model.action import Canonical
from gateway.model.approval import ApprovalState
from gateway.model.effect import Effect
from gateway.ports import ApprovalAsk
from gateway.process.system import SystemClock
from gateway.process.tasks import end_tasks
from tests.support.control_plane import TOLD_SECONDS_MAX, Client
from tests.support.entries import a_decision, an_action, an_exchange

COUNT = FEED_FROM * 3


def an_ask(digest: str) -> ApprovalAsk:
    canonical = Canonical((an_action(),), "stripe", "stripe")
    decision = a_decision(Effect.REQUIRE_APPROVAL)
    return ApprovalAsk("dec_1", digest, an_exchange(), canonical, decision, time.monotonic() + 60)


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
    for number in reversed(range(COUNT)):
        resolution = "APPROVE" if number % 2 else "REJECT"
        assert (await plane.resolve(ids[number], resolution)).status == 200
        approval = await asyncio.wait_for(waits[number], TOLD_SECONDS_MAX)
        assert approval.approval_id == ids[number]
        expected = ApprovalState.APPROVED if number % 2 else ApprovalState.DENIED
        assert approval.state is expected
        assert sum(wait.done() for wait in waits) == COUNT - number
    # Those who came last wait without a connection of their own.
    assert plane.plane.metrics.waiting._value.get() <= FEED_FROM + 1
    await desk.close()


async def test_who_is_told_of_answers_does_not_look(
    plane: Client,
    client: ControlPlaneClient,
    control_settings: ControlSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was open when it was asked, and nobody said that it is not: thousands that are held leave
    the control plane to those who ask. What is answered before the wait begins is looked at."""
    desk = ControlPlaneDesk(client, control_settings, SystemClock())
    looked: list[str] = []
    fetch = client.fetch_approval

    async def note_look(approval_id: str, wait_seconds: float = 0) -> Mapping[str, Any]:
        looked.append(approval_id)
        return await fetch(approval_id, wait_seconds)

    monkeypatch.setattr(client, "fetch_approval", note_look)
    ids = [str((await plane.ask())["approvalId"]) for _ in range(FEED_FROM)]
    waits = [asyncio.create_task(desk.wait(each, 30)) for each in ids]
    async with asyncio.timeout(10):
        while not desk._answers.is_live:
            await asyncio.sleep(0)
        patient, quick = [await desk.ask(an_ask(digest * 64)) for digest in "ab"]
        assert (await desk.wait(patient.approval_id, 0.2)).state is ApprovalState.PENDING
        await plane.resolve(quick.approval_id, "APPROVE")
        while desk._answers.is_open_since(quick.approval_id, math.inf):
            await asyncio.sleep(0)
        assert (await desk.wait(quick.approval_id, 5)).state is ApprovalState.APPROVED
    assert patient.approval_id not in looked
    assert quick.approval_id in looked
    await end_tasks(waits)
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
    assert 0.5 <= time.monotonic() - began < TOLD_SECONDS_MAX
    await desk.close()
