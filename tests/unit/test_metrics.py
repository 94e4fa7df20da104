"""Our own metrics are scraped as the client library's are."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as TheirCounter
from prometheus_client import Gauge as TheirGauge

from gateway.metrics import Counter, Gauge, Registry, Spread, Tally


def _lines(registry: CollectorRegistry) -> list[str]:
    """What the library shows, but for the moments at which its counters were made."""
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if "_created" not in line]


def test_a_tally_is_a_counter_with_labels() -> None:
    """One line for each set of values, under the name that counters have."""
    registry = Registry()
    tally = Tally("taken", "What was taken.", ["effect", "mode"], registry)
    for effect in ("ALLOW", "ALLOW", "BLOCK"):
        tally.count((effect, "enforce"))
    assert registry.text().splitlines() == [
        "# HELP taken_total What was taken.",
        "# TYPE taken_total counter",
        'taken_total{effect="ALLOW",mode="enforce"} 2.0',
        'taken_total{effect="BLOCK",mode="enforce"} 1.0',
    ]


def test_a_spread_says_what_a_histogram_says() -> None:
    """Buckets are cumulative and include their bound; the sum and the count are there."""
    bounds, values = (0.005, 0.25, 1, 30), (0.005, 0.1, 0.25, 7, 100)
    ours, theirs = Registry(), CollectorRegistry()
    spread = Spread("lasted", "How long.", bounds, ours)
    histogram = Histogram("lasted", "How long.", buckets=bounds, registry=theirs)
    for value in values:
        spread.observe(value)
        histogram.observe(value)
    assert ours.text().splitlines() == _lines(theirs)


def test_counters_and_gauges_say_what_the_librarys_do() -> None:
    """With labels and without, from the start and after steps; a label's value can't break out."""
    ours, theirs = Registry(), CollectorRegistry()
    for registry, counter, gauge in ((ours, Counter, Gauge), (theirs, TheirCounter, TheirGauge)):
        plain = counter("plain", "Without labels.", registry=registry)
        coded = counter("coded", "By code.", ["code"], registry=registry)
        held = gauge("held", "Now.", registry=registry)
        assert registry is theirs or "plain_total 0.0" in ours.text()
        plain.inc()
        plain.inc(2)
        coded.labels('a"b\\c\nd').inc()
        coded.labels("x").inc()
        coded.labels("x").inc()
        held.set(7)
        held.dec()
        with held.track_inprogress():
            held.inc()
    assert ours.text().splitlines() == _lines(theirs)
