"""Numbers -> SVG, drawn here: no script, no inline style, readable by a screen reader. Pure.

Colours are classes of the style sheet, so that dark mode and contrast are decided in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup

WIDTH: Final = 960
HEIGHT: Final = 160
"""Of the drawing alone, which is stretched to its place; the words around it are not."""

_LABELS_MAX: Final = 5

FACTORS_MAX: Final = 32
GROUPS: Final = ("operation", "target", "context", "deviation")

EFFECTS: Final = ("ALLOW", "REQUIRE_APPROVAL", "BLOCK")
"""From the bottom up."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stack: what was counted in the time that begins `at`."""

    at: datetime
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def stacked_bars(bars: Sequence[Bar], title: str, description: str) -> Markup:
    """Bars over time, stacked by effect, with axes. Each bar says its numbers on hover."""
    top = nice_ceiling(max((bar.total for bar in bars), default=0))
    step = WIDTH / max(1, len(bars))
    drawn = [_grid()] + [_bar(bar, index * step, step, top) for index, bar in enumerate(bars)]
    return Markup(
        '<figure class="chart"><div class="chart-y" aria-hidden="true">{}</div>'
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="chart-title chart-desc"'
        ' preserveAspectRatio="none"><title id="chart-title">{}</title>'
        '<desc id="chart-desc">{}</desc>{}</svg>'
        '<div class="chart-x" aria-hidden="true">{}</div></figure>'
    ).format(
        _spans(_short(value) for value in (top, top // 2, 0)),
        WIDTH,
        HEIGHT,
        title,
        description,
        Markup("").join(drawn),
        _spans(_time_labels(bars)),
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """One of many in a row: its effect, how high it stands (0 to 100), and what it says."""

    effect: str
    height: int
    told: str


MARK_HEIGHT: Final = 32


def marks(row: Sequence[Mark], title: str, description: str) -> Markup:
    """Marks side by side in their order, coloured by effect: where a run was stopped or asked is
    seen at a glance."""
    step = WIDTH / max(40, len(row))
    drawn = [
        Markup(
            '<rect class="fill-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
            "<title>{}</title></rect>"
        ).format(
            mark.effect,
            index * step,
            MARK_HEIGHT - _mark_size(mark),
            max(0.8, step - min(2.0, step * 0.25)),
            _mark_size(mark),
            mark.told,
        )
        for index, mark in enumerate(row)
    ]
    return Markup(
        '<svg class="marks" viewBox="0 0 {} {}" role="img" aria-label="{}: {}" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(WIDTH, MARK_HEIGHT, title, description, Markup("").join(drawn))


def _mark_size(mark: Mark) -> float:
    """Even without any risk it is seen."""
    return 6 + (MARK_HEIGHT - 6) * min(100, max(0, mark.height)) / 100


def risk_bar(factors: Sequence[Mapping[str, object]]) -> Markup:
    """A score's factors beside each other, out of 100; each is named on hover and to a screen
    reader."""
    parts, x = [], 0.0
    for factor in factors[:FACTORS_MAX]:
        points = factor.get("points")
        width = float(points) if isinstance(points, int) and points > 0 else 0.0
        width = min(width, 100.0 - x)
        if width <= 0:
            continue
        parts.append(
            Markup(
                '<rect class="{}" x="{:.1f}" y="0" width="{:.1f}" height="8">'
                "<title>{}: {} ({})</title></rect>"
            ).format(
                factor_class(factor),
                x,
                max(0.4, width - 0.4),
                factor.get("name", ""),
                factor.get("points", ""),
                factor.get("observed", ""),
            )
        )
        x += width
    told = ", ".join(f"{one.get('name')} {one.get('points')}" for one in factors[:FACTORS_MAX])
    return Markup(
        '<svg class="risk-bar" viewBox="0 0 100 8" role="img" aria-label="{}" '
        'preserveAspectRatio="none"><rect class="factor-rest" x="0" y="0" width="100" height="8"/>'
        "{}</svg>"
    ).format(f"Risk factors: {told}", Markup("").join(parts))


def factor_class(factor: Mapping[str, object]) -> str:
    """The colour of a factor: one for each of operation, target, context and deviation."""
    group = str(factor.get("name", "")).partition(".")[0]
    return f"factor-{GROUPS.index(group) + 1 if group in GROUPS else len(GROUPS)}"


def nice_ceiling(value: int) -> int:
    """The round number at which an axis ends: 1, 2 or 5 times a power of ten, at least 4."""
    if value <= 4:
        return 4
    size = int("1" + "0" * (len(str(value)) - 1))
    return next(factor * size for factor in (1, 2, 4, 5, 8, 10) if value <= factor * size)


def _bar(bar: Bar, x: float, step: float, top: int) -> Markup:
    if bar.total == 0:
        return Markup("")
    width = max(0.8, step - min(2.0, step * 0.25))
    parts, base = [], 0.0
    for effect in EFFECTS:
        size = bar.counts.get(effect, 0) / top * HEIGHT
        if size <= 0:
            continue
        parts.append(
            Markup(
                '<rect class="fill-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
            ).format(effect, x, HEIGHT - base - size, width, size)
        )
        base += size
    told = ", ".join(f"{bar.counts[one]} {one}" for one in EFFECTS if bar.counts.get(one))
    return Markup("<g><title>{}: {}</title>{}</g>").format(
        bar.at.strftime("%d %b %H:%M UTC"), told, Markup("").join(parts)
    )


def _grid() -> Markup:
    return Markup("").join(
        Markup('<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>').format(WIDTH, y, y)
        for y in (0, HEIGHT // 2, HEIGHT)
    )


def _time_labels(bars: Sequence[Bar]) -> list[str]:
    """Evenly from the first to the last."""
    if not bars:
        return []
    is_long = (bars[-1].at - bars[0].at).total_seconds() > 2 * 86_400
    last = len(bars) - 1
    places = sorted({last * part // (_LABELS_MAX - 1) for part in range(_LABELS_MAX)})
    return [bars[place].at.strftime("%d %b" if is_long else "%H:%M") for place in places]


def _spans(texts: Iterable[str]) -> Markup:
    return Markup("").join(Markup("<span>{}</span>").format(text) for text in texts)


def _short(value: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return str(value)
