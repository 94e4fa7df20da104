"""Whoever owns the database can change all of it, and is found out: by an auditor with an export,
the log's key and a checkpoint that was kept elsewhere, or by the signer, which signs nothing then.

Each way has a tenant of its own on one control plane, and is tried as the database's superuser with
triggers and row-level security out of the way.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from controlplane.services.log.checkpointing import CheckpointSettings
from controlplane.services.log.proving import ProvingLimits
from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.record.log.checkpoint import Checkpoint, log_origin, sign_checkpoint
from gateway.record.verifying.report import Report, Status
from tests.support.chains import chain
from tests.support.control_plane import LIMITS, Client, running_plane
from tests.support.database import connect_as
from tests.support.signed_gateway import SignedGateway
from tests.support.tampering import SIZE, Attacked, attacked, changed, second_signer


async def edit_a_field(at: Attacked) -> None:
    await at.run(
        "update records set line = replace(line, 'detail', 'retail') "
        "where tenant_id = $1 and gateway_id = $2 and seq = 3", at.first.id,
    )  # fmt: skip


async def edit_and_recompute_the_leaf(at: Attacked) -> None:
    await at.rewrite(2, changed(at.first.lines[2]), is_leaf_too=True)
    await at.recompute_head(SIZE)


async def edit_and_recompute_everything(at: Attacked) -> None:
    """The line, every line of the chain after it, leaves, heads: only the signatures are left."""
    entries = [json.loads(line) for line in at.first.lines]
    entries[2]["detail"] = "harmless"
    bare = [{k: v for k, v in e.items() if k not in {"seq", "prev"}} for e in entries]
    for seq, line in enumerate(chain(at.first.id, bare), 1):
        await at.rewrite(seq - 1 if seq <= 4 else seq + 1, line, is_leaf_too=True)
    await at.run(
        "update gateway_heads set hash = $3 where tenant_id = $1 and gateway_id = $2",
        at.first.id, SignedGateway.hash_of(line),
    )  # fmt: skip
    await at.recompute_head(SIZE)


async def delete_in_the_middle(at: Attacked) -> None:
    await at.run(
        "delete from records where tenant_id = $1 and gateway_id = $2 and seq = 3", at.first.id
    )


async def delete_with_its_leaf(at: Attacked) -> None:
    await delete_in_the_middle(at)
    await at.run("delete from log_leaves where tenant_id = $1 and leaf_index = 2")


async def delete_the_tail(at: Attacked) -> None:
    await at.run(
        "delete from records where tenant_id = $1 and gateway_id = $2 and seq > 6", at.first.id
    )


async def delete_the_tail_and_rewind(at: Attacked) -> None:
    """As if the last batch had never come, with the checkpoint of that moment on top."""
    await at.run(
        "delete from records where tenant_id = $1 and gateway_id = $2 and seq > 4", at.first.id
    )
    await at.run("delete from log_leaves where tenant_id = $1 and leaf_index >= 6")
    await at.run("delete from log_checkpoints where tenant_id = $1 and size > 6")
    await at.run("delete from gateway_signed_heads where tenant_id = $1 and seq > 4")
    await at.run(
        "update gateway_heads set seq = 4, hash = $3 where tenant_id = $1 and gateway_id = $2",
        at.first.id, SignedGateway.hash_of(at.first.lines[3]),
    )  # fmt: skip
    await at.recompute_head(6)


async def restore_a_backup_and_go_on(at: Attacked) -> None:
    """Yesterday's state, on which other records then grow beyond what was signed."""
    await delete_the_tail_and_rewind(at)
    await at.put_checkpoint(at.kept, SIZE, at.root)
    del at.first.lines[4:]
    assert (await at.first.ship([{"detail": "another history"}] * 6)).status == 200


async def swap_two_lines(at: Attacked) -> None:
    one, other = at.first.lines[1], at.first.lines[2]
    await at.rewrite(1, other, is_leaf_too=False)
    await at.rewrite(2, one, is_leaf_too=False)


async def move_a_row_to_another_tenant(at: Attacked) -> None:
    other = uuid.UUID(at.keys["other tenant"])
    await at.run(
        "update records set tenant_id = $3 where tenant_id = $1 and gateway_id = $2 and seq = 2",
        at.second.id, other,
    )  # fmt: skip


async def insert_a_forged_row(at: Attacked) -> None:
    """A record that the gateway never wrote, right behind its last one, under every head."""
    prev = SignedGateway.hash_of(at.first.lines[-1])
    (line,) = chain(at.first.id, [{"detail": "never happened"}], first=9, prev=prev)
    await at.run(
        "insert into records (tenant_id, gateway_id, seq, hash, line, kind, at) "
        "values ($1, $2, 9, $3, $4, 'gateway', '')",
        at.first.id, SignedGateway.hash_of(line), line,
    )  # fmt: skip
    await at.run(
        "update gateway_heads set seq = 9, hash = $3 where tenant_id = $1 and gateway_id = $2",
        at.first.id, SignedGateway.hash_of(line),
    )  # fmt: skip
    await at.growth.catch_up(at.tenant)
    await at.checkpointing.sign(at.tenant)
    answer = await at.first.ship([{"detail": "what the gateway really did next"}])
    assert answer.code == "RECORD_CONFLICT"


async def truncate_it(at: Attacked) -> None:
    for table in ("records", "log_leaves", "log_nodes", "log_heads", "log_checkpoints"):
        await at.run(f"delete from {table} where tenant_id = $1")


