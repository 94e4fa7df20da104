"""`python -m tests.benchmarks.policies`: what a decision costs, beside other engines in one run.

Ours is the whole decision: effect, rule, reason, score and factors, as the gateway takes it. The
peers decide the same rules and say how often they agree. Then the load of 10,000 rules from YAML,
the first call of an operation, and the worst case: all rules on one action and none that matches.
Asserts nothing about time, but stops when our own decision is not what the rules say.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from gateway.decide.bundle import Bundle
from gateway.decide.loader import make_bundle
from gateway.decide.rules.trace import trace
from gateway.model.action import Action, Kind, Target
from gateway.model.effect import Mode
from tests.benchmarks import accounting
from tests.benchmarks.policy_peers import (
    Ask,
    Unavailable,
    make_agent_os,
    make_cedar,
    make_cel,
)
from tests.benchmarks.policy_rules import (
    CONTEXT,
    CROWDED,
    CROWDED_WITHOUT,
    REQUESTS,
    RequestSpec,
    RuleSpec,
    make_crowd,
    make_late_crowd,
    make_rules,
    policy_of,
)

SIZES = (10, 100, 1_000, 10_000)
PEERS: dict[str, Callable[[Sequence[RuleSpec]], Ask]] = {
    "cedarpy": make_cedar,
    "agent-os-kernel (one comparison a rule)": make_agent_os,
    "cel-expr-python behind our index": make_cel,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call, in microseconds."""

    p50: float
    p99: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.policies")
    parser.add_argument("--calls", type=int, default=20_000, help="of each request, at most")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each request, at most")
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    console = Console(width=140)
    bundles = {size: make_bundle([("p.yaml", policy_of(make_rules(size)))]) for size in SIZES}
    for bundle in bundles.values():
        _check(bundle)
    console.print(_ours(bundles, options.calls, options.seconds))
    console.print(_first_touch(bundles))
    console.print(_worst(options.seconds))
    console.print(_loads())
    if not options.without_peers:
        console.print(_beside(bundles, options.calls, options.seconds))
    console.print(accounting.machine())
    return 0


def _check(bundle: Bundle) -> None:
    """Our decision is what a plain reading of the rules gives."""
    for request in REQUESTS:
        action = request.action_value()
        (found,) = trace(bundle.policies, action, CONTEXT, bundle.risks)
        decision = bundle.decide((action,), CONTEXT, Mode.ENFORCE)
        if (decision.effect, decision.rule) != (found.effect, found.decided_by):
            raise SystemExit(f"wrong: {request.name}: {decision}")


def _call(bundle: Bundle, request: RequestSpec) -> Callable[[], object]:
    actions, decide, mode = (request.action_value(),), bundle.decide, Mode.ENFORCE
    return lambda: decide(actions, CONTEXT, mode)


