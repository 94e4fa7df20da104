"""`python -m tests.contract.audit_bit_flips`: an export with one bit of it changed, 10,000 times.

Each must be found. Prints how many were called tampering and how many lacking evidence, and the
bits that went unseen: there must be none. The suite does a few hundred of the same.
"""

from __future__ import annotations

import argparse
import io
import random
from collections import Counter

from gateway.record.log.signed_note import VerifierKey
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Status
from gateway.record.verifying.trust import Trust
from tests.support.audit_edits import flipped
from tests.support.audit_files import MadeLog


def main() -> int:
    """Flip, verify, count; 1 when a flip went unseen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    log = MadeLog(given.records)
    trust = Trust((VerifierKey.parse(log.key),))
    erased = set(range(5, given.records, 9))
    files = {"whole": log.export(), "part": log.export(13, 20), "erased": log.export(erased=erased)}
    dice = random.Random(given.seed)
    unseen = []
    for name, data in files.items():
        assert verify_stream(io.BytesIO(data), trust).status is Status.VERIFIED
        found: Counter[str] = Counter()
        for bit in (dice.randrange(len(data) * 8) for _ in range(given.flips // len(files) + 1)):
            status = verify_stream(io.BytesIO(flipped(data, bit)), trust).status
            found[status.name] += 1
            if status is Status.VERIFIED:
                unseen.append((name, bit))
        print(f"{name}: {len(data)} bytes, {dict(found)}")
    print(f"unseen: {unseen or 'none'}")
    return 1 if unseen else 0


if __name__ == "__main__":
    raise SystemExit(main())
