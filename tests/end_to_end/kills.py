"""`python -m tests.end_to_end.kills`: gateways, control planes and the database killed under load,
at random points and at the worst ones, and what came of it.

Two gateways, two control planes, one PostgreSQL, an upstream that writes down by itself what it
did. Prints a table; ends with status 1 when a promise was broken. The seed says what is killed, at
which moments and in which order; when exactly a process dies is the machine's doing.

    python -m tests.end_to_end.kills --kills 500
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.command import Checkrein
from tests.support.effects import Effect, EffectLog
from tests.support.kill_load import KillLoad
from tests.support.kill_verdict import Evidence, Verdict, judge
from tests.support.moments import Moment, Moments, Trap, watch_intents
from tests.support.oracle import Oracle
from tests.support.processes import NotReady, end_when_told
from tests.support.replicas import Installation, Kind, Replica, installation
from tests.support.stack import SUPPORT, Gateway, Upstreams, make_folder
from tests.support.traffic import verify_chain
from tests.support.upstream_files import make_upstream_files

BUDGET = 1_000
"""Of `kill_policies/kills.yaml`."""

SETTINGS = {
    "CHECKREIN_POLICIES": str(SUPPORT / "kill_policies"),
    "CHECKREIN_LIMITS_STORE": "shared",
    "CHECKREIN_HOLD_SECONDS_MAX": "20",
}

POINTS: dict[Kind, dict[Moment, int]] = {
    Kind.GATEWAY: {
        Moment.ANY: 3,
        Moment.INTENT_WRITTEN: 3,
        Moment.ARRIVED: 3,
        Moment.ANSWERED: 2,
        Moment.APPROVED: 3,
    },
    Kind.CONTROL_PLANE: {Moment.ANY: 2, Moment.APPROVED: 2, Moment.ARRIVED: 1},
    Kind.POSTGRES: {Moment.ANY: 2, Moment.APPROVED: 2, Moment.ARRIVED: 1},
}
"""What is killed when, and how often in proportion."""

SHARES = {Kind.GATEWAY: 6, Kind.CONTROL_PLANE: 3, Kind.POSTGRES: 1}
DELAY_SECONDS: dict[Moment, float] = {
    Moment.ANY: 0.0,
    Moment.INTENT_WRITTEN: 0.003,
    Moment.ARRIVED: 0.0,
    Moment.ANSWERED: 0.005,
    Moment.APPROVED: 0.03,
}
"""At most so long after the moment; drawn anew each time, mostly short."""

MOMENT_SECONDS_MAX = 10.0
"""A moment that doesn't come is not waited for longer; then the kill falls at any time."""

BETWEEN_SUCCESSES = 10
BETWEEN_SECONDS_MAX = 10.0
"""So many calls succeed between two kills, or so long it is waited for them: a gateway that is
killed before it does anything proves nothing."""

TOGETHER_OF = 10
"""In one of so many cases two things die at the same time."""

END_SECONDS_MAX = 180.0
STARTS_MAX = 5
"""Tries to have again what was killed."""


@dataclass
class Run:
    """What is shown and judged. `kills` counts by what and when."""

    seed: int
    seconds: float = 0.0
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    slow_starts: int = 0
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def count(self) -> int:
        return self.kills.total()


