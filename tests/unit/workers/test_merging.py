"""The metrics of several workers as one text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.workers.merging import merge


def _text(requests: int, held: int, seconds: float) -> str:
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests.", ["effect"], registry=registry)
    counter.labels("ALLOW").inc(requests)
    Gauge("held", "Held now.", registry=registry).set(held)
    Histogram("took_seconds", "Time.", buckets=(0.1, 1.0), registry=registry).observe(seconds)
    return generate_latest(registry).decode()


def _samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_and_histograms_are_summed_and_gauges_named():
    """In a text that Prometheus' own parser reads."""
    samples = _samples(merge({1: _text(3, 2, 0.05), 2: _text(4, 5, 0.5)}))
    assert samples[("requests_total", (("effect", "ALLOW"),))] == 7
    assert samples[("held", (("worker", "1"),))] == 2
    assert samples[("held", (("worker", "2"),))] == 5
    assert samples[("took_seconds_count", ())] == 2
    assert samples[("took_seconds_bucket", (("le", "0.1"),))] == 1
    assert samples[("took_seconds_bucket", (("le", "+Inf"),))] == 2


def test_a_worker_that_says_nothing_takes_nothing_away():
    """Nor does a line that is no sample."""
    text = _text(3, 2, 0.05)
    assert merge({1: text, 2: "", 3: "nonsense {\n# HELP\n"}) == merge({1: text})
