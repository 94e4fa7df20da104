"""Plain numbers are scraped as the client library's own metrics are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from gateway.tally import Spread, Tally


def test_a_tally_is_a_counter_with_labels() -> None:
    """One line for each set of values, under the name that counters have."""
    registry = CollectorRegistry()
    tally = Tally("taken", "What was taken.", ["effect", "mode"], registry)
    for effect in ("ALLOW", "ALLOW", "BLOCK"):
        tally.count((effect, "enforce"))
    text = generate_latest(registry).decode()
    assert 'taken_total{effect="ALLOW",mode="enforce"} 2.0' in text
    assert 'taken_total{effect="BLOCK",mode="enforce"} 1.0' in text


def test_a_spread_says_what_a_histogram_says() -> None:
    """Buckets are cumulative and include their bound; the sum and the count are there."""
    bounds, values = (0.005, 0.25, 1, 30), (0.005, 0.1, 0.25, 7, 100)
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread("lasted", "How long.", bounds, ours)
    histogram = Histogram("lasted", "How long.", buckets=bounds, registry=theirs)
    for value in values:
        spread.observe(value)
        histogram.observe(value)
    expected = [line for line in generate_latest(theirs).splitlines() if b"created" not in line]
    assert generate_latest(ours).splitlines() == expected
