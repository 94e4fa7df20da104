"""`/v1/log`: the tenant's log that proves itself; `/v1/gateways/{gateway}/key`: who signs in it."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from controlplane.api.contract import At, Body, Id, Query, View
from controlplane.api.exports import still_may_export, streamed
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import Name, parse_body, parse_query, timestamp
from controlplane.api.records import GATEWAY_ID, GatewayId, SignedNote
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.services.log.export import VERSION
from controlplane.services.log.proofs import texts
from controlplane.services.log.reading import RecordProof
from controlplane.store.log import CheckpointRow
from controlplane.store.log_anchors import AnchorRow
from gateway.model.codec import JsonValue

KEY_LENGTH_MAX = 256

Size = Annotated[int, Field(ge=0, le=2**63 - 1)]

LINES = "application/x-ndjson"


class SinceQuery(Query):
    """`since`: a size of this log that the caller knows; the answer then proves that the newest
    checkpoint only added to it."""

    since: Size | None = None


class PagesQuery(Query):
    limit: Count = 100
    cursor: NumberCursor | None = None


class ProofQuery(Query):
    """A record by its gateway and number, or all records of a decision."""

    gateway: GatewayId | None = None
    seq: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    decisionId: Name | None = None


class ConsistencyQuery(Query):
    old: Size
    new: Size


class ExportQuery(Query):
    """`first` is counted from 0; without `count` it goes up to the newest checkpoint."""

    first: Size = 0
    count: Size | None = None


class KeyBody(Body):
    """`key`: a verifier key of C2SP `signed-note`, named `checkrein/gateway/` and the id. `proof`:
    a note over that text, signed by the key, and by the one before it where there is one."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=KEY_LENGTH_MAX)]
    proof: SignedNote


class KeyAnswer(View):
    gatewayId: str
    key: str
    enrolledAt: At


class AnchorView(View):
    """`status`: `PENDING` is tried again, `ANCHORED` is there, `TOLD` was handed to the tenant's
    webhook channels. `reference` is what it is called there."""

    checkpointId: Id
    size: int
    place: Literal["file", "s3", "webhook"]
    status: Literal["PENDING", "ANCHORED", "TOLD"]
    attempts: int
    problem: str | None
    reference: str | None
    madeAt: At
    endedAt: At | None


class AnchorsAnswer(View):
    anchors: list[AnchorView]
    nextCursor: str | None


class LogAnswer(View):
    """`size` counts the records in the log; `checkpoint` is the newest signed note. `problem` says
    why nothing is signed. `anchors`: of each place the newest one, and the newest that is there.
    `unsignedGateways` have records and no key."""

    origin: str
    key: str | None
    size: int
    checkpoint: str | None
    checkpointSize: int | None
    checkpointAt: At | None
    problem: str | None
    anchors: list[AnchorView]
    unsignedGateways: list[str]


class CheckpointAnswer(View):
    """`consistency`: hashes that prove it (RFC 6962, section 2.1.2), in base64."""

    checkpoint: str
    consistency: list[str]


class CheckpointView(View):
    """`checkpoint` is the signed note (C2SP `tlog-checkpoint`); `root` stands in it too."""

    checkpointId: Id
    size: int
    root: str
    checkpoint: str
    signedAt: At


class CheckpointsAnswer(View):
    checkpoints: list[CheckpointView]
    nextCursor: str | None


class ProofView(View):
    """`tlog_proof` (C2SP `tlog-proof`) proves the line's leaf. `line` null: it was erased, and
    `hash` (SHA-256, hexadecimal) is what is left of it."""

    proof: Literal["checkrein/1"]
    line: str | None
    gateway: str
    seq: int
    hash: str
    tlog_proof: str


class ProofsAnswer(View):
    proofs: list[ProofView]


class DifferenceView(View):
    """`seq` is the number of the record of `control-plane`; null: a row has no record. `id` is the
    row's. `isThere` false: it is gone. An `event` that ends in `_rewritten` is told for good."""

    seq: int | None
    event: str
    id: str
    isThere: bool


class ActsAnswer(View):
    """Empty when all is well. A hundred are shown at most."""

    differences: list[DifferenceView]


class ConsistencyAnswer(View):
    old: int
    new: int
    consistency: list[str]


async def about(call: Call) -> web.Response:
    """Read how far the log goes, what was signed of it last, and where that is kept."""
    view = await call.services.logs.about(call.caller)
    newest = view.newest
    return answer(
        {
            "origin": view.origin,
            "key": view.key,
            "size": view.size,
            "checkpoint": None if newest is None else newest.note,
            "checkpointSize": None if newest is None else newest.size,
            "checkpointAt": None if newest is None else timestamp(newest.signed_at),
            "problem": view.problem,
            "anchors": [_render_anchor(row) for row in view.anchors],
            "unsignedGateways": [*view.unsigned_gateways],
        }
    )


async def checkpoint(call: Call) -> web.Response:
    """Read the newest checkpoint, and that it holds the log as the caller knows it."""
    query = parse_query(call.http, SinceQuery)
    row, path = await call.services.logs.checkpoint(call.caller, query.since)
    return answer({"checkpoint": row.note, "consistency": [*texts(path)]})


