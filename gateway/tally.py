"""Metrics of the hot path: plain numbers that are counted at once and read by a scrape.

The client library's own take a lock and a clock for every step, some microseconds of a request; the
event loop alone counts here, and a scrape may see a number that is one step old.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry


class Tally(Collector):
    """A counter with labels: `tally[values] += 1`."""

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str], registry: CollectorRegistry
    ) -> None:
        self._name, self._help, self._labels = name, help_text, labels
        self.counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def count(self, values: tuple[str, ...]) -> None:
        """Count one, under these values of the labels."""
        counts = self.counts
        counts[values] = counts.get(values, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for values, count in list(self.counts.items()):
            family.add_metric([str(value) for value in values], count)
        yield family


class Spread(Collector):
    """A histogram without labels. `bounds` are upper bounds in rising order."""

    def __init__(
        self, name: str, help_text: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._help, self._bounds = name, help_text, tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        buckets, total = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
        family = HistogramMetricFamily(self._name, self._help)
        family.add_metric([], buckets, self._sum)
        yield family
