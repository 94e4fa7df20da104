"""The offline verifier on what stands around the records: the first line, keys and checkpoints that
were kept elsewhere, proofs. Nothing of it is believed because a file says it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report, Status
from gateway.record.verifying.trust import Trust
from tests.support import audit_files
from tests.support.audit_edits import (
    gateway_named,
    joined,
    lines_of,
    signed_anew,
    signed_by_another,
    with_header,
)
from tests.support.audit_files import MadeLog, canonical, compact, note, sha, verifier_key

LOG = MadeLog(60)
EXPORT = LOG.export()
PART = LOG.export(13, 30)
KEY = VerifierKey.parse(LOG.key)
A, B = "gw_a", "gw_b"
PINNED = Trust((KEY,))


def verify(data: bytes, trust: Trust = PINNED) -> Report:
    """The verdict on a file's bytes."""
    return verify_stream(io.BytesIO(data), trust)


# --- the first line -------------------------------------------------------------------------------


HEADERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another version": (lambda h: h.update(export="checkrein/2"), "unknown version"),
    "another tenant": (lambda h: h.update(tenant="other"), "another tenant"),
    "another origin": (lambda h: h.update(origin="checkrein/log/other"), "another tenant"),
    "another size": (lambda h: h.update(size=61), "is of 60 records"),
    "another first": (lambda h: h.update(first=1), "no leaves 1 to 61"),
    "another count": (lambda h: h.update(count=59), "stands behind the last of 59"),
    "a count that is no number": (lambda h: h.update(count="60"), "`count`"),
    "a negative first": (lambda h: h.update(first=-1), "`first`"),
    "a field too many": (lambda h: h.update(more=1), "other fields"),
    "a field too few": (lambda h: h.pop("left"), "other fields"),
    "another key": (
        lambda h: h.update(log_key=verifier_key(audit_files.ORIGIN, "somebody")), "another key",
    ),
    "a foreign checkpoint": (
        lambda h: h.update(checkpoint=signed_by_another(h["checkpoint"])), "trusted",
    ),
    "a checkpoint of another size": (
        lambda h: h.update(checkpoint=LOG.checkpoint(59)), "is of 59 records",
    ),
    "a checkpoint with other text": (
        lambda h: h.update(checkpoint=h["checkpoint"].replace("\n60\n", "\n61\n")), "does not fit",
    ),
    "a head of another gateway": (
        lambda h: gateway_named(h, A).update(heads=gateway_named(h, B)["heads"]), "somebody else",
    ),
    "a head of another text": (
        lambda h: gateway_named(h, A).update(
            heads=[each.replace("\n8\n", "\n7\n") for each in gateway_named(h, A)["heads"]]
        ), "not the one that its gateway signed",
    ),
    "a foreign head": (
        lambda h: gateway_named(h, A).update(
            heads=[signed_by_another(gateway_named(h, A)["heads"][-1])]
        ), "does not verify",
    ),
    "a key that is none": (lambda h: gateway_named(h, A).update(keys=["x"]), "is not one"),
    "a gateway twice": (lambda h: h["gateways"].append(h["gateways"][0]), "name of its own"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_an_edited_first_line_is_found(case: str) -> None:
    """Nothing in it goes unchecked."""
    change, said = HEADERS[case]
    report = verify(with_header(EXPORT, change))
    assert report.status is Status.TAMPERED
    assert said in report.breaks[0].message


LACKING: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "the heads of a gateway": (
        lambda h: gateway_named(h, A).update(heads=[]), "`gw_a`: nothing is signed",
    ),
    "the last head of a gateway": (
        lambda h: gateway_named(h, A)["heads"].pop(), "last 4 records are not signed",
    ),
    "all gateways": (lambda h: h.update(gateways=[]), "`gw_c`: nothing is signed"),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKING)
def test_removed_evidence_is_lacking(case: str) -> None:
    """Nothing contradicts, but it isn't proven either."""
    change, said = LACKING[case]
    report = verify(with_header(EXPORT, change))
    assert report.status is Status.INCOMPLETE
    assert any(said in text for text in report.lacks)


def test_a_gateway_that_is_listed_without_a_record_is_said() -> None:
    """In an export of all; a part may name gateways that wrote before or after it."""
    unknown = {"id": "gw_x", "keys": [], "heads": []}
    report = verify(with_header(EXPORT, lambda h: h["gateways"].append(unknown)))
    assert report.status is Status.INCOMPLETE
    assert any("`gw_x` is listed" in text for text in report.lacks)
    assert verify(with_header(PART, lambda h: h["gateways"].append(unknown))).status == 0


# --- keys and checkpoints that were kept elsewhere ------------------------------------------------


def test_a_tail_cut_off_and_signed_by_the_log_itself_is_seen_by_an_older_checkpoint() -> None:
    """Who holds the log's key can shorten the log; a checkpoint that was kept elsewhere shows it,
    and so do the gateways' own heads."""
    forged = signed_anew(joined(lines_of(EXPORT)[:56]), "the log")
    kept = LOG.checkpoint(58)
    report = verify(forged, Trust((KEY,), checkpoints=(kept,)))
    assert any("can't be held against it" in text for text in report.lacks)
    report = verify(forged)
    assert report.status is Status.INCOMPLETE
    assert any("not signed by its own key" in text for text in report.lacks)


