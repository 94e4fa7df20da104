"""A tenant whose records are signed and whose database somebody rewrites: what a superuser reaches,
and what an auditor and the signer then say."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from controlplane.services.log.checkpointing import Checkpointing, CheckpointSettings
from controlplane.services.log.growth import LogGrowth, add_leaves
from controlplane.services.log.signer import STATE_FOLDER, LogSigner, SignerState
from controlplane.services.signing_keys import LOGS, load_signing_key
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.incidents import IncidentStore
from controlplane.store.log import LogStore
from controlplane.telemetry import Metrics
from gateway.record.log.checkpoint import log_origin
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import Frontier, leaf_hash
from gateway.record.log.signed_note import Signer, VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import Client
from tests.support.database import everybodys
from tests.support.signed_gateway import SignedGateway
from tests.support.tenants import make_key, make_tenant

SIZE: Final = 10
"""Records 0 to 3 and 6 to 9 are of the first gateway, 4 and 5 of the second."""


@dataclass
class Attacked:
    """One tenant: what it had, and what its owner of the database can reach."""

    client: Client
    sql: asyncpg.Connection
    checkpointing: Checkpointing
    growth: LogGrowth
    tenant: uuid.UUID
    keys: Mapping[str, str]
    first: SignedGateway
    second: SignedGateway
    kept: str = ""
    root: bytes = b""
    halfway: str = ""

    async def run(self, statement: str, *values: object) -> None:
        """Run a statement on this tenant; $1 is its id."""
        await self.sql.execute(statement, self.tenant, *values)

    async def rewrite(self, index: int, line: str, *, is_leaf_too: bool) -> None:
        """Put another line in the place of one, and on demand all hashes that go with it."""
        record = await self.sql.fetchval(
            "select record_id from log_leaves where tenant_id = $1 and leaf_index = $2",
            self.tenant, index,
        )  # fmt: skip
        await self.run(
            "update records set line = $3, hash = $4 where tenant_id = $1 and record_id = $2",
            record, line, SignedGateway.hash_of(line),
        )  # fmt: skip
        if is_leaf_too:
            fields = json.loads(line)
            found = bytes.fromhex(SignedGateway.hash_of(line))
            data = leaf_data(fields["gateway"], fields["seq"], found.hex())
            await self.run(
                "update log_leaves set line_hash = $3, leaf_hash = $4 "
                "where tenant_id = $1 and leaf_index = $2",
                index, found, leaf_hash(data),
            )  # fmt: skip

    async def recompute_head(self, size: int) -> bytes:
        """Make the head of the log fit its leaves again; its root."""
        rows = await self.sql.fetch(
            "select leaf_hash, record_id from log_leaves where tenant_id = $1 and leaf_index < $2 "
            "order by leaf_index", self.tenant, size,
        )  # fmt: skip
        _, frontier = add_leaves(0, (), [row["leaf_hash"] for row in rows])
        await self.run(
            "update log_heads set size = $2, frontier = $3, through_record_id = $4 "
            "where tenant_id = $1",
            size, b"".join(frontier), rows[-1]["record_id"] if rows else 0,
        )  # fmt: skip
        return Frontier(size, frontier).root()

    async def put_checkpoint(self, note: str, size: int, root: bytes) -> None:
        await self.run(
            "insert into log_checkpoints (checkpoint_id, tenant_id, size, root, note) "
            "values ($2, $1, $3, $4, $5)",
            uuid.uuid4(), size, root, note,
        )  # fmt: skip

    def forged_key(self) -> Signer:
        """Another key of the log's own name."""
        return Signer.from_private_bytes(log_origin(str(self.tenant)), hashlib.sha256(b"").digest())

    async def verified(self) -> Report | None:
        """What an auditor says who exports it, with the pinned key and the checkpoint kept; None
        where there is no export to be had."""
        answer = await self.client.call("GET", "/v1/log/export", key=self.keys["RecordRead"])
        if answer.status != 200:
            assert answer.reason_code in {"LOG_UNSIGNED", "LOG_BROKEN"}
            return None
        signer = self.checkpointing.signer
        assert signer is not None
        key = VerifierKey.parse(signer.verifier_key(self.tenant))
        trust = Trust((key,), (), (self.kept,))
        return verify_stream(io.BytesIO(str(answer.body).encode()), trust)

    async def signer_says(self) -> str | None:
        """Why the signer refuses; None when it signs."""
        await self.checkpointing.sign(self.tenant)
        return self.checkpointing.problem(self.tenant)


def changed(line: str) -> str:
    """The line with one field that says something else."""
    return json.dumps(
        {**json.loads(line), "detail": "harmless"}, sort_keys=True, separators=(",", ":")
    )


def second_signer(client: Client, data_dir: Path) -> Checkpointing:
    """A second replica's signer, on the same key and memory."""
    database = everybodys(client.plane.database)
    key = load_signing_key(data_dir, None, LOGS)
    assert key is not None
    signer = LogSigner(key, SignerState(data_dir / STATE_FOLDER))
    return Checkpointing(
        LogStore(database), IncidentStore(database), signer, Metrics(), CheckpointSettings()
    )


async def attacked(
    server: EmbeddedPostgres,
    database: str,
    client: Client,
    sql: asyncpg.Connection,
    checkpointing: Checkpointing,
) -> Attacked:
    """A tenant with ten records, two checkpoints, and an auditor who kept both. What the control
    plane did for it is kept out of the log, so that the places of the ten are known."""
    for table, trigger in (("api_keys", "api_keys_told"), ("gateway_keys", "gateway_keys_told")):
        await sql.execute(f"alter table {table} disable trigger {trigger}")
    tenant, other = [await make_tenant(server, database) for _ in range(2)]
    keys = {"other tenant": str(other)}
    for role in ("Gateway", "RecordRead", "IncidentRead"):
        keys[role] = await make_key(server, database, [role], tenant=tenant)
    own = Client(client.plane, client.http, {**client.keys, "gateway": keys["Gateway"]})
    first, second = SignedGateway(own), SignedGateway(own)
    growth = LogGrowth(LogStore(everybodys(client.plane.database)), Metrics())
    at = Attacked(own, sql, checkpointing, growth, tenant, keys, first, second)
    for gateway in (first, second):
        assert (await gateway.enrol()).status == 200
    assert (await first.ship([{"detail": f"act {number}"} for number in range(4)])).status == 200
    assert (await second.ship([{"detail": "else"}] * 2)).status == 200
    halfway = await checkpointing.sign(tenant)
    assert (await first.ship([{"detail": f"act {number}"} for number in range(4)])).status == 200
    kept = await checkpointing.sign(tenant)
    assert halfway is not None
    assert kept is not None
    assert (halfway.size, kept.size) == (6, SIZE)
    at.halfway, at.kept, at.root = halfway.note, kept.note, kept.root
    return at
