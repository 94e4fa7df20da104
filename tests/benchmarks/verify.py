"""`python -m tests.benchmarks.verify`: what the offline verifier costs, in CPU of one core.

Makes an export of a million records of about 1.2 KB, of a few gateways, writes it to a temporary
file and has `python -m gateway.record.verify` verify it in a process of its own, as an auditor
would. Prints its CPU seconds, microseconds a record, and its largest memory; and the same for plain
SHA-256 over the same lines, which nobody can do without.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.record.log.merkle import Frontier, leaf_hash
from tests.support.audit_files import (
    AT,
    ORIGIN,
    TENANT,
    MadeGateway,
    b64,
    canonical,
    compact,
    note,
    sha,
    verifier_key,
)

ROOT = Path(__file__).parents[2]
LINE_BYTES = 1_200


class _Gateway(MadeGateway):
    """A gateway that keeps its last line only: a million would fill the memory."""

    count = 0

    def write(self, **fields: Any) -> str:
        self.count += 1
        prev = hashlib.sha256(self.lines[-1].encode()).hexdigest() if self.lines else "0" * 64
        place = {"v": 1, "gateway": self.name, "seq": self.count, "prev": prev}
        self.lines = [canonical({"at": AT, **fields, **place})]
        return self.lines[0]

    def sign_head(self) -> None:
        text = f"{self.origin}\n{self.count}\n{b64(sha(self.lines[0].encode()))}\n"
        self.heads.append((self.count, note(text, self.origin, self.secrets[-1])))


def write_export(file: Path, count: int) -> None:
    """Write an export of so many records; a tree of a million leaves needs the product's own."""
    gateways = [_Gateway(f"gw_{number}") for number in range(4)]
    tree, lines = Frontier(), file.with_suffix(".lines")
    with lines.open("wb") as out:
        for index, line in zip(range(count), _lines(gateways), strict=False):
            data = line.encode()
            out.write(data + b"\n")
            gateway = gateways[index % len(gateways)]
            digest = hashlib.sha256(data).hexdigest()
            place = f"checkrein/record\n{gateway.name}\n{gateway.count}\n{digest}\n"
            tree.append(leaf_hash(place.encode()))
    for gateway in gateways:
        gateway.sign_head()
    checkpoint = note(f"{ORIGIN}\n{count}\n{b64(tree.root())}\n", ORIGIN, "the log")
    header = {
        "export": "checkrein/1", "tenant": TENANT, "origin": ORIGIN, "first": 0, "count": count,
        "size": count, "checkpoint": checkpoint, "log_key": verifier_key(ORIGIN, "the log"),
        "left": [], "right": [],
        "gateways": [
            {"id": each.name, "keys": each.keys(), "heads": [each.heads[-1][1]]}
            for each in gateways
        ],
    }  # fmt: skip
    with file.open("wb") as out, lines.open("rb") as rest:
        out.write(compact(header).encode() + b"\n")
        while block := rest.read(1 << 20):
            out.write(block)
    lines.unlink()


def _lines(gateways: list[_Gateway]) -> Iterator[str]:
    for gateway in gateways:
        yield gateway.announce_key(gateway.name)
    number = 0
    while True:
        for gateway in gateways:
            number += 1
            yield gateway.write(
                kind="outcome" if gateway.count % 2 else "intent",
                decision_id=f"dec_{gateway.name}_{gateway.count // 2}",
                actions=[{"params": {"note": "x" * (LINE_BYTES - 240)}}],
                status=200,
            )


def measure(file: Path) -> dict[str, float]:
    """Verify in a process of its own: CPU seconds, peak memory, and its verdict."""
    command = [sys.executable, "-m", "gateway.record.verify", str(file), "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cpu_seconds": round(seconds, 2),
        "peak_mb": after.ru_maxrss // 1024,
        "records": json.loads(done.stdout)["records"],
    }


def hash_alone(file: Path) -> float:
    """CPU seconds of SHA-256 over each line, read from the same file."""
    started = time.process_time()
    with file.open("rb") as stream:
        for line in stream:
            hashlib.sha256(line).digest()
    return round(time.process_time() - started, 2)


def main() -> None:
    """Make, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="where there is room for it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        file = Path(folder) / "log.jsonl"
        write_export(file, given.records)
        size = os.path.getsize(file)
        found = measure(file)
        bare = hash_alone(file)
    each = found["cpu_seconds"] / given.records * 1e6
    print(f"{given.records} records, {size / given.records:.0f} bytes each, {size >> 20} MB")
    print(f"verified in {found['cpu_seconds']} s of CPU, {each:.2f} us a record")
    print(f"largest memory {found['peak_mb']} MB")
    print(f"SHA-256 of the same lines alone: {bare} s of CPU")


if __name__ == "__main__":
    main()
