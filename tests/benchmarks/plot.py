"""The stored run -> one picture: CPU per request, and added latency at a fixed rate, by proxy.

Plain SVG without a library: dots on a logarithmic scale with their spread, because a bar on such a
scale would lie about its length. Readable on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from tests.benchmarks.ours import BARE, GOVERNED
from tests.benchmarks.rows import HEADLINE, RATES

WIDTH: Final = 920
LEFT: Final = 300
RIGHT: Final = 30
ROW: Final = 26
HEAD: Final = 64
FOOT: Final = 46

_STYLE: Final = """
  .t { font: 13px system-ui, sans-serif; fill: #24292f; }
  .h { font-weight: 600; }
  .s { font-size: 11px; fill: #57606a; }
  .g { stroke: #d0d7de; }
  .w { stroke: #57606a; stroke-width: 2; }
  .d { fill: #57606a; }
  .o { fill: #0969da; stroke: none; }
  .ow { stroke: #0969da; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .t { fill: #e6edf3; } .s { fill: #8b949e; } .g { stroke: #30363d; }
    .w { stroke: #8b949e; } .d { fill: #8b949e; } .o { fill: #58a6ff; } .ow { stroke: #58a6ff; }
  }
"""

Point = tuple[str, float, float, float]
"""Name, the figure, and the ends of its spread."""


def draw(stored: Mapping[str, Any]) -> str:
    """The picture of a stored run (`report.document`)."""
    parts: list[str] = []
    top = 0
    for title, points, unit in _panels(stored):
        panel, height = _panel(title, points, unit, top)
        parts += panel
        top += height
    where = stored["where"]
    caption = escape(f"{where['machine']}; {where['versions']}")
    parts.append(f'<text class="t s" x="12" y="{top + 16}">{caption}</text>')
    height = top + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="CPU per request and added latency of several proxies">'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _panels(stored: Mapping[str, Any]) -> list[tuple[str, list[Point], str]]:
    cpu = [
        (name, figures[HEADLINE]["median"], figures[HEADLINE]["min"], figures[HEADLINE]["max"])
        for name, figures in stored["cpu_us"].items()
        if HEADLINE in figures and name != "no proxy"
    ]
    panels = [(f"CPU of the proxy per request, µs ({HEADLINE}; whiskers: min to max)", cpu, "µs")]
    for row in RATES:
        straight = stored["cpu_us"].get("no proxy", {}).get(row.name)
        if straight is None:
            continue
        added = []
        for name, figures in stored["cpu_us"].items():
            if name != "no proxy" and row.name in figures:
                p50 = max(figures[row.name]["p50_us"] - straight["p50_us"], 10) / 1e3
                p99 = max(figures[row.name]["p99_us"] - straight["p99_us"], 10) / 1e3
                added.append((name, p50, p50, max(p50, p99)))
        panels.append((f"Added latency at {row.name}, ms: p50, and up to p99", added, "ms"))
    return panels


def _panel(title: str, points: Sequence[Point], unit: str, top: int) -> tuple[list[str], int]:
    if not points:
        return [], 0
    low = 10 ** math.floor(math.log10(min(point[2] for point in points)))
    high = 10 ** math.ceil(math.log10(max(point[3] for point in points) * 1.01))
    span = math.log10(high / low)

    def place(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(max(value, low) / low) / span

    bottom = top + HEAD + ROW * len(points)
    parts = [f'<text class="t h" x="12" y="{top + 24}">{escape(title)}</text>']
    tick = low
    while tick <= high * 1.001:
        x = place(tick)
        parts.append(
            f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{top + HEAD - 18}" y2="{bottom}"/>'
            f'<text class="t s" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">'
            f"{tick:g} {unit}</text>"
        )
        tick *= 10
    for number, (name, value, least, most) in enumerate(points):
        y = top + HEAD + ROW * number
        own = name.startswith("Checkrein")
        dot, whisker = ("o", "ow") if own else ("d", "w")
        weight = " h" if name == GOVERNED else ""
        hollow = ' fill-opacity="0.45"' if name == BARE else ""
        label = f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
        parts.append(
            f'<text class="t{weight}" x="{LEFT - 12}" y="{y + 4}" text-anchor="end">'
            f"{escape(name)}</text>"
            f'<line class="{whisker}" x1="{place(least):.1f}" x2="{place(most):.1f}" '
            f'y1="{y}" y2="{y}"/>'
            f'<circle class="{dot}" cx="{place(value):.1f}" cy="{y}" r="5"{hollow}/>'
            f'<text class="t s" x="{place(most) + 10:.1f}" y="{y + 4}">{label}</text>'
        )
    return parts, HEAD + ROW * len(points) + FOOT
