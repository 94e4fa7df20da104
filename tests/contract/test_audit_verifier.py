"""The offline verifier: every way of tampering with a file is found, and the first bad record is
named. The files are made apart from the product (`tests.support.audit_files`)."""

from __future__ import annotations

import base64
import io
import json
import random

import pytest

from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report, Status
from gateway.record.verifying.trust import Trust
from tests.support.audit_edits import (
    duplicated,
    edited,
    exchanged,
    flipped,
    joined,
    lines_of,
    signed_anew,
    with_header,
    without,
)
from tests.support.audit_files import ORIGIN, MadeLog, canonical, sha, verifier_key

LOG = MadeLog(60)
EXPORT = LOG.export()
PART = LOG.export(13, 30)
KEY = VerifierKey.parse(LOG.key)
PINNED = Trust((KEY,))


def verify(data: bytes, trust: Trust = PINNED) -> Report:
    """The verdict on a file's bytes."""
    return verify_stream(io.BytesIO(data), trust)


# --- what verifies --------------------------------------------------------------------------------

WHOLE = {
    "an export of all": EXPORT,
    "a part": PART,
    "a part from the beginning": LOG.export(0, 20),
    "a part to the end": LOG.export(40),
    "an empty part": LOG.export(17, 0),
    "an empty log": MadeLog(0).export(),
    "a log of one record": MadeLog(1).export(),
    "erased records": LOG.export(erased={2, 3, 10, 11, 12, 30, 59}),
    "only erased records": LOG.export(erased=set(range(60))),
    "a part of erased records": LOG.export(13, 30, erased=set(range(10, 20))),
    "a proof": LOG.proof(17),
    "a proof in an older log": LOG.proof(17, 33),
    "two proofs": LOG.proof(17) + LOG.proof(18),
    "a log that grew": LOG.consistency(17, 60),
    "a log that did not grow": LOG.consistency(60, 60),
    "a log that began empty": LOG.consistency(0, 60),
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("is_strict", [False, True], ids=["fast", "strict"])
def test_a_whole_file_verifies(case: str, is_strict: bool) -> None:
    """With the log's key, in both modes."""
    report = verify(WHOLE[case], Trust((KEY,), is_strict=is_strict))
    assert (report.status, report.breaks, report.lacks) == (Status.VERIFIED, [], [])
    assert report.log is not None
    assert report.log.is_key_pinned


def test_a_key_from_the_file_itself_is_no_evidence() -> None:
    """Whoever made the file vouches for it, and anybody can make one that is sound in itself."""
    for data in (EXPORT, signed_anew(without(EXPORT, *indexes(B)), "somebody")):
        report = verify(data, Trust())
        assert report.status is not Status.VERIFIED
    report = verify(EXPORT, Trust())
    assert (report.status, report.breaks) == (Status.INCOMPLETE, [])
    assert any("`--key`" in text for text in report.lacks)
    assert verify(LOG.proof(3), Trust()).status is Status.INCOMPLETE


def test_proofs_of_two_logs_need_keys() -> None:
    """Else a forged one would hide behind a good one, by whose key the file is judged."""
    good = {**json.loads(LOG.proof(17)), "log_key": LOG.key}
    signed = good["tlog_proof"].replace(LOG.checkpoint(60), LOG.checkpoint(60, "somebody"))
    forged = {**good, "tlog_proof": signed, "log_key": verifier_key(ORIGIN, "somebody")}
    report = verify(joined([json.dumps(each).encode() for each in (forged, good)]), Trust())
    assert (report.status, report.log is not None) == (Status.TAMPERED, True)
    assert "another log" in report.breaks[0].message


def test_what_a_gateway_signed_is_said() -> None:
    """And with which key: of gateways without a pin, the key is what the log says."""
    pinned = VerifierKey.parse(LOG.gateways["gw_a"].keys()[0])
    report = verify(EXPORT, Trust((KEY,), (pinned,)))
    assert report.status is Status.VERIFIED
    found = {part.gateway: (part.last_seq, part.signed_seq, part.is_key_pinned)
             for part in report.gateways}  # fmt: skip
    assert found == {"gw_a": (20, 20, True), "gw_b": (20, 20, False), "gw_c": (20, 20, False)}


def test_open_intents_are_counted_and_named() -> None:
    """Those that no outcome follows."""
    log = MadeLog(8, gateways=["gw_a"])
    report = verify(log.export(), Trust((VerifierKey.parse(log.key),)))
    assert report.status is Status.VERIFIED
    assert report.open_count == 2
    found = [(each.index, each.decision_id) for each in report.open_intents]
    assert found == [(3, "dec_gw_a_1"), (7, "dec_gw_a_3")]


# --- tampering with records -----------------------------------------------------------------------

A, B = "gw_a", "gw_b"


def indexes(gateway: str) -> list[int]:
    """Where a gateway's lines stand in the log, by their seq from 1."""
    return [i for i, line in enumerate(LOG.lines) if json.loads(line)["gateway"] == gateway]


A7, A8, A9, A20 = (indexes(A)[seq - 1] for seq in (7, 8, 9, 20))
B9 = indexes(B)[8]


def resealed(data: bytes, gateway: str, seq: int) -> bytes:
    """A record edited, and all that its gateway wrote after it sealed anew, as an insider would."""
    lines, prev = lines_of(data), ""
    for index in indexes(gateway)[seq - 1 :]:
        value = json.loads(lines[index + 1])
        value.update({"prev": prev} if prev else {"agent": "somebody else"})
        lines[index + 1] = canonical(value).encode()
        prev = sha(lines[index + 1]).hex()
    return joined(lines)


Case = tuple[bytes, int | None, str, int, str]
TAMPERED: dict[str, Case] = {
    "a field is edited": (edited(EXPORT, A8, status=500), A8, A, 8, "was changed"),
    "the first record is edited": (edited(EXPORT, 0, at="now"), 0, A, 1, "was changed"),
    "a gateway's last record is edited": (
        edited(EXPORT, A20, status=500), A20, A, 20, "not the one that its gateway signed",
    ),
    "the last record of a part is edited": (
        edited(PART, 29, status=500), None, "", 0, "not the one that was signed",
    ),
    "a pointer to the record before is edited": (
        edited(EXPORT, A9, prev="1" * 64), A9, A, 9, "was changed",
    ),
    "a record is edited and all after it sealed anew": (
        resealed(EXPORT, A, 7), A8, A, 8, "signed; the first bad one is from 5 on",
    ),
    "a record is deleted": (without(EXPORT, A8), A9 - 1, A, 8, "record 8 is missing"),
    "a gateway's last record is deleted": (without(EXPORT, A20), None, "", 0, "right"),
    "all of a gateway is deleted": (without(EXPORT, *indexes(B)), None, "", 0, "right"),
    "a record is written twice": (
        duplicated(EXPORT, A8), A8 + 1, A, 9, "record 9 is missing: record 8 stands",
    ),
    "two records of a gateway are exchanged": (
        exchanged(EXPORT, A8, A9), A8, A, 8, "record 8 is missing",
    ),
    "two records of two gateways are exchanged": (
        exchanged(EXPORT, A8, B9), None, "", 0, "the order of records of several gateways",
    ),
    "an erased record has another hash": (
        LOG.export(erased={A8}).replace(sha(LOG.lines[A8].encode()).hex().encode(), b"1" * 64, 1),
        A8, A, 8, "was changed",
    ),
    "an erased record has more beside it": (
        LOG.export(erased={A8}).replace(b"}}\n", b'},"more":1}\n'), A8, A, 8, "lacks its place",
    ),
    "a record is gone from the database": (
        EXPORT.replace(
            LOG.lines[A8].encode(),
            b'{"missing":{"index":%d,"gateway":"gw_a","hash":"%064d","seq":8}}' % (A8, 1),
        ), A8, A, 8, "is gone from the database",
    ),
    "a record and its leaf are gone from the database": (
        EXPORT.replace(LOG.lines[A8].encode(), b'{"missing":{"index":%d}}' % A8),
        A8, "", 0, "is gone from the database",
    ),
    "a record is no record": (
        EXPORT.replace(LOG.lines[A8].encode(), b"{}"), A8, "", 0, "unknown version",
    ),
    "a record is cut": (
        EXPORT.replace(LOG.lines[A8].encode(), LOG.lines[A8].encode()[:-20]), A8, A, 8, "not valid",
    ),
    "the file is cut at a record": (
        joined(lines_of(EXPORT)[:40]), 39, "", 0, "cut off: 21 of 60 records",
    ),
    "the file is cut in a record": (EXPORT[:-10], 59, "", 0, "the last line is cut off"),
    "the file has no last newline": (EXPORT[:-1], 59, "", 0, "the last line is cut off"),
    "a proof of a record that is said to be gone": (
        LOG.proof(17).replace(
            json.dumps(LOG.lines[17]).encode(), json.dumps('{"missing":{"index":17}}').encode()
        ), None, "", 0, "missing",
    ),
    "a line stands behind": (EXPORT + LOG.lines[0].encode() + b"\n", 60, "", 0, "stands behind"),
    "an empty line stands behind": (EXPORT + b"\n", 60, "", 0, "stands behind"),
    "records are deleted and the log signed by another key": (
        signed_anew(without(EXPORT, *indexes(B)), "somebody"), None, "", 0, "trusted",
    ),
    "the first record of a gateway is deleted and the log signed anew": (
        signed_anew(without(EXPORT, 0), "the log"), 3, A, 1, "record 1 is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_found_and_the_record_named(case: str) -> None:
    """The first bad record by its place in the log, its gateway and its seq."""
    data, index, gateway, seq, said = TAMPERED[case]
    report = verify(data)
    assert report.status is Status.TAMPERED
    first = report.breaks[0]
    assert said in first.message
    assert (first.index, first.gateway, first.seq) == (index, gateway, seq)


# --- whatever else --------------------------------------------------------------------------------


def test_lines_without_a_log_are_never_more_than_incomplete() -> None:
    """They follow each other, or not."""
    data = joined([line.encode() for line in LOG.lines])
    report = verify(data)
    assert (report.status, len(report.lacks)) == (Status.INCOMPLETE, 1)
    broken = joined([line.encode() for line in LOG.lines[:A8] + LOG.lines[A8 + 1 :]])
    report = verify(broken)
    assert report.status is Status.TAMPERED
    assert (report.breaks[0].gateway, report.breaks[0].seq) == (A, 8)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"{}\n", b'{"export":\n', b"[" * 100_000 + b"\n", b'{"export":"checkrein/1"}\n',
     b'{"proof":1}\n', b'{"consistency":"checkrein/1"}\n', b"\0" * 1000, b'{"v":1,"seq":1e5}\n'],
    ids=range(9),
)  # fmt: skip
def test_what_is_no_record_is_refused_without_a_fault(data: bytes) -> None:
    """Whatever its bytes."""
    assert verify(data).status is Status.TAMPERED


@pytest.mark.parametrize("case", ["an export of all", "a part", "erased records", "a proof"])
def test_every_flipped_bit_is_found(case: str) -> None:
    """Some hundred of them; `python -m tests.contract.audit_bit_flips` does ten thousand."""
    data = WHOLE[case]
    dice = random.Random(f"flips in {case}")
    for bit in dice.sample(range(len(data) * 8), 50):
        report = verify(flipped(data, bit))
        assert report.status in (Status.TAMPERED, Status.INCOMPLETE), bit


def test_what_strictness_adds() -> None:
    """A gateway that writes lines which two readers could read differently."""
    log = MadeLog(4, gateways=["gw_a"])
    gateway = log.gateways["gw_a"]
    log.lines[3] = log.lines[3].replace('"kind":', '"kind": ')
    gateway.lines, gateway.heads = log.lines, []
    gateway.sign_head()
    log.leaves = [log.leaf(line) for line in log.lines]
    report = verify(log.export(), Trust((KEY,), is_strict=True))
    assert report.status is Status.TAMPERED
    assert report.breaks[0].index == 3
    assert "canonical" in report.breaks[0].message


def test_base64_of_hashes_has_one_spelling() -> None:
    """Or a changed file would verify."""
    header = json.loads(lines_of(PART)[0])
    last = header["left"][0]
    assert base64.b64decode(last[:-2] + chr(ord(last[-2]) ^ 1) + "=")
    report = verify(with_header(PART, lambda h: h["left"].__setitem__(0, last[:-2] + "B=")))
    assert report.status is Status.TAMPERED