def main() -> int:
    """Kill gateways, control planes and PostgreSQL under load, and look what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.kills",
        description="Kill gateways, control planes and PostgreSQL under load, at random points and "
        "at the worst ones; then hold what the upstream did against record and approvals. Needs "
        "no network. Status 1: a promise was broken, and the case is named.",
        epilog="example: python -m tests.end_to_end.kills --kills 500 --seed 7 --json",
    )
    parser.add_argument("--kills", type=int, default=500, help="how many [%(default)s]")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6),
        help="what is killed, at which moments and in which order; any, where none is given",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON document and no table")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and data")
    options = parser.parse_args()
    end_when_told()
    shows_progress = not options.json and sys.stderr.isatty()

    def progress(run: Run) -> None:
        if shows_progress:
            print(f"\r{run.count} of {options.kills} kills", end="", file=sys.stderr)

    run = asyncio.run(kill_under_load(options.kills, options.seed, progress, keeps=options.keep))
    if shows_progress:
        print(file=sys.stderr)
    if options.json or not sys.stdout.isatty():
        print(json.dumps(as_json(run), indent=2))
    else:
        show(run, Console())
    return 0 if run.verdict.is_kept else 1


async def kill_under_load(
    kills: int,
    seed: int,
    progress: Callable[[Run], None] = lambda run: None,
    *,
    keeps: bool = False,
) -> Run:
    """One run on an installation of its own."""
    run, dice = Run(seed), random.Random(seed)
    folder = make_folder("kills")
    began = time.monotonic()
    effects = EffectLog(folder / "effects.jsonl")
    try:
        files = make_upstream_files(folder)
        with Oracle(files.certificate, files.key, effects) as oracle:
            upstreams = Upstreams(oracle.port, files.ca, oracle)
            async with installation(
                folder, upstreams, dice, has_redis=False, gateway=SETTINGS
            ) as running:
                moments = Moments()
                async with KillLoad(running, effects, moments).open() as load:
                    effects.on_effect = _teller(moments, load)
                    await load.begin()
                    await _kill_on(running, load, moments, kills, run, progress)
                    await load.end(END_SECONDS_MAX)
                    await running.whole_again()
                    await _look(running, load, effects, folder, run)
    finally:
        effects.close()
        run.seconds = time.monotonic() - began
        if keeps:
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return run


def _teller(moments: Moments, load: KillLoad) -> Callable[[Effect], None]:
    """Tell of an effect before its answer, and again when the answer is on its way."""

    def tell(effect: Effect) -> None:
        gateway = load.gateway_of.get(effect.tag, 0)
        moments.tell(Moment.ARRIVED, gateway)
        threading.Thread(target=moments.tell, args=(Moment.ANSWERED, gateway)).start()

    return tell


# --- killing --------------------------------------------------------------------------------------


async def _kill_on(
    running: Installation,
    load: KillLoad,
    moments: Moments,
    kills: int,
    run: Run,
    progress: Callable[[Run], None],
) -> None:
    # Of its own: how often others draw from the installation's dice is the machine's doing.
    dice = random.Random(run.seed)
    while run.count < kills:
        await _let_pass(load)
        kinds = dice.choices(list(SHARES), list(SHARES.values()))
        if run.count + 1 < kills and dice.randrange(TOGETHER_OF) == 0:
            kinds = dice.sample(list(SHARES), 2)
        await asyncio.gather(*(_kill(running, dice, moments, kind, run) for kind in kinds))
        progress(run)


async def _let_pass(load: KillLoad) -> None:
    goal = load.told.successes + BETWEEN_SUCCESSES
    with suppress(TimeoutError):
        async with asyncio.timeout(BETWEEN_SECONDS_MAX):
            while load.told.successes < goal:
                broken = load.failure()
                if broken is not None:
                    raise broken
                await asyncio.sleep(0.01)


async def _kill(
    running: Installation, dice: random.Random, moments: Moments, kind: Kind, run: Run
) -> None:
    """Kill one of a kind at a moment that is drawn, and have it again."""
    moment = dice.choices(list(POINTS[kind]), list(POINTS[kind].values()))[0]
    gateway = dice.randrange(len(running.gateways))
    delay = DELAY_SECONDS[moment] * dice.random() ** 2
    victim: Gateway | Replica | None = None
    if kind is Kind.GATEWAY:
        victim = running.gateways[gateway]
    elif kind is Kind.CONTROL_PLANE:
        victim = dice.choice(running.replicas)
    pid = victim.process.pid if victim is not None else running.postgres.pid
    assert pid is not None

    def act() -> None:
        time.sleep(delay)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    trap = Trap(moment, gateway if kind is Kind.GATEWAY else None, act)
    fell_at = await asyncio.to_thread(_spring, trap, moments, running.gateways[gateway].data_dir)
    run.kills[(kind.value, fell_at.value)] += 1
    if victim is not None:
        await asyncio.to_thread(victim.process.wait, END_SECONDS_MAX)
        await asyncio.to_thread(_start_again, victim, run)
    else:
        await running.wait_postgres_after(pid)


def _start_again(victim: Gateway | Replica, run: Run) -> None:
    """Start it; on a machine that is busy with something else it may need another try."""
    for _ in range(STARTS_MAX - 1):
        try:
            victim.start()
        except NotReady as error:
            if error.status is not None:  # it ended by itself: no slowness
                raise
            run.slow_starts += 1
        else:
            return
    victim.start()


def _spring(trap: Trap, moments: Moments, data_dir: Path) -> Moment:
    """Wait for the moment, or for as long as it may take; the moment that it was."""
    with moments.set(trap):
        match trap.moment:
            case Moment.ANY:
                trap.spring()
            case Moment.INTENT_WRITTEN:
                deadline = time.monotonic() + MOMENT_SECONDS_MAX
                spool = data_dir / "spool"
                watch_intents(spool, lambda: time.monotonic() > deadline, trap.spring)
            case _:
                trap.sprung.wait(MOMENT_SECONDS_MAX)
        if trap.sprung.is_set():
            return trap.moment
        trap.spring()
    return Moment.ANY


# --- looking --------------------------------------------------------------------------------------


async def _look(
    running: Installation, load: KillLoad, effects: EffectLog, folder: Path, run: Run
) -> None:
    """Wait until all records are stored, verify the chains and the log, and judge."""
    for tag in await load.pass_once_more():
        await asyncio.to_thread(running.api.wait_record, {"kind": "intent"}, tag, END_SECONDS_MAX)
    stored = await asyncio.to_thread(running.api.records)
    broken = []
    for gateway in running.gateways:
        try:
            verify_chain(stored, gateway.gateway_id)
        except AssertionError as error:
            broken.append(f"{gateway.gateway_id}: {error}")
    evidence = Evidence(
        effects.read(),
        [record.fields for record in stored],
        await asyncio.to_thread(_pages, running, "/v1/approvals", "approvals", {}),
        load.told.acts,
        load.told.ok,
        {
            each["decisionId"]
            for each in await asyncio.to_thread(
                _pages, running, "/v1/outcomes", "outcomes", {"status": "unknown"}
            )
        },
        BUDGET,
    )
    run.told = load.told.statuses
    run.verdict = await asyncio.to_thread(judge, evidence)
    run.verdict.counted["chains that verify"] = len(running.gateways) - len(broken)
    run.verdict.breaches["chain that does not verify"] = broken
    unproved = await asyncio.to_thread(_verify_log, running, folder, len(stored))
    run.verdict.counted["records in the log that verifies"] = 0 if unproved else len(stored)
    run.verdict.breaches["log that does not verify"] = unproved
    run.verdict.breaches["answer that may never be"] = load.told.faults


def _verify_log(running: Installation, folder: Path, count: int) -> list[str]:
    """Export the log once a signed checkpoint covers it, and verify it as an auditor would, with
    the key that the gateways pinned when they first saw it. What is wrong, if anything."""
    deadline = time.monotonic() + END_SECONDS_MAX
    while (running.api.call("GET", "/v1/log")["checkpointSize"] or 0) < count:
        if time.monotonic() > deadline:
            return [f"no checkpoint covers {count} records"]
        time.sleep(0.5)
    pinned = {(each.data_dir / "log" / "key").read_text().strip() for each in running.gateways}
    if len(pinned) != 1:
        return [f"gateways pinned {len(pinned)} keys of the log"]
    replica = running.replicas[0]
    key = {"CHECKREIN_API_URL": replica.url, "CHECKREIN_API_KEY": replica.key("admin")}
    command = Checkrein(folder / "auditor", key)
    file = str(folder / "log.jsonl")
    exported = command.run("audit", "export", "-o", file)
    if exported.returncode:
        return [f"the export failed: {exported.stderr}"]
    verified = command.run("audit", "verify", file, "--key", pinned.pop(), "--json")
    return [] if verified.returncode == 0 else [verified.stdout + verified.stderr]


def _pages(
    running: Installation, path: str, name: str, query: dict[str, str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = running.api.call("GET", path, limit=500, cursor=cursor, **query)
        found += page[name]
        cursor = page.get("nextCursor") or ""
        if not cursor:
            return found


# --- showing --------------------------------------------------------------------------------------


def as_json(run: Run) -> dict[str, object]:
    """The run for machines."""
    kills: dict[str, dict[str, int]] = {}
    for (kind, moment), count in sorted(run.kills.items()):
        kills.setdefault(kind, {})[moment] = count
    return {
        "seed": run.seed,
        "seconds": round(run.seconds, 1),
        "kills": run.count,
        "killed": kills,
        "told": dict(run.told.most_common()),
        "slow_starts": run.slow_starts,
        **asdict(run.verdict),
    }


def show(run: Run, console: Console) -> None:
    """The run for people: what was killed when, what there was, and which promises hold."""
    kills = Table("killed", *Moment, "in all", title=f"{run.count} kills, seed {run.seed}")
    for kind in POINTS:
        row = [run.kills[(kind.value, moment.value)] for moment in Moment]
        kills.add_row(kind.value, *map(str, row), str(sum(row)))
    console.print(kills)
    table = Table("", "", title=f"what came of it in {run.seconds:.0f} s", show_header=False)
    for name, count in run.verdict.counted.items():
        table.add_row(name, f"{count:,}")
    table.add_section()
    for name, cases in run.verdict.breaches.items():
        style = "red" if cases else "green"
        table.add_row(name, f"[{style}]{len(cases)}[/]")
    console.print(table)
    for line in run.verdict.shown():
        console.print(f"BREACH {line}", style="red", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
