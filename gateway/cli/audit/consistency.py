"""`checkrein audit consistency`: that the log only grew from one checkpoint to another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.audit.proof_files import (
    from_option,
    hand_out,
    output_option,
    proof_line,
    unusable,
)
from gateway.cli.audit.trust import key_option, load
from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.api import Api
    from gateway.record.verifying.trust import Trust

CHECKPOINT_BYTES_MAX = 256 * 1024
PAGE = 500


@click.command(
    epilog="""\b
Examples:
  checkrein audit consistency kept-last-month.txt            with the newest checkpoint
  checkrein audit consistency kept-in-may.txt kept-in-june.txt -o grew.json
  checkrein audit consistency 120000 125000                  by their sizes
  checkrein audit consistency kept.txt --from log.jsonl      out of an export, without any server
"""
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False)
@output_option
@from_option
@key_option
@data_dir_option
@json_option
def consistency(
    old: str,
    new: str | None,
    output_file: Path | None,
    export_file: Path | None,
    keys: tuple[str, ...],
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Prove that the log only grew from one checkpoint to another.

    On a terminal the verdict is told in words; `--json`, a pipe and `-o` give the proof itself.
    OLD and NEW are files that hold a checkpoint, or sizes of which the server has one; without
    NEW, the newest one is taken. Exit status 1: no log holds both, so one of them was forged.
    """
    trust = load(keys)
    source: _Source = (
        _ExportSource(export_file, trust)
        if export_file is not None
        else _ServerSource(open_session(data_dir_path, json_wanted)[0])
    )
    before = source.note(old)
    after = source.newest() if new is None else source.note(new)
    sizes = [_size(before, old), _size(after, new or "the newest one")]
    if sizes[0] > sizes[1]:
        raise CommandError(
            f"OLD is of {sizes[0]} records and NEW of {sizes[1]}",
            "a log never shrinks: exchange them, or show both to whoever looks into it",
            status=EXIT_FAILED,
        )
    path = source.path(*sizes)
    proof = {"consistency": "checkrein/1", "old": before, "new": after, "path": path}
    data = proof_line({**proof, "log_key": source.key()})
    return hand_out(data, output_file, trust, data_dir_path, json_wanted, _said(*sizes))


def _said(before: int, after: int) -> tuple[str, ...]:
    grown = after - before
    how = "is the same" if not grown else f"grew by {grown}, and nothing before was changed"
    return (
        f"From {before} to {after} records the log {how}.",
        "`-o FILE` writes the proof of it; `checkrein audit verify FILE` checks it anywhere.",
    )


class _Source:
    """Where checkpoints and the path between them come from."""

    def note(self, named: str) -> str:
        """The checkpoint of a file, or of a size."""
        file = Path(named)
        if file.is_file():
            with file.open("rb") as stream:
                return stream.read(CHECKPOINT_BYTES_MAX).decode("utf-8", "replace")
        if not named.isascii() or not named.isdigit():
            raise CommandError(
                f"`{named}` is neither a file nor a size",
                "name a file that holds a checkpoint, or a number of records",
                status=EXIT_USAGE,
            )
        return self.of_size(int(named))

    def of_size(self, size: int) -> str:
        raise NotImplementedError

    def newest(self) -> str:
        raise NotImplementedError

    def path(self, old: int, new: int) -> Sequence[str]:
        raise NotImplementedError

    def key(self) -> str:
        raise NotImplementedError


class _ServerSource(_Source):
    def __init__(self, api: Api) -> None:
        self._api = api

    def of_size(self, size: int) -> str:
        cursor: object = None
        while True:
            page = self._api.get("/v1/log/checkpoints", {"limit": PAGE, "cursor": cursor})
            for each in page["checkpoints"]:
                if each["size"] == size:
                    return str(each["checkpoint"])
            smallest = min((each["size"] for each in page["checkpoints"]), default=0)
            cursor = page["nextCursor"]
            if cursor is None or smallest < size:
                raise CommandError(
                    f"no checkpoint was signed of {size} records",
                    "`GET /v1/log/checkpoints` lists them; or name a file that holds one",
                )

    def newest(self) -> str:
        return str(self._api.get("/v1/log/checkpoint")["checkpoint"])

    def path(self, old: int, new: int) -> Sequence[str]:
        answer = self._api.get("/v1/log/consistency", {"old": old, "new": new})
        path: list[str] = answer["consistency"]
        return path

    def key(self) -> str:
        return str(self._api.get("/v1/log")["key"])


class _ExportSource(_Source):
    def __init__(self, file: Path, trust: Trust) -> None:
        from gateway.record.log.signed_note import NoteError
        from gateway.record.verifying.from_export import NotInExportError, read_export

        self._file = file
        try:
            with file.open("rb") as stream:
                self._read = read_export(stream, None, trust)
        except (NoteError, NotInExportError, OSError) as error:
            raise unusable(file, error) from None

    def of_size(self, size: int) -> str:
        if size == self._read.header.checkpoint.size:
            return self.newest()
        raise CommandError(
            f"the export holds no checkpoint of {size} records", "name a file that holds one"
        )

    def newest(self) -> str:
        return self._read.header.note

    def path(self, old: int, new: int) -> Sequence[str]:
        from gateway.record.verifying.from_export import NotInExportError, consistency_path

        try:
            return consistency_path(self._read, old, new)
        except NotInExportError as error:
            raise unusable(self._file, error) from None

    def key(self) -> str:
        return str(self._read.header.key.keys[0])


def _size(note: str, named: str) -> int:
    from gateway.record.log.checkpoint import parse_checkpoint
    from gateway.record.log.signed_note import NoteError, split_note

    try:
        return parse_checkpoint(split_note(note)[0]).size
    except NoteError as error:
        raise CommandError(
            f"`{named}` is not a checkpoint: {error.message}",
            "`checkrein audit anchors --json` shows the newest one; an export goes with `--from`",
            status=EXIT_USAGE,
        ) from None
