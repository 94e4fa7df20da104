"""Every service of a running control plane: what the API and the dashboard stand on."""

from __future__ import annotations

from dataclasses import dataclass

from controlplane.services.access.agents import AgentService
from controlplane.services.access.gateways import GatewayService
from controlplane.services.access.keys import KeyService
from controlplane.services.access.sessions import SessionService
from controlplane.services.approvals.answered import AnsweredService
from controlplane.services.approvals.context import ApprovalContextService
from controlplane.services.approvals.grants import GrantService
from controlplane.services.approvals.lifecycle import ApprovalService
from controlplane.services.approvals.programs import ProgramApprovalService
from controlplane.services.coverage import CoverageService
from controlplane.services.decisions.explorer import ExplorerService
from controlplane.services.decisions.exports import ExportService
from controlplane.services.decisions.from_records import DecisionService
from controlplane.services.health import HealthService
from controlplane.services.idempotency import IdempotencyService
from controlplane.services.learner import LearnerService
from controlplane.services.limits import LimitService
from controlplane.services.log.export import LogExports
from controlplane.services.log.gateway_keys import GatewayKeyService
from controlplane.services.log.reading import LogService
from controlplane.services.policies.bundles import BundleService
from controlplane.services.policies.preview import PolicyPreview
from controlplane.services.policies.versions import PolicyService
from controlplane.services.reaching.channels import ChannelService
from controlplane.services.reaching.mail_links import MailLinkService
from controlplane.services.reaching.slack_callbacks import SlackCallbackService
from controlplane.services.reaching.streaming import StreamService
from controlplane.services.record.chain_check import ChainCheck
from controlplane.services.record.intake import RecordService
from controlplane.services.record.retention import RetentionService
from controlplane.services.runs.following import FollowService
from controlplane.services.runs.incidents import IncidentService
from controlplane.services.runs.lifecycle import RunService
from controlplane.services.runs.overview import OverviewService
from controlplane.services.runs.stops import StopService
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
