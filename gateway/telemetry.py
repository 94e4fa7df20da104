"""Every metric with its help in one place, and the names of what a log line may carry.

Labels are bounded: effects, modes, codes of our own. Never an agent, a run, a path or an id.
"""

from __future__ import annotations

from typing import Final

from gateway.metrics import Counter, Gauge, Registry, Spread, Tally
from gateway.model.decision import Decision

REGISTRY: Final = Registry()

DECISIONS = Tally(
    "checkrein_gateway_decisions",
    "Decisions taken, by effect and mode.",
    ["effect", "mode"],
    REGISTRY,
)
WATCHED = Counter(
    "checkrein_gateway_watched_verdicts",
    "What rules, policies and limits in monitor mode would have done otherwise, by effect.",
    ["effect"],
    registry=REGISTRY,
)
REFUSALS = Counter(
    "checkrein_gateway_protocol_refusals",
    "Bytes refused before they became an exchange, by code.",
    ["code"],
    registry=REGISTRY,
)
HELD = Gauge("checkrein_gateway_held", "Requests now waiting for a person.", registry=REGISTRY)
CONNECTIONS = Gauge(
    "checkrein_gateway_agent_connections", "Open connections of agents.", registry=REGISTRY
)
BUGS = Counter(
    "checkrein_gateway_bugs",
    "Faults of our own code that ended in a refusal. Any is worth a report.",
    registry=REGISTRY,
)
RECORD_FAULTS = Counter(
    "checkrein_gateway_record_faults",
    "Entries about something past that could not be recorded.",
    registry=REGISTRY,
)
SPOOL_BACKLOG = Gauge(
    "checkrein_gateway_spool_records",
    "Records not yet acknowledged by the control plane.",
    registry=REGISTRY,
)
RECORD_ALARMS = Counter(
    "checkrein_gateway_record_alarms",
    "Times the control plane's copy of the record did not fit ours, by code. Any is an incident.",
    ["code"],
    registry=REGISTRY,
)
CHECKPOINTS_REFUSED = Counter(
    "checkrein_gateway_checkpoints_refused",
    "Checkpoints of the log that contradict what was seen of it, by code. Any is an incident.",
    ["code"],
    registry=REGISTRY,
)
LOG_SIZE = Gauge(
    "checkrein_gateway_log_records",
    "Records in the tenant's log, by the newest checkpoint that this gateway accepted.",
    registry=REGISTRY,
)
STOPS = Gauge(
    "checkrein_gateway_stops", "Stops of the kill switch that are in force.", registry=REGISTRY
)
RULESET_FAULTS = Counter(
    "checkrein_gateway_ruleset_faults",
    "Times that rules were offered and could not be used, by code. The old ones stay.",
    ["code"],
    registry=REGISTRY,
)
RULESET_REFUSED = Gauge(
    "checkrein_gateway_ruleset_refused",
    "1 while the newest rules can't be used and older ones decide.",
    registry=REGISTRY,
)
BUNDLE_SEQUENCE = Gauge(
    "checkrein_gateway_bundle_sequence",
    "Number of the control plane's bundle that decides; 0 without one.",
    registry=REGISTRY,
)
BUNDLE_CONFIRMED = Gauge(
    "checkrein_gateway_bundle_confirmed_timestamp_seconds",
    "When the control plane last said that this bundle is the current one.",
    registry=REGISTRY,
)
LIMIT_FAULTS = Counter(
    "checkrein_gateway_limit_faults",
    "Questions to the shared counters of limits that had no answer, by code.",
    ["code"],
    registry=REGISTRY,
)
LIMITS_FALLEN_BACK = Counter(
    "checkrein_gateway_limits_fallen_back",
    "Requests that this gateway counted alone, because the shared counters were out of reach.",
    registry=REGISTRY,
)
LIMITS_UNTOLD = Counter(
    "checkrein_gateway_limits_untold",
    "Reservations whose end the shared counters never heard of: they count until they run out.",
    registry=REGISTRY,
)
UPSTREAM_SECONDS = Spread(
    "checkrein_gateway_upstream_seconds",
    "From sending a request to the end of its answer.",
    (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    REGISTRY,
)
UPSTREAM_CONNECTIONS = Counter(
    "checkrein_gateway_upstream_connections",
    "Connections to upstreams, by whether a pooled one was used.",
    ["reused"],
    registry=REGISTRY,
)


def count_decision(decision: Decision) -> None:
    """Count a decision, and what rules in monitor mode would have done."""
    DECISIONS.count((decision.effect, decision.mode))
    for watched in decision.watched:
        WATCHED.labels(watched.effect).inc()


LOG_FIELDS: Final = (
    "request_id", "decision_id", "approval_id", "code", "host", "port", "path", "count", "detail",
)  # fmt: skip
"""What a log line of the gateway may carry beside its message."""
