"""The signer beside the database: two of them, one without its memory, one that can't keep it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlplane.services.log.checkpointing import Checkpointing, CheckpointSettings
from controlplane.services.log.signer import STATE_FOLDER, LogSigner, SignerState
from controlplane.services.signing_keys import LOGS, load_signing_key
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.incidents import IncidentStore
from controlplane.store.log import LogStore
from controlplane.telemetry import Metrics
from tests.support.control_plane import Client, running_plane
from tests.support.database import everybodys, make_database
from tests.support.signed_gateway import SIGNING_SOON, SignedGateway, log_size, signed_log


def replica(client: Client, data_dir: Path, memory: Path) -> Checkpointing:
    """A signer with the installation's key and a memory of its own."""
    database = everybodys(client.plane.database)
    key = load_signing_key(data_dir, None, LOGS)
    assert key is not None
    signer = LogSigner(key, SignerState(memory))
    return Checkpointing(
        LogStore(database), IncidentStore(database), signer, Metrics(), CheckpointSettings()
    )


async def test_two_replicas_sign_one_history(client: Client, data_dir: Path, tmp_path: Path):
    """Each adds to what the other signed, and none stores a smaller one behind a larger."""
    one = replica(client, data_dir, tmp_path / "one")
    other = replica(client, data_dir, tmp_path / "other")
    gateway, tenant = SignedGateway(client), client.tenant_id
    before = await log_size(client)
    for count in (3, 300, 1):
        await gateway.ship([{}] * count)
        await asyncio.gather(*(each.sign(tenant) for each in (one, other, one, other)))
        assert (one.problem(tenant), other.problem(tenant)) == (None, None)
    listed = (await client.call("GET", "/v1/log/checkpoints?limit=500")).body["checkpoints"]
    sizes = [each["size"] for each in listed]
    assert sizes[0] == before + len(gateway.lines)
    assert sizes == sorted(sizes, reverse=True)


async def test_a_signer_without_memory_goes_on_from_what_its_key_signed(
    client: Client, data_dir: Path, tmp_path: Path
):
    """Files that were lost, or a replica that is new: it takes up its own key's last checkpoint."""
    gateway, tenant = SignedGateway(client), client.tenant_id
    await gateway.ship([{}] * 300)
    assert await replica(client, data_dir, tmp_path / "lost").sign(tenant) is not None
    await gateway.ship([{}])
    new = replica(client, data_dir, tmp_path / "new")
    row = await new.sign(tenant)
    assert row is not None
    assert new.problem(tenant) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the signer's memory is damaged"),
        (b'{"size": 3, "subtrees": [], "stored_size": 3}', "the signer's memory is damaged"),
    ],
    ids=["empty", "of no tree"],
)
async def test_a_damaged_memory_counts_as_none_at_no_time(
    client: Client, data_dir: Path, tmp_path: Path, content: bytes, problem: str
):
    """It signs nothing, rather than forget what it signed."""
    tenant = client.tenant_id
    (tmp_path / f"{tenant}.json").write_bytes(content)
    signer = replica(client, data_dir, tmp_path)
    assert await signer.sign(tenant) is None
    assert signer.problem(tenant) == problem
    assert signer.is_refusing


async def test_what_cannot_be_remembered_is_not_signed(
    client: Client, data_dir: Path, tmp_path: Path
):
    """A full or missing disk: the signature would be one that nobody holds the next one against."""
    (tmp_path / "file").write_text("where a folder should be")
    await SignedGateway(client).ship([{}])
    signer = replica(client, data_dir, tmp_path / "file")
    before = (await client.call("GET", "/v1/log/checkpoints")).body["checkpoints"]
    assert await signer.sign(client.tenant_id) is None
    assert "memory can't be" in (signer.problem(client.tenant_id) or "")
    assert (await client.call("GET", "/v1/log/checkpoints")).body["checkpoints"] == before


async def test_a_control_plane_signs_what_grew_before_it_ends(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """And goes on from there: nothing that it took is left without a signature for long."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as client:
        await signed_log(client, 0)
        before = await log_size(client)
        await SignedGateway(client).ship([{}] * 5)
    async with running_plane(postgres_server, name, tmp_path, SIGNING_SOON) as client:
        view = (await client.call("GET", "/v1/log")).body
        assert (view["size"], view["checkpointSize"], view["problem"]) == (
            before + 5, before + 5, None,
        )  # fmt: skip
        assert (tmp_path / STATE_FOLDER / f"{client.tenant_id}.json").stat().st_mode & 0o077 == 0