async def checkpoints(call: Call) -> web.Response:
    """List what was signed, newest first."""
    query = parse_query(call.http, PagesQuery)
    rows = await call.services.logs.checkpoints(call.caller, query.cursor, query.limit)
    return answer(
        {
            "checkpoints": [render_checkpoint(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.seq),
        }
    )


async def anchors(call: Call) -> web.Response:
    """List where checkpoints were kept, newest first."""
    query = parse_query(call.http, PagesQuery)
    rows = await call.services.logs.anchors(call.caller, query.cursor, query.limit)
    return answer(
        {
            "anchors": [_render_anchor(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.seq),
        }
    )


async def proof(call: Call) -> web.Response:
    """Prove that records are in the log."""
    query, logs = parse_query(call.http, ProofQuery), call.services.logs
    match query.gateway, query.seq, query.decisionId:
        case str(gateway), int(seq), None:
            proofs = [await logs.prove_record(call.caller, gateway, seq)]
        case None, None, str(decision):
            proofs = [*await logs.prove_decision(call.caller, decision)]
        case _:
            raise ControlFault(
                Fault.INVALID_ARGUMENT, "give `gateway` and `seq`, or `decisionId` alone"
            )
    return answer({"proofs": [_render_proof(each) for each in proofs]})


async def consistency(call: Call) -> web.Response:
    """Prove that the log of one size is the beginning of that of another."""
    query = parse_query(call.http, ConsistencyQuery)
    path = await call.services.logs.consistency(call.caller, query.old, query.new)
    return answer({"old": query.old, "new": query.new, "consistency": [*texts(path)]})


async def acts(call: Call) -> web.Response:
    """Hold the tables of what people did, and of keys, agents and channels, against the records of
    them."""
    found = await call.services.logs.rewritten(call.caller)
    return answer(
        {
            "differences": [
                {"seq": row.seq, "event": row.event, "id": row.row_id, "isThere": row.is_there}
                for row in found
            ]
        }
    )


async def export(call: Call) -> web.Response:
    """Export a range of the log as a file that verifies without us."""
    query = parse_query(call.http, ExportQuery)
    lines = await call.services.log_exports.export(
        call.caller, query.first, query.count, still_may_export(call)
    )
    return streamed(lines, "log.jsonl", LINES)


async def enrol(call: Call) -> web.Response:
    """Take the key that a gateway signs its records with; another one only with the word of the
    one before it."""
    body = await parse_body(call.http, KeyBody)
    gateway_id = call.http.match_info["gateway"]
    if not GATEWAY_ID.fullmatch(gateway_id):
        raise not_found("gateway")
    row = await call.services.gateway_keys.enrol(call.caller, gateway_id, body.key, body.proof)
    return answer(
        {"gatewayId": gateway_id, "key": row.key, "enrolledAt": timestamp(row.enrolled_at)}
    )


_READERS = (Permission.RECORD_READ, Permission.ADMIN)

ROUTES = (
    route("GET", "/v1/log", about, *_READERS, Permission.GATEWAY, answers=LogAnswer),
    route(
        "GET", "/v1/log/checkpoint", checkpoint, *_READERS, Permission.GATEWAY,
        query=SinceQuery, answers=CheckpointAnswer,
    ),
    route(
        "GET", "/v1/log/checkpoints", checkpoints, *_READERS,
        query=PagesQuery, answers=CheckpointsAnswer,
    ),
    route("GET", "/v1/log/anchors", anchors, *_READERS, query=PagesQuery, answers=AnchorsAnswer),
    route("GET", "/v1/log/proof", proof, *_READERS, query=ProofQuery, answers=ProofsAnswer),
    route(
        "GET", "/v1/log/consistency", consistency, *_READERS,
        query=ConsistencyQuery, answers=ConsistencyAnswer,
    ),
    route("GET", "/v1/log/acts", acts, *_READERS, answers=ActsAnswer),
    route("GET", "/v1/log/export", export, *_READERS, query=ExportQuery, files=(LINES,)),
    route(
        "PUT", "/v1/gateways/{gateway}/key", enrol, Permission.GATEWAY,
        body=KeyBody, answers=KeyAnswer,
    ),
)  # fmt: skip


def render_checkpoint(row: CheckpointRow) -> dict[str, JsonValue]:
    """A checkpoint as the API shows it."""
    return {
        "checkpointId": str(row.checkpoint_id),
        "size": row.size,
        "root": base64.b64encode(row.root).decode(),
        "checkpoint": row.note,
        "signedAt": timestamp(row.signed_at),
    }


def _render_anchor(row: AnchorRow) -> dict[str, JsonValue]:
    return {
        "checkpointId": str(row.checkpoint_id),
        "size": row.size,
        "place": row.place.value,
        "status": row.status.value,
        "attempts": row.attempts,
        "problem": row.problem,
        "reference": row.reference,
        "madeAt": timestamp(row.made_at),
        "endedAt": timestamp(row.ended_at),
    }


def _render_proof(proof: RecordProof) -> dict[str, JsonValue]:
    return {
        "proof": VERSION,
        "line": proof.line,
        "gateway": proof.gateway_id,
        "seq": proof.seq,
        "hash": proof.line_hash,
        "tlog_proof": proof.tlog_proof,
    }
