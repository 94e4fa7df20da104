"""Every service of a running control plane: what the API and the dashboard stand on."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.services.agents import AgentService
from controlplane.services.answered import AnsweredService
from controlplane.services.approval_context import ApprovalContextService
from controlplane.services.approvals import ApprovalService
from controlplane.services.bundles import BundleService
from controlplane.services.chain_check import ChainCheck
from controlplane.services.channels import ChannelService
from controlplane.services.coverage import CoverageService
from controlplane.services.decisions import DecisionService
from controlplane.services.explorer import ExplorerService
from controlplane.services.exports import ExportService
from controlplane.services.following import FollowService
from controlplane.services.gateway_keys import GatewayKeyService
from controlplane.services.gateways import GatewayService
from controlplane.services.grants import GrantService
from controlplane.services.health import HealthService
from controlplane.services.idempotency import IdempotencyService
from controlplane.services.incidents import IncidentService
from controlplane.services.keys import KeyService
from controlplane.services.learner import LearnerService
from controlplane.services.limits import LimitService
from controlplane.services.log import LogService
from controlplane.services.log_export import LogExports
from controlplane.services.mail_links import MailLinkService
from controlplane.services.overview import OverviewService
from controlplane.services.policies import PolicyService
from controlplane.services.policy_preview import PolicyPreview
from controlplane.services.program_approvals import ProgramApprovalService
from controlplane.services.records import RecordService
from controlplane.services.retention import RetentionService
from controlplane.services.runs import RunService
from controlplane.services.sessions import SessionService
from controlplane.services.slack_callbacks import SlackCallbackService
from controlplane.services.stops import StopService
from controlplane.services.streaming import StreamService
from controlplane.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    keys: KeyService
    sessions: SessionService
    following: FollowService
    answered: AnsweredService
    overview: OverviewService
    coverage: CoverageService
    approvals: ApprovalService
    approval_context: ApprovalContextService
    program_approvals: ProgramApprovalService
    records: RecordService
    retention: RetentionService
    decisions: DecisionService
    explorer: ExplorerService
    exports: ExportService
    chain_check: ChainCheck
    agents: AgentService
    limits: LimitService
    stops: StopService
    runs: RunService
    incidents: IncidentService
    bundles: BundleService
    gateways: GatewayService
    gateway_keys: GatewayKeyService
    logs: LogService
    log_exports: LogExports
    policies: PolicyService
    policy_preview: PolicyPreview
    grants: GrantService
    learner: LearnerService
    idempotency: IdempotencyService
    channels: ChannelService
    slack_callbacks: SlackCallbackService
    mail_links: MailLinkService
    streams: StreamService
    health: HealthService
    metrics: Metrics
