"""`python -m gateway.record.verify FILE`: the verifier alone, without the rest of the product.

It needs a Python with `cryptography` and nothing else, so that an auditor can run it, and read all
of it, on a machine of their own. `checkrein audit verify` is the same with the command's comforts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from gateway.record.log.checkpoint import parse_checkpoint
from gateway.record.log.signed_note import NoteError, VerifierKey, split_note
from gateway.record.verifying.files import NotRecordError, verify_path, verify_stream
from gateway.record.verifying.proof import parse_keys
from gateway.record.verifying.report import Report, Status
from gateway.record.verifying.trust import Trust
from gateway.record.verifying.wording import report_lines

PROGRESS_SECONDS: Final = 0.2
_SMALL_BYTES_MAX: Final = 1024 * 1024

_EPILOG = """\
exit status:
  0  verified
  1  tampered: the first bad record is named
  2  usage: a file can't be read, or holds no key or checkpoint
  3  incomplete: nothing contradicts, but a promise lacks its evidence

examples:
  python -m gateway.record.verify export.jsonl --key 'checkrein/log/...+1a2b3c4d+AQ...'
  python -m gateway.record.verify export.jsonl --key log.key --checkpoint kept-last-month.txt
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the files that are named; the worst of their verdicts is the exit status."""
    given = _parser().parse_args(arguments)
    try:
        trust = load_trust(given.key, given.gateway_key, given.checkpoint, is_strict=given.strict)
        reports = [(name, _verify(name, trust)) for name in given.file]
    except (OSError, ValueError, NoteError) as error:
        sys.stderr.write(f"error: {_plain(describe(error))}\n")
        return Status.USAGE
    for name, report in reports:
        if given.json:
            sys.stdout.write(json.dumps({"file": name, **report.to_json()}) + "\n")
            continue
        if len(reports) > 1:
            sys.stdout.write(f"{_plain(name)}\n")
        for _, line in report_lines(report):
            sys.stdout.write(_plain(line) + "\n")
    return worst(report.status for _, report in reports)


def worst(statuses: Iterable[Status]) -> Status:
    """The verdict on several files: tampering outweighs lacking evidence."""
    found = set(statuses)
    for status in (Status.TAMPERED, Status.INCOMPLETE):
        if status in found:
            return status
    return Status.VERIFIED


def load_trust(
    keys: Sequence[str],
    gateway_keys: Sequence[str],
    checkpoints: Sequence[str | Path],
    *,
    is_strict: bool = False,
) -> Trust:
    """What was brought along: keys as texts or as names of files that hold them.

    Raises:
        OSError: a file can't be read.
        NoteError: a key is none, or a checkpoint.
    """
    return Trust(
        tuple(key for text in keys for key in _keys(text)),
        tuple(key for text in gateway_keys for key in _keys(text)),
        tuple(_checkpoint(Path(each)) for each in checkpoints),
        is_strict,
    )


def _keys(text: str) -> list[VerifierKey]:
    try:
        return [VerifierKey.parse(text)]
    except NoteError as error:
        path = Path(text)
        if not path.is_file():
            raise NoteError.malformed(
                f"`{text}` is neither a key nor a file: {error.message}"
            ) from None
        keys = parse_keys(_small(path))
        if not keys:
            raise NoteError.malformed(f"`{text}` holds no key") from None
        return keys


def _checkpoint(path: Path) -> str:
    """The note in a file; by whom it is signed is seen when it is held against a log."""
    note = _small(path)
    try:
        parse_checkpoint(split_note(note)[0])
    except NoteError as error:
        raise NoteError.malformed(f"`{path}` holds no checkpoint: {error.message}") from None
    return note


def _small(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_SMALL_BYTES_MAX).decode("utf-8")


def describe(error: Exception) -> str:
    """What is wrong, in a sentence."""
    match error:
        case OSError():
            return f"`{error.filename}` can't be read: {(error.strerror or 'no reason').lower()}"
        case NoteError():
            return error.message
        case UnicodeDecodeError():
            return "a key or checkpoint is not text"
        case _:
            return str(error)


def _verify(name: str, trust: Trust) -> Report:
    if name == "-":
        return verify_stream(sys.stdin.buffer, trust)
    path = Path(name)
    if not path.exists():
        raise NotRecordError(f"there is no file `{name}`")
    return verify_path(path, trust, progress_of(path))


class Progress:
    """Says on a terminal how far reading has come; silent anywhere else."""

    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._next_at = time.monotonic() + PROGRESS_SECONDS
        self._has_written = False

    def __call__(self, done_bytes: int) -> None:
        now = time.monotonic()
        if done_bytes >= self._total_bytes:
            if self._has_written:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
        elif now >= self._next_at:
            self._next_at = now + PROGRESS_SECONDS
            self._has_written = True
            percent = 100 * done_bytes // self._total_bytes
            sys.stderr.write(f"\r{percent:3d} % of {self._total_bytes >> 20} MB")
            sys.stderr.flush()


def progress_of(path: Path) -> Progress | None:
    """Progress through a file; None without a terminal to show it on."""
    if not path.is_file() or not sys.stderr.isatty():
        return None
    return Progress(path.stat().st_size)


def _plain(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.record.verify",
        description="Verify an export, a proof, a gateway's spool or record lines, offline.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="+", help="what to verify; `-` is standard input")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help="the log's verifier key, or a file that holds it; repeatable",
    )
    parser.add_argument(
        "--gateway-key",
        action="append",
        default=[],
        help="a gateway's verifier key, or a file that holds it; repeatable",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        help="a file with a checkpoint that was kept elsewhere; repeatable",
    )
    parser.add_argument(
        "--strict", action="store_true", help="also parse each line and check its canonical form"
    )
    parser.add_argument("--json", action="store_true", help="write the verdict as JSON")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
