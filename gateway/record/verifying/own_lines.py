"""Lines of gateways without a log around them -> a verdict: a gateway's spool, or plain lines.

A spool proves itself by the head that its gateway signed. Plain lines prove only that they follow
each other: nothing says that they are all, or who wrote them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.record.log.signed_note import NoteError
from gateway.record.verifying.chain import GatewayClaims
from gateway.record.verifying.export import settle_chains
from gateway.record.verifying.line_facts import GATEWAY_ID
from gateway.record.verifying.reading import Lines, Progress, TooLongError
from gateway.record.verifying.report import Break, Kind, Report
from gateway.record.verifying.trust import Trust
from gateway.record.verifying.walk import Walk

_SEGMENT: Final = re.compile(r"records-(\d{20})\.jsonl")
_SMALL_BYTES_MAX: Final = 64 * 1024
UNPINNED_GATEWAY = (
    "the gateway's key was taken from the spool itself: compare it with the one you were given, "
    "or pass it with `--gateway-key`"
)

NO_CHECKPOINT = (
    "there is no checkpoint: these lines follow each other, but nothing proves that they are all, "
    "or who wrote them"
)


def is_spool(directory: Path) -> bool:
    """Whether a directory is what a gateway keeps its record in."""
    return (directory / "gateway_id").is_file() or any(directory.glob("records-*.jsonl"))


def verify_spool(directory: Path, trust: Trust, progress: Progress | None = None) -> Report:
    """Verify a gateway's spool, also while the gateway writes to it.

    Raises:
        OSError: it can't be read.
    """
    report = Report(Kind.SPOOL)
    # The head first: lines that come while we read can only be more than it covers.
    gateway = _small(directory / "gateway_id").strip()
    key, head = _small(directory / "signing_key.pub").strip(), _small(directory / "signed_head")
    if not GATEWAY_ID.fullmatch(gateway.encode("utf-8", "replace")):
        return report.found(Break("the spool's `gateway_id` is damaged"))
    claims = {gateway: GatewayClaims((key,) if key else (), (head,) if head else ())}
    segments = sorted(path for path in directory.iterdir() if _SEGMENT.fullmatch(path.name))
    try:
        walk = Walk(
            first_index=_first_seq(segments[0]) - 1 if segments else 0,
            is_whole=False,
            must_end_signed=True,
            is_strict=trust.is_strict,
            claims=claims,
        )
    except NoteError as error:
        return report.found(Break(f"the spool's `signed_head`: {error.message}"))
    for path in segments:
        if not _walk_segment(path, path is segments[-1], walk, report, progress):
            break
    first = walk.index if not segments else _first_seq(segments[0]) - 1
    walk.finish_into(report)
    report.record_count = walk.index - first
    settle_chains(walk, trust, claims if walk.chains else {}, report)
    _say_spool(gateway, walk, report)
    return report


def _walk_segment(
    path: Path, is_last: bool, walk: Walk, report: Report, progress: Progress | None
) -> bool:
    if _first_seq(path) != walk.index + 1:
        text = f"records from {walk.index + 1} are missing before `{path.name}`"
        report.found(Break(text, walk.index))
        return False
    with path.open("rb") as file:
        lines = Lines(file, progress)
        try:
            for batch in lines.batches():
                walk.take(batch)
        except TooLongError as error:
            report.found(Break(str(error), walk.index))
            return False
    if lines.rest and is_last:
        report.notes.append("the last line is not whole yet: it was being written")
    elif lines.rest:
        report.found(Break(f"the last line of `{path.name}` is cut off", walk.index))
        return False
    return True


def _say_spool(gateway: str, walk: Walk, report: Report) -> None:
    strangers = [name.decode() for name in walk.chains if name != gateway.encode()]
    if strangers:
        report.found(Break(f"the spool holds records of gateway `{strangers[0]}`"))
    chain = walk.chains.get(gateway.encode())
    if chain is None:
        report.lacks.append("the spool holds no record")
        return
    beyond = [seq for seq, _ in chain.all_heads if seq > chain.last_seq]
    if beyond and chain.is_sound:
        text = f"the spool ends at record {chain.last_seq}, but record {max(beyond)} was signed"
        report.found(Break(text, chain.last_index, gateway, chain.last_seq + 1))
    if chain.first_seq > 1:
        report.notes.append(f"records before {chain.first_seq} are no longer in the spool")
    if not any(part.is_key_pinned for part in report.gateways):
        report.notes.append(UNPINNED_GATEWAY)


def verify_lines(first_line: bytes | None, lines: Lines, trust: Trust) -> Report:
    """Verify record lines as they are, of any number of gateways."""
    report = Report(Kind.LINES)
    walk = Walk(is_whole=False, must_end_signed=False, is_strict=trust.is_strict)
    try:
        if first_line is not None:
            walk.take([first_line])
        for batch in lines.batches():
            walk.take(batch)
    except TooLongError as error:
        report.found(Break(str(error), walk.index))
    if lines.rest:
        report.found(Break("the last line is cut off", walk.index))
    walk.finish_into(report)
    settle_chains(walk, trust, {}, report)
    for part in report.gateways:
        if part.first_seq > 1:
            report.notes.append(
                f"gateway `{part.gateway}`: these lines begin at record {part.first_seq}"
            )
    report.lacks = [NO_CHECKPOINT]
    return report


def _first_seq(path: Path) -> int:
    found = _SEGMENT.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def _small(path: Path) -> str:
    """A small file's text; empty where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_SMALL_BYTES_MAX).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
