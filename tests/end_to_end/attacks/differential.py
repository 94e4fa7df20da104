"""`python -m tests.end_to_end.attacks.differential`: mutants of requests against a running gateway.

For any bytes that an agent sends: what the upstream understood is what was decided and recorded, or
nothing arrived. The mutants are those of `tests.fuzz`; the suite sends a few of them each time.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.end_to_end.attacks.conftest import HOST, Scene, make_scene
from tests.fuzz.engine import mutants
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import CHUNK_WORDS, HEAD_WORDS
from tests.support import providers
from tests.support.oracle import Oracle
from tests.support.stack import Upstreams, start_stack
from tests.support.upstream_files import make_upstream_files

QUIET_SECONDS = 0.1
"""Most mutants are answered at once; some leave the gateway waiting for a rest that never comes."""

CHANGES_MAX = 2
"""More changes leave little that is sent on, and what is refused shows less."""

BATCH = 200
"""Mutants between two comparisons, so that a fault is told soon after it."""

LINE = f"Host: {HOST}\r\n".encode()
SEEDS = (
    b"GET /v1/orders/o1?a=b HTTP/1.1\r\n" + LINE + b"Accept: */*\r\n\r\n",
    b"POST /v1/orders/o1/note HTTP/1.1\r\n" + LINE + b"Content-Length: 5\r\n\r\nhello",
    b"POST /v1/orders/o1/note HTTP/1.1\r\n"
    + LINE
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /v1/orders/search HTTP/1.1\r\n"
    + LINE
    + b'Content-Type: application/json\r\nContent-Length: 16\r\n\r\n{"state":"open"}',
    b"GET /v1/orders/a HTTP/1.1\r\n" + LINE + b"\r\nGET /v1/orders/b HTTP/1.1\r\n" + LINE + b"\r\n",
)
WORDS = (
    *HEAD_WORDS, *CHUNK_WORDS, b"/../", b"%2e", b"%2f", b"?", b"&", b'"', b"{", b"}", LINE,
    b"DELETE", b"X-HTTP-Method-Override: DELETE\r\n", b"POST /v1/orders/o1/note HTTP/1.1\r\n",
)  # fmt: skip
MUTATED = Target("live", "what arrives was decided", len, SEEDS, WORDS)


def attack(scene: Scene, dice: random.Random, count: int) -> Counter[str]:
    """Send mutants, compare, and count what became of them."""
    tally: Counter[str] = Counter()
    begun = scene.stack.oracle.mark()
    for data in islice(_payloads(dice), count):
        reply = scene.raw.inside(
            HOST, data, quiet_seconds=QUIET_SECONDS, after_seconds=QUIET_SECONDS
        )
        tally[f"told {reply.status or 'nothing'}"] += 1
    scene.assert_understood()
    tally["arrived"] = len(scene.stack.oracle.since(begun))
    return tally


def _payloads(dice: random.Random) -> Iterator[bytes]:
    yield from SEEDS
    yield from mutants(MUTATED, SEEDS, dice, CHANGES_MAX)


def main() -> int:
    """Attack for as many requests as are asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.attacks.differential",
        description="Send mutants of requests to a running gateway, and hold what arrived upstream "
        "against what was decided and recorded. Prints what became of them; ends at the first "
        "that was understood otherwise. Needs no network.",
        epilog="example: python -m tests.end_to_end.attacks.differential --requests 2000 --seed 7",
    )
    parser.add_argument("--requests", type=int, default=5_000, help="how many [%(default)s]")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same mutants again, or others [%(default)s]"
    )
    options = parser.parse_args()
    dice, tally = random.Random(options.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        files = make_upstream_files(Path(folder))
        with contextlib.ExitStack() as opened:
            oracle = opened.enter_context(Oracle(files.certificate, files.key, providers.answer))
            stack = start_stack("differ", Upstreams(oracle.port, files.ca, oracle))
            opened.callback(stack.close)
            gateway = stack.add_gateway("differ", {"CHECKREIN_HOLD_SECONDS_MAX": "0.05"})
            while sum(tally.values()) - tally["arrived"] < options.requests:
                tally += attack(make_scene(stack, gateway), dice, BATCH)
            assert gateway.metric("checkrein_gateway_bugs_total") == 0, gateway.process.log
            assert oracle.faults == [], oracle.faults
    for name, count in sorted(tally.items()):
        print(f"{name}: {count:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
