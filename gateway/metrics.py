"""Metrics as plain numbers, and the text in which a scraper reads them (Prometheus, 0.0.4).

The client library's own cost an idle gateway several MB and every step of the hot path a clock.
Names, labels and help are ours; the values of labels are escaped. A series exists from its first
step; a metric without labels, from the start.

A lock for every step would show in a request. So `Tally` and `Spread` are counted by the event loop
alone and without one; a scrape may see a number that is one step old.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_LOCK: Final = threading.Lock()
"""Threads of the record count too. Nothing is done while it is held but an addition."""


class Metric(Protocol):
    """One family. `kind` is `counter`, `gauge` or `histogram`."""

    name: str
    help_text: str
    kind: str

    def samples(self) -> Iterator[str]: ...


class Registry:
    """Every metric of the process, in the order in which they were made."""

    def __init__(self) -> None:
        self._metrics: list[Metric] = []

    def register(self, metric: Metric) -> None:
        """Show it from now on; each name once."""
        assert all(metric.name != known.name for known in self._metrics)
        self._metrics.append(metric)

    def text(self) -> str:
        """All there is, for a scraper."""
        lines: list[str] = []
        for metric in self._metrics:
            lines += (
                f"# HELP {metric.name} {metric.help_text}",
                f"# TYPE {metric.name} {metric.kind}",
            )
            lines += metric.samples()
        return "\n".join([*lines, ""])


class Number:
    """One series, read by `value`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add."""
        with _LOCK:
            self.value += amount


class Counter(Number):
    """What only grows. With `labels`, each set of their values is a series of its own."""

    kind = "counter"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, registry: Registry
    ) -> None:
        super().__init__()
        self.name, self.help_text = f"{name}_total", help_text
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], Number] = {}
        registry.register(self)

    def labels(self, *values: str) -> Number:
        """The series of these values."""
        assert len(values) == len(self._labels) > 0
        key = tuple(str(value) for value in values)
        with _LOCK:
            return self._series.setdefault(key, Number())

    def samples(self) -> Iterator[str]:
        """For the registry."""
        if not self._labels:
            yield sample(self.name, self.value)
        for values, series in list(self._series.items()):
            yield sample(self.name, series.value, self._labels, values)


class Gauge(Number):
    """What rises and falls."""

    kind = "gauge"

    def __init__(self, name: str, help_text: str, *, registry: Registry) -> None:
        super().__init__()
        self.name, self.help_text = name, help_text
        registry.register(self)

    def dec(self) -> None:
        """Take one away."""
        self.inc(-1)

    def set(self, value: float) -> None:
        """What it is now."""
        self.value = float(value)

    @contextmanager
    def track_inprogress(self) -> Iterator[None]:
        """One more for as long as this lasts."""
        self.inc()
        try:
            yield
        finally:
            self.dec()

    def samples(self) -> Iterator[str]:
        """For the registry."""
        yield sample(self.name, self.value)


class Tally:
    """A counter with labels, of the event loop alone."""

    kind = "counter"

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str], registry: Registry
    ) -> None:
        self.name, self.help_text, self._labels = f"{name}_total", help_text, labels
        self.counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def count(self, values: tuple[str, ...]) -> None:
        """Count one, under these values of the labels."""
        counts = self.counts
        counts[values] = counts.get(values, 0) + 1

    def samples(self) -> Iterator[str]:
        """For the registry."""
        for values, count in list(self.counts.items()):
            yield sample(self.name, count, self._labels, [str(value) for value in values])


class Spread:
    """A histogram without labels, of the event loop alone. `bounds` are upper bounds, rising."""

    kind = "histogram"

    def __init__(
        self, name: str, help_text: str, bounds: Sequence[float], registry: Registry
    ) -> None:
        self.name, self.help_text, self._bounds = name, help_text, tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self) -> Iterator[str]:
        """For the registry."""
        total = 0
        for bound, count in zip((*map(float, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield sample(f"{self.name}_bucket", total, ["le"], [str(bound)])
        yield sample(f"{self.name}_count", total)
        yield sample(f"{self.name}_sum", self._sum)


def sample(name: str, value: float, labels: Sequence[str] = (), values: Sequence[str] = ()) -> str:
    """One line: `name{label="value"} 1.0`."""
    pairs = zip(labels, values, strict=True)
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in pairs)
    return f"{name}{{{inside}}} {_shown(value)}" if inside else f"{name} {_shown(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _shown(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value))
