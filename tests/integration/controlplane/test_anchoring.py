"""Checkpoints are kept where whoever administers the database can't reach them: a file, a storage
with object lock, a webhook. What is away is tried again, is shown, and holds up nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from controlplane.services.log.anchoring import AnchoringLimits
from controlplane.services.log.proving import ProvingLimits
from controlplane.services.reaching.notifications import NotificationSettings
from controlplane.settings import AnchorS3Settings, AnchorSettings
from controlplane.store.embedded import EmbeddedPostgres
from gateway.record.log.checkpoint import open_checkpoint
from gateway.record.log.signed_note import VerifierKey
from tests.integration.controlplane.test_key_commands import run
from tests.support.control_plane import Client, running_plane
from tests.support.database import make_database
from tests.support.object_lock import KEYS, REGION, serving_storage
from tests.support.reaching import TO_LOOPBACK, add_webhook
from tests.support.receivers import Receiver
from tests.support.signed_gateway import SIGNING_SOON, SignedGateway, log_size, signed_log

SOON = replace(SIGNING_SOON, notifications=NotificationSettings(poll_seconds=0.03))


async def anchored(
    client: Client, wanted: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The anchors of the log, once they are as wanted."""
    async with asyncio.timeout(20):
        while True:
            found = list((await client.call("GET", "/v1/log/anchors")).body["anchors"])
            if wanted(found):
                return found
            await asyncio.sleep(0.02)


def is_kept(place: str, size: int) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda found: any(
        (one["place"], one["status"], one["size"]) == (place, "ANCHORED", size) for one in found
    )


async def test_checkpoints_are_kept_in_a_file_a_storage_and_a_webhook(
    postgres_server: EmbeddedPostgres,
    tmp_path: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """All three get the very note that was signed; the storage only under a lock, and at its second
    attempt, whose first one is shown meanwhile."""
    name = await asyncio.to_thread(make_database, postgres_server)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    async with serving_storage() as storage:
        storage.answers = [503]
        s3 = AnchorS3Settings("audit", KEYS, REGION, storage.url, "logs/")
        places = AnchorSettings(folder, s3, seconds=0)
        async with running_plane(
            postgres_server, name, tmp_path / "data", SOON, reaching=TO_LOOPBACK, anchors=places
        ) as client:
            _, secret = await add_webhook(client, receiver.url, events=["checkpoint.signed"])
            size = await log_size(client) + 3
            await SignedGateway(client).ship([{}] * 3)
            view = await signed_log(client, size)
            found = await anchored(
                client, lambda found: is_kept("file", size)(found) and is_kept("s3", size)(found)
            )
            attempts = [one["attempts"] for one in found if one["place"] == "s3"]
            assert attempts[-1] == 2, "the first one failed"
            tenant, keys = str(client.tenant_id), [VerifierKey.parse(view["key"])]
            note = (folder / f"{tenant}-{size:012d}.checkpoint").read_text()
            assert open_checkpoint(note, keys).size == size
            assert storage.versions[f"/audit/logs/{tenant}/{size:012d}.checkpoint"] == [note]
            of_size = b'"size":%d,' % size
            async with asyncio.timeout(20):
                while not (told := [one for one in receiver.heard if of_size in one.body]):
                    await receiver.wait(len(receiver.heard) + 1)
            Webhook(secret).verify(told[0].body, dict(told[0].headers))
            said = told[0].json
            assert said["type"] == "checkpoint.signed"
            assert said["data"]["checkpoint"]["checkpoint"] == note
            shown = (await client.call("GET", "/v1/log")).body["anchors"]
            assert {one["place"] for one in shown} == {"file", "s3", "webhook"}
            status = await run(client, monkeypatch, client.keys["admin"], "audit", "anchors")
            said = json.loads(capsys.readouterr().out)
            assert (status, said["key"], len(said["anchors"]) >= 3) == (0, view["key"], True)


async def test_a_file_gets_a_line_for_each_checkpoint(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """Appended, in order, each with the tenant and the note."""
    name = await asyncio.to_thread(make_database, postgres_server)
    places = AnchorSettings(tmp_path / "checkpoints.jsonl", seconds=0)
    async with running_plane(
        postgres_server, name, tmp_path / "data", SOON, anchors=places
    ) as client:
        before = await log_size(client)
        for size in range(before + 1, before + 4):
            await SignedGateway(client).ship([{}])
            await anchored(client, is_kept("file", size))
        view = await signed_log(client)
    lines = [json.loads(line) for line in (tmp_path / "checkpoints.jsonl").read_text().splitlines()]
    assert {one["tenant"] for one in lines} == {str(client.tenant_id)}
    sizes = [one["size"] for one in lines]
    assert sizes == sorted(sizes)
    assert sizes[-3:] == [before + 1, before + 2, before + 3]
    key = VerifierKey.parse(view["key"])
    assert [open_checkpoint(one["checkpoint"], [key]).size for one in lines] == sizes


async def test_a_place_that_is_away_holds_up_nothing_and_is_noted(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """Records come in, checkpoints are signed; the log says why nothing is kept, and readiness."""
    name = await asyncio.to_thread(make_database, postgres_server)
    limits = replace(
        SOON,
        proving=ProvingLimits(
            SOON.proving.checkpoints,
            AnchoringLimits(poll_seconds=0.02, pause_seconds=0.02, late_seconds=0),
        ),
    )
    places = AnchorSettings(tmp_path / "no such folder" / "file", seconds=0)
    async with running_plane(
        postgres_server, name, tmp_path / "data", limits, anchors=places
    ) as client:
        assert (await SignedGateway(client).ship([{}])).status == 200
        await signed_log(client, 1)
        found = await anchored(client, lambda found: bool(found) and found[0]["attempts"] > 1)
        assert found[0]["status"] == "PENDING"
        assert found[0]["problem"] == "the file can't be written: no such file or directory"
        async with asyncio.timeout(20):
            while (ready := await client.call("GET", "/readyz")).body["checks"].get(
                "anchors"
            ) is None:
                await asyncio.sleep(0.02)
        assert (ready.status, ready.body["checks"]["anchors"]) == (200, "late")