def _cost(call: Callable[[], object], calls: int, seconds: float) -> Cost:
    """Timed one by one, so that the slow ones show; the clock's own cost is in it."""
    clock = time.perf_counter_ns
    call()
    until, times = clock() + int(seconds * 1e9), []
    while len(times) < calls and clock() < until:
        for _ in range(min(20, calls)):
            begun = clock()
            call()
            times.append(clock() - begun)
    times.sort()
    return Cost(times[len(times) // 2] / 1e3, times[int(len(times) * 0.99)] / 1e3)


def _ours(bundles: dict[int, Bundle], calls: int, seconds: float) -> Table:
    table = Table(title="one decision of ours with score, factors and reasons, us: p50 (p99)")
    table.add_column("request")
    for size in SIZES:
        table.add_column(f"{size:,} rules", justify="right")
    table.add_column("p50 10,000 / 100", justify="right")
    for request in REQUESTS:
        costs = {}
        for size, bundle in bundles.items():
            costs[size] = _cost(_call(bundle, request), calls, seconds)
        shown = [f"{cost.p50:.2f} ({cost.p99:.2f})" for cost in costs.values()]
        table.add_row(request.name, *shown, f"{costs[10_000].p50 / costs[100].p50:.2f}")
    empty = _cost(lambda: None, calls, seconds)
    table.add_row("(an empty call)", f"{empty.p50:.2f} ({empty.p99:.2f})", "", "", "", "")
    return table


def _first_touch(bundles: dict[int, Bundle]) -> Table:
    table = Table(title="the first call of an operation, us: median of 200 new names (largest)")
    for size in SIZES:
        table.add_column(f"{size:,} rules", justify="right")
    row = []
    for bundle in bundles.values():
        times = []
        for number in range(200):
            name = f"create_new_{number}"
            action = Action(
                "provider0", f"provider0.{name}", name, Kind.CREATE, Target("charge", "ch_1")
            )
            begun = time.perf_counter_ns()
            bundle.decide((action,), CONTEXT, Mode.ENFORCE)
            times.append((time.perf_counter_ns() - begun) / 1e3)
        row.append(f"{statistics.median(times):.0f} ({max(times):.0f})")
    table.add_row(*row)
    return table


def _worst(seconds: float) -> Table:
    title = "worst case: all rules on one action, none matches; us a candidate rule, p50 (p99)"
    table = Table(title=title)
    table.add_column("rules")
    names = ("false in the first test", "false in the last test", "a missing param")
    for name in names:
        table.add_column(name, justify="right")
    for size in (100, 1_000, 10_000):
        first = make_bundle([("p.yaml", policy_of(make_crowd(size)))])
        last = make_bundle([("p.yaml", policy_of(make_late_crowd(size)))])
        row = []
        for bundle, request in ((first, CROWDED), (last, CROWDED), (last, CROWDED_WITHOUT)):
            decided = bundle.decide((request.action_value(),), CONTEXT, Mode.ENFORCE)
            if decided.rule is not None:
                raise SystemExit(f"wrong: a rule of the crowd matched: {decided}")
            cost = _cost(_call(bundle, request), 2_000, seconds)
            row.append(f"{cost.p50 / size:.4f} ({cost.p99 / size:.4f})")
        table.add_row(f"{size:,}", *row)
    return table


def _loads() -> Table:
    table = Table(title="load of 10,000 rules with distinct conditions from YAML text, seconds")
    for name in ("median of 5", "least", "CPU of the least"):
        table.add_column(name, justify="right")
    text = policy_of(make_rules(10_000))
    times = []
    for _ in range(5):
        gc.collect()
        begun, cpu = time.perf_counter(), time.process_time()
        make_bundle([("p.yaml", text)])
        times.append((time.perf_counter() - begun, time.process_time() - cpu))
    wall = sorted(each for each, _ in times)
    table.add_row(f"{statistics.median(wall):.2f}", f"{wall[0]:.2f}", f"{min(times)[1]:.2f}")
    return table


def _beside(bundles: dict[int, Bundle], calls: int, seconds: float) -> Table:
    """Medians over the five requests of each engine's p50, ours measured again in between."""
    title = "beside others, us: median over the requests of p50 (times ours), agreement of 5"
    table = Table(title=title)
    table.add_column("engine")
    for size in SIZES:
        table.add_column(f"{size:,} rules", justify="right")
    table.add_column("10,000 / 100", justify="right")
    medians: dict[str, dict[int, float]] = {"ours": {}, **{name: {} for name in PEERS}}
    cells: dict[str, list[str]] = {name: [] for name in medians}
    for size, bundle in bundles.items():
        ours = [_cost(_call(bundle, request), calls, seconds).p50 for request in REQUESTS]
        base = medians["ours"][size] = statistics.median(ours)
        cells["ours"].append(f"{base:.2f}")
        for name, make in PEERS.items():
            try:
                ask = make(make_rules(size))
            except Unavailable as error:
                cells[name].append(str(error))
                continue
            costs, agree = [], 0
            for request in REQUESTS:
                peer = ask(request)
                decided = bundle.decide((request.action_value(),), CONTEXT, Mode.ENFORCE)
                agree += peer() is decided.passes
                costs.append(_cost(peer, calls, seconds).p50)
            median = medians[name][size] = statistics.median(costs)
            cells[name].append(f"{median:,.1f} (x {median / base:,.1f}), {agree}")
    for name, row in cells.items():
        found = medians[name]
        growth = f"{found[10_000] / found[100]:.2f}" if 10_000 in found else ""
        table.add_row(name, *row, growth)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
