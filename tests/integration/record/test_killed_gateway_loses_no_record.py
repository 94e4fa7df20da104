"""kill -9 at random moments: what was acknowledged is there, once, and the chain verifies."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway.record.chain import verify_chain
from gateway.record.spool import Spool
from tests.integration.record.appender import SETTINGS

ROOT = Path(__file__).parents[3]
KILLS = 20
SECONDS_MAX = 0.12


@pytest.mark.slow
def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    """Twenty runs on one spool; after each, all acknowledged intents of all runs are in it."""
    chance = random.Random(4)
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        acknowledged |= _run_and_kill(tmp_path, chance.uniform(0.0, SECONDS_MAX))
        spool = Spool.open(tmp_path, SETTINGS)
        lines = spool.read(0, 10**9, 10**12)
        spool.close()
        report = verify_chain(lines, gateway=spool.gateway_id, first_seq=1)
        assert (report.last_seq, report.head) == (spool.last_seq, spool.head)
        records = [json.loads(line) for line in lines]
        intents = Counter(line["decision_id"] for line in records if line["kind"] == "intent")
        assert acknowledged <= intents.keys()
        assert set(intents.values()) <= {1}
    assert len(acknowledged) > KILLS


def _run_and_kill(directory: Path, seconds: float) -> set[str]:
    """Run an appender, kill it `seconds` after its first acknowledgement; what it acknowledged."""
    command = [sys.executable, "-m", "tests.integration.record.appender", str(directory)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    told = bytearray()
    deadline = None
    try:
        while deadline is None or time.monotonic() < deadline:
            left = 30.0 if deadline is None else deadline - time.monotonic()
            ready, _, _ = select.select([child.stdout], [], [], max(left, 0))
            if not ready:
                break
            piece = os.read(child.stdout.fileno(), 65_536)
            assert piece, "the appender ended by itself"
            told += piece
            deadline = deadline or time.monotonic() + seconds
    finally:
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read()
        child.stdout.close()
        child.wait()
    whole, _, _ = bytes(told).rpartition(b"\n")
    return set(whole.decode().split())