CHECKPOINTS = {
    "the same": (LOG.checkpoint(), Status.VERIFIED, ""),
    "an older one": (LOG.checkpoint(33), Status.VERIFIED, ""),
    "the empty log's": (LOG.checkpoint(0), Status.VERIFIED, ""),
    "one with extensions": (
        LOG.checkpoint(33, "the log", "at 2026-11-21T04:00:00Z"), Status.VERIFIED, "",
    ),
    "a fork": (
        note(
            LOG.checkpoint().rpartition("\n\n")[0].replace("\n60\n", "\n60\nA", 1)[:-2] + "=\n",
            audit_files.ORIGIN, "the log",
        ), Status.TAMPERED, "",
    ),
    "an older fork": (
        note(f"{audit_files.ORIGIN}\n33\n{audit_files.b64(sha(b'x'))}\n", audit_files.ORIGIN,
             "the log"), Status.TAMPERED, "the first 33 records are not those",
    ),
    "another log's": (
        note(f"checkrein/log/x\n60\n{audit_files.b64(sha(b'x'))}\n", "checkrein/log/x", "the log"),
        Status.TAMPERED, "trusted",
    ),
    "one that somebody else signed": (
        LOG.checkpoint(33, "somebody"), Status.TAMPERED, "trusted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_an_export_is_held_against_a_checkpoint_that_was_kept(case: str) -> None:
    """Older ones too, as the tree passes their size."""
    kept, status, said = CHECKPOINTS[case]
    report = verify(EXPORT, Trust((KEY,), checkpoints=(kept,)))
    assert report.status is status
    assert said in "".join(each.message for each in report.breaks)


def test_a_newer_checkpoint_or_one_beside_a_part_asks_for_a_proof() -> None:
    """Which no export holds."""
    for data, kept in ((LOG.export(size=56), LOG.checkpoint(60)), (PART, LOG.checkpoint(33))):
        report = verify(data, Trust((KEY,), checkpoints=(kept,)))
        assert report.status is Status.INCOMPLETE
        assert any("checkrein audit consistency" in text for text in report.lacks)


def test_a_gateway_that_was_written_anew_shows_by_its_pinned_key() -> None:
    """Who holds the log's key can invent a gateway's record, but not its key."""
    honest = VerifierKey.parse(verifier_key("checkrein/gateway/gw_b", "the honest gateway"))
    report = verify(EXPORT, Trust((KEY,), (honest,)))
    assert report.status is Status.TAMPERED
    assert (report.breaks[0].gateway, report.breaks[0].seq) == ("gw_b", 1)
    assert "the given one does not vouch for" in report.breaks[0].message
    report = verify(PART, Trust((KEY,), (honest,)))
    assert report.status is Status.INCOMPLETE
    assert any("`gw_b`" in text and "the key that was given" in text for text in report.lacks)


def test_a_new_key_that_the_old_one_does_not_vouch_for_is_found() -> None:
    """In the record itself."""
    log = MadeLog(40, gateways=["gw_a"])
    gateway = log.gateways["gw_a"]
    place = next(i for i, line in enumerate(log.lines) if i and "signing_key" in line)
    value = json.loads(log.lines[place])
    value["key_proof"] = note(value["detail"] + "\n", gateway.origin, "gw_a second")
    log.lines[place] = canonical(value)
    for index in range(place + 1, len(log.lines)):
        later = json.loads(log.lines[index])
        later["prev"] = sha(log.lines[index - 1].encode()).hex()
        log.lines[index] = canonical(later)
    log.leaves = [log.leaf(line) for line in log.lines]
    gateway.lines, gateway.heads, gateway.secrets = log.lines, [], ["gw_a second"]
    gateway.sign_head()
    report = verify(log.export())
    assert report.status is Status.TAMPERED
    assert report.breaks[0].seq == place + 1
    assert "nobody vouches for" in report.breaks[0].message


# --- proofs ---------------------------------------------------------------------------------------


def with_proof(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A proof with other fields."""
    value = json.loads(LOG.proof(17))
    change(value)
    return compact(value).encode() + b"\n"


def with_growth(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A proof of consistency with other fields."""
    value = json.loads(LOG.consistency(17, 60))
    change(value)
    return compact(value).encode() + b"\n"


PROOFS = {
    "another line": with_proof(lambda p: p.update(line=LOG.lines[0])),
    "an edited line": with_proof(lambda p: p.update(line=p["line"].replace("ALLOW", "BLOCK"))),
    "another seq": with_proof(lambda p: p.update(seq=7)),
    "another index": with_proof(
        lambda p: p.update(tlog_proof=p["tlog_proof"].replace("index 17", "index 16"))
    ),
    "another spelling of the index": with_proof(
        lambda p: p.update(tlog_proof=p["tlog_proof"].replace("index 17", "index 017"))
    ),
    "a path too short": with_proof(
        lambda p: p.update(tlog_proof="\n".join(
            each for n, each in enumerate(p["tlog_proof"].split("\n")) if n != 2))
    ),
    "another checkpoint": with_proof(
        lambda p: p.update(
            tlog_proof=p["tlog_proof"].partition("\n\n")[0] + "\n\n" + LOG.checkpoint(59))
    ),
    "a cut file": LOG.proof(17)[:-1],
    "a cut second proof": LOG.proof(17) + LOG.proof(18)[:-30],
    "consistency with a path of other hashes": with_growth(lambda g: g["path"].reverse()),
    "consistency with a path that is none": with_growth(lambda g: g["path"].append("x")),
    "consistency with a shorter path": with_growth(lambda g: g["path"].pop()),
    "consistency the wrong way round": with_growth(
        lambda g: g.update(old=LOG.checkpoint(60), new=LOG.checkpoint(17))
    ),
    "consistency with an older log that somebody else signed": with_growth(
        lambda g: g.update(old=LOG.checkpoint(17, "somebody"))
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROOFS)
def test_a_bad_proof_is_found(case: str) -> None:
    """Nothing of it is believed."""
    assert verify(PROOFS[case]).status is Status.TAMPERED
