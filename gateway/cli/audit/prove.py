"""`checkrein audit prove`: single records, proved without showing any other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.api import Refused
from gateway.cli.audit.proof_files import (
    Json,
    from_option,
    hand_out,
    output_option,
    proof_line,
    unusable,
)
from gateway.cli.audit.trust import key_option, load
from gateway.cli.failures import CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.record.verifying.trust import Trust

_PLACE = re.compile(r"(?P<gateway>[A-Za-z0-9][A-Za-z0-9_.-]{0,63}):(?P<seq>[1-9][0-9]{0,15})")


@click.command(
    epilog="""\b
Examples:
  checkrein audit prove dec_01K... -o proof.json      every record of a decision
  checkrein audit prove gw_dcf98e86cc6254f5:120       one record by its gateway and number
  checkrein audit prove dec_01K... --from log.jsonl   out of an export, without any server
  checkrein audit verify proof.json --key log.key     what the receiver does
"""
)
@click.argument("record", metavar="DECISION_ID|GATEWAY:SEQ")
@output_option
@from_option
@key_option
@data_dir_option
@json_option
def prove(
    record: str,
    output_file: Path | None,
    export_file: Path | None,
    keys: tuple[str, ...],
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Prove that a record is in the log, without showing any other record.

    Writes one line for each record: the record, and hashes that lead from it to a checkpoint that
    the log's key signed (C2SP `tlog-proof`). It is verified before it is written.
    """
    trust = load(keys)
    proofs = (
        _prove_from(export_file, record, trust)
        if export_file is not None
        else _prove_online(record, data_dir_path, json_wanted)
    )
    data = "".join(proof_line(proof) for proof in proofs)
    return hand_out(data, output_file, trust, data_dir_path, json_wanted)


def _prove_online(record: str, data_dir_path: Path | None, json_wanted: bool) -> list[Json]:
    api, _ = open_session(data_dir_path, json_wanted)
    place = _PLACE.fullmatch(record)
    query = {"decisionId": record} if place is None else place.groupdict()
    try:
        proofs: list[Json] = api.get("/v1/log/proof", query)["proofs"]
    except Refused as error:
        if error.detail.get("code") != "NOT_FOUND":
            raise
        raise CommandError(
            error.message, "`checkrein audit tail --json` shows the newest ones with their ids"
        ) from None
    key = api.get("/v1/log")["key"]
    return [{**proof, "log_key": key} for proof in proofs]


def _prove_from(export_file: Path, record: str, trust: Trust) -> list[Json]:
    from gateway.record.log.signed_note import NoteError
    from gateway.record.verifying.from_export import (
        NotInExportError,
        Wanted,
        prove_records,
        read_export,
    )

    place = _PLACE.fullmatch(record)
    wanted = (
        Wanted(decision_id=record)
        if place is None
        else Wanted(gateway=place["gateway"], seq=int(place["seq"]))
    )
    try:
        with export_file.open("rb") as stream:
            read = read_export(stream, wanted, trust)
            proofs = prove_records(read)
    except (NoteError, NotInExportError, OSError) as error:
        raise unusable(export_file, error) from None
    return [{**proof, "log_key": str(read.header.key.keys[0])} for proof in proofs]
