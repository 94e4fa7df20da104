"""Every service of a running control plane: what the API and the dashboard stand on."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.services.agents import AgentService
from controlplane.services.approvals import ApprovalService
from controlplane.services.bundles import BundleService
from controlplane.services.decisions import DecisionService
from controlplane.services.gateways import GatewayService
from controlplane.services.grants import GrantService
from controlplane.services.health import HealthService
from controlplane.services.keys import KeyService
from controlplane.services.limits import LimitService
from controlplane.services.records import RecordService
from controlplane.services.stops import StopService
from controlplane.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    keys: KeyService
    approvals: ApprovalService
    records: RecordService
    decisions: DecisionService
    agents: AgentService
    limits: LimitService
    stops: StopService
    bundles: BundleService
    gateways: GatewayService
    grants: GrantService
    health: HealthService
    metrics: Metrics
