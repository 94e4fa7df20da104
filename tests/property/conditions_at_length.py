"""Holds millions of generated conditions against the reference implementation of CEL.

    python -m tests.property.conditions_at_length --cases 1000000 --seed 1

It ends with how often which answer came and with every difference that was found; the exit status
is 1 if there was one. The same seed gives the same cases.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from tests.property.condition_cases import Difference, judge, make_case

ASKED_EACH = 4
"""How often each condition is asked, each time about something else: making it ready costs more."""

SHOWN_MAX = 50


def main() -> int:
    """Run the cases; 1 if there was a difference."""
    parser = argparse.ArgumentParser(description=__doc__, prog="conditions_at_length")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    differences: list[Difference] = []
    started_at = shown_at = time.monotonic()
    while counts.total() < options.cases:
        # Each condition has a seed of its own, so that one can be made again alone.
        source = random.Random(f"{options.seed}/{counts.total()}")
        for verdict in judge(*make_case(source, ASKED_EACH)):
            if isinstance(verdict, Difference):
                differences.append(verdict)
                counts["different"] += 1
            else:
                counts[verdict.value] += 1
        if time.monotonic() - shown_at > 5:
            shown_at = time.monotonic()
            rate = counts.total() / (shown_at - started_at)
            done = f"{counts.total():,} of {options.cases:,}, {rate:,.0f} a second"
            print(f"{done}, {len(differences)} different", file=sys.stderr)
    seconds = time.monotonic() - started_at
    print(f"{counts.total():,} cases in {seconds:,.0f} s, {counts.total() / seconds:,.0f} a second")
    for name, count in counts.most_common():
        print(f"{count:>12,}  {name}")
    for one in differences[:SHOWN_MAX]:
        print(f"\n{one.text}\n  {one.asked}")
        print(f"  compiled {one.compiled}, interpreted {one.interpreted}, CEL {one.reference!r}")
    if len(differences) > SHOWN_MAX:
        print(f"\nand {len(differences) - SHOWN_MAX:,} more")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
