"""Results -> the table on a terminal, the stored JSON, and the part of README that shows them.

Everything that README says in figures about speed is made here out of one stored run, so that no
number is typed in by hand; a test holds README to the file.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.table import Table

from tests.benchmarks.gateway_life import Life
from tests.benchmarks.measuring import Results
from tests.benchmarks.ours import GOVERNED
from tests.benchmarks.rows import HEADLINE, RATES, READS

FLOOR: Final = "nginx, bare TLS reverse proxy"
BUDGETS: Final = {
    FLOOR: 3.0,
    "Envoy, CONNECT, no policy": 1.0,
    "Envoy, CONNECT, ext_authz": 0.6,
    "mitmproxy": 1 / 18,
}
"""DESIGN's demands for the governed request, in times each peer's cost."""

Document = Mapping[str, Any]


def document(
    results: Results,
    life: Life | None,
    costs: Mapping[str, float],
    http2: Mapping[tuple[str, str], Sequence[float]],
    where: Mapping[str, str],
) -> dict[str, Any]:
    """What is stored: every figure that is shown, and how it was had."""
    return {
        "where": dict(where),
        "cpu_us": {
            candidate: {
                row: _spread(results, candidate, row)
                for row in results.rows
                if results.of(candidate, row)
            }
            for candidate in results.candidates
        },
        "life": None if life is None else asdict(life),
        "costs_us": dict(costs),
        "http2_us": {
            f"{what}, {way}": round(statistics.median(each), 1)
            for (what, way), each in http2.items()
        },
    }


def _spread(results: Results, candidate: str, row: str) -> dict[str, float]:
    own = [one.cpu_us for one in results.of(candidate, row)]
    return {
        "median": round(results.median(candidate, row) or 0, 1),
        "min": round(min(own), 1),
        "max": round(max(own), 1),
        "p50_us": round(results.median(candidate, row, "p50_us") or 0),
        "p99_us": round(results.median(candidate, row, "p99_us") or 0),
        "rounds": len(own),
        "requests": sum(one.done for one in results.of(candidate, row)),
    }


def table(stored: Document) -> Table:
    """Medians, spread, and the ratio to bare nginx of the same row."""
    shown = Table(
        title="CPU of the proxy's process tree per request, us: median (min-max), x nginx"
    )
    shown.add_column("candidate")
    rows = _rows(stored)
    for row in rows:
        shown.add_column(row, justify="right")
    for candidate, figures in stored["cpu_us"].items():
        shown.add_row(candidate, *(_cell(stored, figures, row) for row in rows))
    return shown


def _rows(stored: Document) -> list[str]:
    rates = {row.name for row in RATES}
    found = dict.fromkeys(row for figures in stored["cpu_us"].values() for row in figures)
    return [row for row in found if row not in rates]


def _cell(stored: Document, figures: Document, row: str) -> str:
    if row not in figures:
        return "-"
    figure = figures[row]
    ratio = _times_floor(stored, figure["median"], row)
    shown = "" if ratio is None else f", {ratio:.1f}x"
    return f"{figure['median']:.0f} ({figure['min']:.0f}-{figure['max']:.0f}){shown}"


def _times_floor(stored: Document, value: float, row: str) -> float | None:
    floor = stored["cpu_us"].get(FLOOR, {}).get(row)
    return None if floor is None else float(value / floor["median"])


# --- README ---------------------------------------------------------------------------------------

BEGIN: Final = "<!-- figures of tests/benchmarks/results.json, written by its command -->"
END: Final = "<!-- end of those figures -->"


def replace_part(readme: str, stored: Document) -> str:
    """README with the part between the marks made anew."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, "README has the first mark"
    assert end, "README has the second mark"
    return f"{before}{BEGIN}\n{markdown(stored)}{END}{after}"


