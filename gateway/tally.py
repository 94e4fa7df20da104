"""Metrics of the hot path: plain numbers that are counted at once and read by a scrape.

A lock for every step would show in a request; the event loop alone counts here, and a scrape may
see a number that is one step old.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from gateway.metrics import Registry, sample


class Tally:
    """A counter with labels."""

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
    """A histogram without labels. `bounds` are upper bounds in rising order."""

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