async def replace_the_checkpoints(at: Attacked) -> None:
    """Another history under a checkpoint of another key, with nothing else left."""
    await edit_and_recompute_everything(at)
    root = await at.recompute_head(SIZE)
    await at.run("delete from log_checkpoints where tenant_id = $1")
    forged = Checkpoint(log_origin(str(at.tenant)), SIZE, root)
    await at.put_checkpoint(sign_checkpoint(forged, at.forged_key()), SIZE, root)


async def delete_the_checkpoints(at: Attacked) -> None:
    await at.run("delete from log_checkpoints where tenant_id = $1")


async def show_an_older_checkpoint(at: Attacked) -> None:
    """A true one of a smaller log, as if it were the newest."""
    row = await at.sql.fetchrow(
        "select size, root from log_checkpoints where tenant_id = $1 and note = $2",
        at.tenant, at.halfway,
    )  # fmt: skip
    await at.put_checkpoint(at.halfway, row["size"], row["root"])


async def fork_with_the_stolen_key(at: Attacked) -> None:
    """Another history that the log's own key signed: what was shown before stands against it."""
    await edit_and_recompute_everything(at)
    root = await at.recompute_head(SIZE)
    signer = at.checkpointing.signer
    assert signer is not None
    forged = Checkpoint(log_origin(str(at.tenant)), SIZE, root)
    note = sign_checkpoint(forged, signer._signer(at.tenant))
    await at.run("delete from log_checkpoints where tenant_id = $1")
    await at.put_checkpoint(note, SIZE, root)


Tamper = Callable[[Attacked], Awaitable[None]]

NO_EXPORT: Final = "there is nothing to export"
SMALLER: Final = "the export is smaller than the checkpoint kept"
BEYOND: Final = "the last record is not signed by its gateway"
ANOTHER: Final = "the lines fit each other, and not the root that was signed"

FOUND: Final[Mapping[str, tuple[Tamper, int | str, str | None]]] = {
    "a field is edited": (edit_a_field, 2, None),
    "a line and its leaf are edited": (
        edit_and_recompute_the_leaf, 2, "the head of the log does not follow from its 10 records",
    ),
    "a line is edited and everything recomputed": (
        edit_and_recompute_everything, 9, "the head of the log does not follow from its 10 records",
    ),
    "a row is deleted": (delete_in_the_middle, 2, None),
    "a row and its leaf are deleted": (delete_with_its_leaf, 2, None),
    "the tail is deleted": (delete_the_tail, 8, None),
    "the tail is deleted and the head rewound": (
        delete_the_tail_and_rewind, SMALLER, "a log of 10 records was signed, now it has 6",
    ),
    "a backup is restored, and grows": (
        restore_a_backup_and_go_on, ANOTHER,
        "the head of the log does not follow from its 12 records",
    ),
    "two lines are swapped": (swap_two_lines, 1, None),
    "a row is moved to another tenant": (move_a_row_to_another_tenant, 5, None),
    "a forged row is inserted": (insert_a_forged_row, BEYOND, None),
    "everything is truncated": (
        truncate_it, NO_EXPORT, "a log of 10 records was signed, now it has 0",
    ),
    "the checkpoints are replaced": (
        replace_the_checkpoints, NO_EXPORT,
        "the newest checkpoint is not signed by the key of this log",
    ),
    "the checkpoints are deleted": (
        delete_the_checkpoints, NO_EXPORT, "the checkpoint of 10 records is gone",
    ),
    "an older checkpoint is shown": (
        show_an_older_checkpoint, SMALLER, "the checkpoint of 10 records is gone",
    ),
    "a fork is signed with the stolen key": (
        fork_with_the_stolen_key, 9, "the newest checkpoint is of another log of 10 records",
    ),
}  # fmt: skip
"""What is done; the first bad record that the export's verification names, or what else it says;
why the signer refuses (None: it signs, having nothing against it)."""


def verdict(report: Report | None) -> int | str:
    """What an auditor takes from it."""
    if report is None:
        return NO_EXPORT
    if report.breaks:
        index = report.breaks[0].index
        return ANOTHER if index is None else index
    assert report.status is Status.INCOMPLETE
    (lack,) = report.lacks
    if "the given checkpoint is of 10 records" in lack:
        return SMALLER
    assert "the last 1 record" in lack, lack
    return BEYOND


@pytest.fixture
async def client(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """A control plane whose own signer waits to be asked: what it began to sign before a table was
    truncated would else be put there after."""
    seldom = replace(LIMITS, proving=ProvingLimits(CheckpointSettings(poll_seconds=3_600)))
    async with running_plane(postgres_server, database_name, data_dir, seldom) as found:
        yield found


async def test_whoever_rewrites_the_database_is_found_out(
    client: Client,
    data_dir: Path,
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """Every way, with the first bad record or the signer's reason; what nobody touched verifies."""
    checkpointing = second_signer(client, data_dir)
    sql = await connect_as(postgres_server, Role.SUPERUSER, database_name)
    await sql.execute("set session_replication_role = replica")
    found: dict[str, Any] = {}
    try:
        untouched = await attacked(postgres_server, database_name, client, sql, checkpointing)
        for name, (tamper, _, _) in FOUND.items():
            at = await attacked(postgres_server, database_name, client, sql, checkpointing)
            await tamper(at)
            found[name] = (tamper, verdict(await at.verified()), await at.signer_says())
        report = await untouched.verified()
        assert report is not None
        assert (report.status, report.lacks) == (Status.VERIFIED, [])
        assert await untouched.signer_says() is None
    finally:
        await sql.close()
    assert found == dict(FOUND)
