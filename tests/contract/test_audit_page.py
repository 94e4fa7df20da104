"""The page for auditors: its commands give what it says, the script that was written from it agrees
with the product, and so do the known answers that others may use."""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.record.log.checkpoint import open_checkpoint
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import leaf_hash, verify_inclusion
from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report, Status
from gateway.record.verifying.trust import Trust
from tests.contract import audit_vectors
from tests.contract.test_audit_vectors import VECTORS, vectors
from tests.support.audit_edits import flipped

PAGE = Path(__file__).parents[2] / "gateway" / "record" / "README.md"
BY_HAND = Path(__file__).parent / "audit_by_hand.py"
EXPORTS = vectors("exports")
FORMATS = vectors("formats")

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def verify(data: bytes) -> Report:
    """The product's verdict, with the key of the vectors."""
    return verify_stream(io.BytesIO(data), Trust((VerifierKey.parse(EXPORTS["key"]),)))


def by_hand(folder: Path, data: bytes) -> int:
    """The verdict of the script, which imports nothing of ours."""
    file, key = folder / "export.jsonl", folder / "log.key"
    file.write_bytes(data)
    key.write_text(EXPORTS["key"] + "\n")
    command = [sys.executable, "-I", "-S", str(BY_HAND), str(file), str(key)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


@needs_openssl
def test_the_commands_of_the_page_give_what_it_says(tmp_path: Path) -> None:
    """All of its shell blocks, in order, beside the example."""
    shutil.copytree(VECTORS, tmp_path, dirs_exist_ok=True)
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    said = [
        subprocess.run(["bash", "-euc", block], cwd=tmp_path, capture_output=True, text=True,
                       timeout=60, check=True).stdout
        for block in blocks
    ]  # fmt: skip
    first, second = FORMATS["records"][0], FORMATS["records"][1]
    assert said[0].splitlines() == [f"{first['line_hash']}  -", f'"prev":"{second["prev"]}"']
    assert first["line_hash"] == second["prev"]
    assert first["line_hash"].startswith("8b1cd31d320e")
    assert said[1].startswith(first["leaf_hash"])
    assert "is in the checkpoint: True" in said[2]
    assert "Verified Successfully" in said[3]


@needs_openssl
def test_two_verifiers_that_share_no_code_agree(tmp_path: Path) -> None:
    """On every file of the known answers, and on flipped bits of them. The script knows no
    verdict between good and bad: what lacks evidence is good to it."""
    for case in EXPORTS["exports"]:
        is_bad = case["status"] == "tampered"
        assert by_hand(tmp_path, case["export"].encode()) == is_bad, case["case"]
    dice = random.Random("flips for two")
    data = EXPORTS["exports"][1]["export"].encode()
    for bit in dice.sample(range(len(data) * 8), 5):
        changed = flipped(data, bit)
        assert verify(changed).status is Status.TAMPERED
        assert by_hand(tmp_path, changed) == 1, bit


@pytest.mark.parametrize("case", EXPORTS["exports"], ids=lambda case: str(case["case"]))
def test_the_known_verdicts_are_ours(case: dict[str, Any]) -> None:
    """Status, and the index of the first bad record."""
    report = verify(case["export"].encode())
    assert report.status.name.lower() == case["status"]
    assert (report.breaks[0].index if report.breaks else None) == case["index"]


def test_the_known_steps_are_ours() -> None:
    """Leaves, paths, checkpoints, proofs, growth."""
    keys = [VerifierKey.parse(FORMATS["log_key"])]
    size, root = len(FORMATS["records"]), bytes.fromhex(FORMATS["roots"][-1])
    for record in FORMATS["records"]:
        data = leaf_data(record["gateway"], record["seq"], record["line_hash"])
        assert data.decode() == record["leaf_data"]
        assert leaf_hash(data).hex() == record["leaf_hash"]
        path = [bytes.fromhex(each) for each in record["path"]]
        assert verify_inclusion(record["index"], size, leaf_hash(data), path, root)
        assert verify(record["proof"].encode()).status is Status.VERIFIED
    for number, note in enumerate(FORMATS["checkpoints"]):
        assert open_checkpoint(note, keys).root.hex() == FORMATS["roots"][number]
        assert verify(FORMATS["consistency"][number].encode()).status is Status.VERIFIED


def test_the_files_are_what_makes_them() -> None:
    """`python -m tests.contract.audit_vectors` writes them anew."""
    for name, data in audit_vectors.files().items():
        assert (VECTORS / name).read_bytes() == data, name
