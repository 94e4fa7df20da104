"""Proofs of one record, or of two checkpoints -> a verdict.

A record's proof is a C2SP `tlog-proof` beside the record's line; a proof of consistency is two
checkpoints and the path between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.model.dataclass import dataclass
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from gateway.record.log.signed_note import NoteError, VerifierKey, decode_base64
from gateway.record.verifying.line_facts import (
    BadLineError,
    LineFacts,
    check_canonical,
    parse_object,
    read_facts,
)
from gateway.record.verifying.reading import Lines, TooLongError
from gateway.record.verifying.report import Break, Kind, LogPart, Report
from gateway.record.verifying.trust import UNPINNED_LOG, LogKey, Trust, decode_hashes, log_key

VERSION: Final = "checkrein/1"
PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
NO_KEY = "no key to open the checkpoint with: pass the log's key with `--key`"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
_PATH_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed `tlog-proof`: nothing of it is verified."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str


def format_tlog_proof(index: int, path: list[str], checkpoint: str) -> str:
    """The text of a proof; `path` in base64, from the leaf upwards."""
    return "\n".join((PROOF_HEADER, f"index {index}", *path, "", checkpoint))


def parse_tlog_proof(text: str) -> TlogProof:
    """Read the text of a proof.

    Raises:
        NoteError: `note.malformed`.
    """
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != PROOF_HEADER:
        raise NoteError.malformed(f"a proof begins with `{PROOF_HEADER}`")
    if lines and lines[0].startswith("extra "):
        decode_base64(lines.pop(0).removeprefix("extra "))
    found = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if found is None or len(lines) > _PATH_MAX:
        raise NoteError.malformed("a proof names the index of its leaf, then a path")
    return TlogProof(int(found[1]), tuple(decode_hashes(lines, "path")), checkpoint)


def verify_proofs(first_line: bytes, lines: Lines, trust: Trust) -> Report:
    """Verify a file of record proofs, one a line."""
    report = Report(Kind.PROOF)
    number = 0
    try:
        for batch in ([first_line], *lines.batches()):
            for line in batch:
                _verify_proof(line, trust, report)
                number += 1
    except (NoteError, BadLineError) as error:
        what = error.message if isinstance(error, NoteError) else f"it {error}"
        return report.found(Break(f"proof {number + 1}: {what}"))
    except TooLongError as error:
        return report.found(Break(str(error)))
    if lines.rest:
        report.found(Break("the last line is cut off"))
    report.record_count = number
    return report


def _verify_proof(line: bytes, trust: Trust, report: Report) -> None:
    value = parse_object(line)
    wanted = {"proof", "line", "gateway", "seq", "tlog_proof"}
    if not wanted <= set(value) <= wanted | {"log_key", "hash"} or value["proof"] != VERSION:
        raise NoteError.malformed("this is not a proof of a version that is known")
    facts = _facts_of(value, trust)
    if [value["gateway"], value["seq"]] != [facts.gateway.decode(), facts.seq]:
        raise NoteError.malformed("the proof is of another record than its line")
    proof = parse_tlog_proof(_text(value, "tlog_proof"))
    key = log_key(trust, _text(value, "log_key") if "log_key" in value else None)
    if key is None:
        _lack_key(report)
        return
    if not key.is_pinned and report.log is not None and report.log.key != str(key.keys[0]):
        # Whoever knows one of two keys must not seem to know both.
        raise NoteError.malformed("it is of another log than the one before: pass keys by `--key`")
    checkpoint = key.open(proof.checkpoint)
    leaf = leaf_hash(leaf_data(facts.gateway.decode(), facts.seq, facts.hash.decode()))
    if not verify_inclusion(proof.index, checkpoint.size, leaf, proof.path, checkpoint.root):
        text = f"record {facts.seq} is not in the log that was signed"
        report.found(Break(text, proof.index, facts.gateway.decode(), facts.seq))
        return
    _hold_against(checkpoint.size, checkpoint.root, key, trust, report)
    report.notes.append(
        f"record {facts.seq} of gateway `{facts.gateway.decode()}` is at index {proof.index} of "
        f"`{checkpoint.origin}`, a log of {checkpoint.size}"
    )
    root = checkpoint.root.hex()
    report.log = LogPart(
        checkpoint.origin, proof.index, 1, checkpoint.size, root, str(key.keys[0]), key.is_pinned
    )
    _lack_pin(key, report)


def _facts_of(value: Mapping[str, Any], trust: Trust) -> LineFacts:
    """The record that is proven: its line, or the hash of one that was erased."""
    if value["line"] is None:
        gateway, seq, digest = value["gateway"], value["seq"], _text(value, "hash")
        try:
            leaf_data(gateway, seq, digest)
        except (ValueError, TypeError):
            raise NoteError.malformed("the erased record has no valid place") from None
        return LineFacts(gateway.encode(), seq, b"", digest.encode(), is_erased=True)
    line = _text(value, "line").encode("utf-8", "replace")
    if trust.is_strict:
        check_canonical(line)
    facts = read_facts(line)
    if facts.is_missing:
        raise NoteError.malformed("there is no record, only the word that one is missing")
    if value.get("hash", facts.hash.decode()) != facts.hash.decode():
        raise NoteError.malformed("the proof names another hash than its line has")
    return facts


def _hold_against(size: int, root: bytes, key: LogKey, trust: Trust, report: Report) -> None:
    """Hold a checkpoint against those that were kept elsewhere."""
    for note in trust.checkpoints:
        given = key.open(note)
        if given.size != size:
            report.lacks.append(
                f"the given checkpoint is of {given.size} records and the proof's of {size}: "
                "`checkrein audit consistency` proves one from the other"
            )
        elif given.root != root:
            report.found(Break(f"two checkpoints of {size} records were signed, of two logs"))


def verify_consistency_proof(line: bytes, lines: Lines, trust: Trust) -> Report:
    """Verify that the newer of two checkpoints only added to the older."""
    report = Report(Kind.CONSISTENCY)
    try:
        if lines.first() is not None or lines.rest:
            raise NoteError.malformed("a proof of consistency is one line")
        value = parse_object(line)
        wanted = {"consistency", "old", "new", "path"}
        if not wanted <= set(value) <= wanted | {"log_key"} or value["consistency"] != VERSION:
            raise NoteError.malformed("it is not of a version that is known")
        key = log_key(trust, _text(value, "log_key") if "log_key" in value else None)
        path = decode_hashes(value["path"], "path")
        if key is None:
            _lack_key(report)
            return report
        old, new = (key.open(_text(value, name)) for name in ("old", "new"))
        if old.origin != new.origin:
            raise NoteError.malformed("the checkpoints are of two logs")
    except NoteError as error:
        return report.found(Break(error.message))
    except (BadLineError, TooLongError) as error:
        return report.found(Break(f"the proof {error}"))
    if not verify_consistency(old.size, old.root, new.size, new.root, path):
        text = f"the log of {new.size} records does not hold the log of {old.size} as it was"
        report.found(Break(text))
        return report
    root = new.root.hex()
    report.log = LogPart(
        new.origin, old.size, new.size - old.size, new.size, root, str(key.keys[0]), key.is_pinned
    )
    report.notes.append(f"the first {old.size} of {new.size} records are as they were")
    _lack_pin(key, report)
    return report


def _lack_key(report: Report) -> None:
    if NO_KEY not in report.lacks:
        report.lacks.append(NO_KEY)


def _lack_pin(key: LogKey, report: Report) -> None:
    if not key.is_pinned and UNPINNED_LOG not in report.lacks:
        report.lacks.append(UNPINNED_LOG)


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise NoteError.malformed(f"`{name}` is not a text")
    return text


def parse_keys(text: str) -> list[VerifierKey]:
    """The verifier keys of a text, one a line; empty lines and lines with `#` say nothing.

    Raises:
        NoteError: a line is none.
    """
    lines = (line.strip() for line in text.splitlines())
    return [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]
