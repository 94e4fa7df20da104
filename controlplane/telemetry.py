"""The control plane's metrics, and the names of what a log line may carry.

Labels are bounded: methods, route patterns, statuses, effects of our own. Never an id, an agent or
a path that a caller wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LOG_FIELDS: Final = (
    "request_id", "method", "route", "status", "duration_ms", "key_prefix", "code", "count",
    "detail", "approval_id",
)  # fmt: skip
"""What a log line of the control plane may carry beside its message."""


class Metrics:
    """One registry per control plane, so that two in one process don't count for each other."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.requests = counter(
            "checkrein_controlplane_requests",
            "Requests to the API, by method, route and status.",
            ["method", "route", "status"],
        )
        self.requests_counted = counter(
            "agentvault_request_count",
            "The same requests, under the name by which the API's walk-through looks for them.",
            ["method", "path", "status"],
        )
        self.seconds = Histogram(
            "checkrein_controlplane_request_seconds",
            "Time to answer a request, long polls included, by route.",
            ["route"],
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
            registry=registry,
        )
        self.approvals = counter(
            "checkrein_controlplane_approvals",
            "Approvals that came to a status, by status.",
            ["status"],
        )
        self.reservations = counter(
            "checkrein_controlplane_reservations",
            "Reservations of limits that were asked for, by what became of them (taken, refused).",
            ["result"],
        )
        self.grants = counter(
            "checkrein_controlplane_grants",
            "What became of grants (given, used, revoked).",
            ["move"],
        )
        self.stops = counter(
            "checkrein_controlplane_stops", "The kill switch's moves (pulled, lifted).", ["move"]
        )
        self.deliveries = counter(
            "checkrein_controlplane_deliveries",
            "What was sent to channels, by kind of channel and result (delivered, failed, dead, "
            "skipped, tested, test_failed).",
            ["channel", "result"],
        )
        self.records = counter(
            "checkrein_controlplane_records",
            "Records received, by what became of them (stored, repeated, refused).",
            ["result"],
        )
        self.checkpoints, self.anchors = _of_logs(counter)
        self.streamed, self.stream_lag = _of_streams(counter, gauge)
        self.projected = counter(
            "checkrein_controlplane_records_read",
            "Records that were read into runs, steps and incidents.",
        )
        self.bugs = counter(
            "checkrein_controlplane_bugs",
            "Faults of our own code that ended in a 500. Any is worth a report.",
        )
        self.bus_faults = counter(
            "checkrein_controlplane_bus_faults",
            "Wake-ups that could not be sent or received; waiters then wake by re-reading.",
        )
        self.waiting = gauge("checkrein_controlplane_long_polls", "Long polls now waiting.")
        self.connections = gauge(
            "checkrein_controlplane_database_connections",
            "Connections of the pool, by state.",
            ["state"],
        )


def _of_logs(counter: Callable[..., Counter]) -> tuple[Counter, Counter]:
    return (
        counter(
            "checkrein_controlplane_checkpoints",
            "Checkpoints of tenants' logs, by what became of them (signed, refused).",
            ["result"],
        ),
        counter(
            "checkrein_controlplane_anchors",
            "Checkpoints that were to be kept elsewhere, by place and result (anchored, failed).",
            ["place", "result"],
        ),
    )


def _of_streams(
    counter: Callable[..., Counter], gauge: Callable[..., Gauge]
) -> tuple[Counter, Gauge]:
    return (
        counter(
            "checkrein_controlplane_records_sent",
            "Records sent on to other systems, by sort of destination (webhook, otlp) and result "
            "(sent, dropped by a collector); `failed` counts attempts.",
            ["destination", "result"],
        ),
        gauge(
            "checkrein_controlplane_records_unsent_seconds",
            "For how long the oldest record that is to be sent on waits, by sort of destination.",
            ["destination"],
        ),
    )
