"""Holds the promises about decisions against hundreds of thousands of generated ones.

    python -m tests.property.decisions_at_length --cases 300000 --seed 1

It ends with how often which decision came, and with every promise that was broken; the exit status
is 1 if there was one. The same seed gives the same cases.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from tests.property.policy_worlds import Maker, broken_promises

SHOWN_MAX = 20


def main() -> int:
    """Run the cases; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, prog="decisions_at_length")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    broken: list[str] = []
    cases = worlds = 0
    started_at = shown_at = time.monotonic()
    while cases < options.cases:
        # Each world has a seed of its own, so that one can be made again alone.
        name = f"{options.seed}/{worlds}"
        worlds += 1
        for number, (decision, wrong) in enumerate(broken_promises(Maker(random.Random(name)))):
            cases += 1
            counts[f"{decision.effect} in {decision.mode} mode"] += 1
            counts["with a field that could not be read"] += decision.unresolved is not None
            counts["with something watched"] += bool(decision.watched)
            counts["by a default"] += decision.rule is None
            if wrong:
                broken.append(f"world {name}, question {number}: {wrong}")
        if time.monotonic() - shown_at > 5:
            shown_at = time.monotonic()
            rate = cases / (shown_at - started_at)
            done = f"{cases:,} of {options.cases:,}, {rate:,.0f} a second"
            print(f"{done}, {len(broken)} broken", file=sys.stderr)
    seconds = time.monotonic() - started_at
    print(f"{cases:,} decisions of {worlds:,} worlds in {seconds:,.0f} s")
    for outcome, count in counts.most_common():
        print(f"{count:>12,}  {outcome}")
    print(f"{len(broken):>12,}  promises broken")
    for one in broken[:SHOWN_MAX]:
        print(one)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
