"""What `/readyz` says of a gateway: why it can't do its work, and what else somebody should see.

What fails takes readiness away. What is noted doesn't: an old ruleset still decides, and a gateway
that stops somebody does just what it should.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.admin import ReadyCheck
from gateway.control_client.agents import Directory
from gateway.control_client.limits import SharedLimits
from gateway.control_client.record_proofs import RecordProofs
from gateway.control_client.record_shipper import RecordShipper
from gateway.control_client.stops import Stops
from gateway.counters.local import LocalLimits
from gateway.ports import Clock
from gateway.record.recorder import Recorder
from gateway.rulesets.keeper import RulesetKeeper, RulesetSource


def readiness_checks(
    keeper: RulesetKeeper,
    clock: Clock,
    recorder: Recorder,
    directory: Directory,
    shipper: RecordShipper,
) -> Mapping[str, ReadyCheck]:
    """What must be well for requests to be decided and recorded."""

    def policy() -> str | None:
        lack = keeper.ruleset.lack(clock.now())
        return None if lack is None else lack.message

    return {
        "policy": policy,
        "record": lambda: None if recorder.is_writable else "records can't be written",
        "agents": lambda: None if directory.is_ready else "no directory of agents is known",
        "shipping": lambda: f"records are not taken: {shipper.alarm}" if shipper.alarm else None,
    }


def readiness_notes(
    keeper: RulesetKeeper,
    source: RulesetSource,
    stops: Stops,
    limits: LocalLimits | SharedLimits,
    proofs: RecordProofs,
) -> Mapping[str, ReadyCheck]:
    """What is told beside it."""
    return {
        "rules": lambda: keeper.fault,
        "bundle": source.describe,
        "stops": stops.describe,
        "stops_on_disk": lambda: stops.fault,
        "limits": lambda: limits.fault,
        **proofs.notes(),
    }