def markdown(stored: Document) -> str:
    """README's part, from its figure's caption to its last row."""
    where = stored["where"]
    lines = [
        "![CPU per request and added latency, by proxy](tests/benchmarks/results.svg)",
        "",
        (
            f"One run of `python -m tests.benchmarks` on {where['machine']}; "
            f"{where['versions']}. {where['manner']} CPU microseconds of the proxy's own "
            "processes per request, by the kernel's books: median (min-max)."
        ),
        "",
        f"| proxy | {READS} | {HEADLINE} | x nginx |",
        "|---|---|---|---|",
    ]
    for candidate, figures in stored["cpu_us"].items():
        if HEADLINE not in figures:
            continue
        ratio = _times_floor(stored, figures[HEADLINE]["median"], HEADLINE)
        name = f"**{candidate}**" if candidate == GOVERNED else candidate
        shown = "" if ratio is None else f"{ratio:.1f}"
        lines.append(
            f"| {name} | {_figure(figures.get(READS))} | {_figure(figures[HEADLINE])} | {shown} |"
        )
    lines += ["", _verdict(stored), ""]
    lines += [
        *_more_rows(stored),
        *_latency(stored),
        *_life(stored),
        *_http2(stored),
        *_costs(stored),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _figure(figure: Document | None) -> str:
    if figure is None:
        return ""
    return f"{figure['median']:.0f} ({figure['min']:.0f}-{figure['max']:.0f})"


def _verdict(stored: Document) -> str:
    """Said by the figures, whichever way they fall."""
    own = stored["cpu_us"].get(GOVERNED, {}).get(HEADLINE)
    parts = []
    for peer, most in BUDGETS.items():
        figure = stored["cpu_us"].get(peer, {}).get(HEADLINE)
        if own is None or figure is None:
            continue
        ratio = own["median"] / figure["median"]
        word = "met" if ratio <= most else "not met"
        parts.append(f"{most:.2g} times {peer} (it is {ratio:.2f}: {word})")
    return f"Our own budget for a governed mutation is at most {'; '.join(parts)}."


def _more_rows(stored: Document) -> list[str]:
    rows = [row for row in _rows(stored) if row not in (READS, HEADLINE)]
    if not rows:
        return []
    names = [
        name for name in stored["cpu_us"] if any(row in stored["cpu_us"][name] for row in rows)
    ]
    lines = ["| CPU µs, median | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for name in names:
        figures = stored["cpu_us"][name]
        cells = [f"{figures[row]['median']:,.0f}" if row in figures else "" for row in rows]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _latency(stored: Document) -> list[str]:
    rates = [row.name for row in RATES if row.name in stored["cpu_us"].get("no proxy", {})]
    if not rates:
        return []
    lines = [
        (
            "Added latency in ms at fixed rates (open loop; over the same load straight to the "
            "origin), p50 and p99. A governed mutation is sent once its record is on disk; with "
            "the record in memory it does not wait for that:"
        ),
        "",
        "| proxy | " + " | ".join(rates) + " |",
        "|---" * (len(rates) + 1) + "|",
    ]
    for name, figures in stored["cpu_us"].items():
        if name != "no proxy" and any(row in figures for row in rates):
            cells = [_added(stored, figures, row) for row in rates]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _added(stored: Document, figures: Document, row: str) -> str:
    if row not in figures:
        return ""
    straight = stored["cpu_us"]["no proxy"][row]
    p50 = (figures[row]["p50_us"] - straight["p50_us"]) / 1e3
    p99 = (figures[row]["p99_us"] - straight["p99_us"]) / 1e3
    return f"{p50:.2f}, {p99:.1f}"


def _life(stored: Document) -> list[str]:
    life = stored["life"]
    if life is None:
        return []
    return [
        (
            f"Start to the first governed request: {life['start_ms']:.0f} ms "
            f"({life['start_ms_min']:.0f}-{life['start_ms_max']:.0f}; budget 600). Idle memory: "
            f"{life['idle_mb']:.0f} MB (budget 60). {_held(life)} One answer of 100 MB: "
            f"{life['big_mb_per_second']:.0f} MB/s, {life['big_cpu_ms']:.0f} ms of CPU, memory "
            f"grew by {life['big_grown_mb']:.1f} MB."
        ),
        "",
    ]


def _held(life: Document) -> str:
    kb = life["held_kb"]
    each = "too few to tell the memory of one"
    if kb is not None:
        each = f"{kb:.1f} KB each with their TLS connections (budget 48)"
    asked = released = ""
    if "held_asked_seconds" in life:
        asked = f"; the last was asked about after {life['held_asked_seconds']:.0f} s"
        released = f" within {life['held_released_seconds']:.0f} s"
    return (
        f"{life['held']:,} held requests: {each}{asked}; all approved at once, "
        f"{life['released_bad']} of them failed{released}."
    )


def _http2(stored: Document) -> list[str]:
    ways = stored.get("http2_us")
    if not ways:
        return []
    parts = "; ".join(f"{name} {value:.0f}" for name, value in ways.items())
    said = (
        "HTTP/2 beside HTTP/1.1, agent to upstream, on one connection, one request after the "
        f"other, CPU µs per governed request: {parts}."
    )
    return [said, ""]


def _costs(stored: Document) -> list[str]:
    costs = stored["costs_us"]
    if not costs:
        return []
    parts = ", ".join(f"{name} {value:.1f}" for name, value in costs.items())
    return [f"Parts of a governed mutation in the same run, each alone in a loop, µs: {parts}.", ""]
