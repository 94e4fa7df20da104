"""`python -m tests.end_to_end.many_approvals`: a thousand held acts, answered while things die.

Two control planes and two gateways on one Postgres; several rounds, with Redis and without. Prints
a table, and says which promise was broken. Ends with status 1 when one was.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys

from rich.console import Console
from rich.table import Table

from tests.support import providers
from tests.support.oracle import Oracle
from tests.support.processes import end_when_told
from tests.support.replicas import Kind, installation
from tests.support.stack import Upstreams, make_folder
from tests.support.storm import Report, Settings, Storm
from tests.support.upstream_files import make_upstream_files

FAULTS_SHOWN = 20

PATIENT = {"CHECKREIN_HOLD_SECONDS_MAX": "60"}
"""As long as agents wait here: the fewer come again, the more are held at the same time."""


def main() -> int:
    """Hold many acts at once, answer them at random, kill processes meanwhile, and judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.many_approvals", description=main.__doc__
    )
    parser.add_argument("--acts", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=2, help="every other one with Redis")
    parser.add_argument("--seconds", type=float, default=60.0, help="over which people answer")
    parser.add_argument("--kill-pause", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    end_when_told()
    console = Console(width=130)
    table = Table(
        "round", "redis", "acts", "all held s", "all s", "kills", "tries", "approvals", "done",
        "503", "twice", "faults",
    )  # fmt: skip
    faults = 0
    for number in range(options.rounds):
        seed, has_redis = options.seed + number, number % 2 == 1
        settings = Settings(options.acts, options.seconds, options.kill_pause)
        report, kills = asyncio.run(weather(seed, settings, has_redis=has_redis))
        faults += len(report.faults)
        table.add_row(
            str(seed), "yes" if has_redis else "no", str(options.acts),
            f"{report.asked_seconds:.1f}", f"{report.all_seconds:.1f}", kills, str(report.tries),
            str(report.approvals), str(len(report.done)), str(report.unavailable),
            str(len(report.doubled)),
            str(len(report.faults)),
        )  # fmt: skip
        console.print(f"round {seed}: agents read {dict(report.answers)}")
        for fault in report.faults[:FAULTS_SHOWN]:
            console.print(f"  FAULT {fault}", style="red")
    console.print(table)
    return 1 if faults else 0


async def weather(
    seed: int, settings: Settings, *, has_redis: bool, kills: tuple[Kind, ...] = ()
) -> tuple[Report, str]:
    """One round on an installation of its own; without `kills`, every kind in a random order."""
    dice = random.Random(seed)
    folder = make_folder("storm")
    try:
        files = make_upstream_files(folder)
        with Oracle(files.certificate, files.key, providers.answer) as oracle:
            upstreams = Upstreams(oracle.port, files.ca, oracle)
            async with installation(
                folder, upstreams, dice, has_redis=has_redis, gateway=PATIENT
            ) as running:
                order = list(kills) or running.kinds * 2
                dice.shuffle(order)
                storm = Storm(
                    running,
                    oracle,
                    Settings(
                        settings.acts, settings.answer_seconds, settings.kill_pause_seconds, order
                    ),
                )
                report = await storm.run()
                shown = ", ".join(f"{count} {kind}" for kind, count in running.killed.items())
                return report, shown
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
