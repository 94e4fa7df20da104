"""Joins what makes the record prove itself: leaves, checkpoints, keys of gateways, anchors."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Final

from controlplane.notify.bus import Bus
from controlplane.services.decisions.exports import ExportService
from controlplane.services.log.acts import ActRecords
from controlplane.services.log.anchoring import Anchoring, AnchoringLimits
from controlplane.services.log.checkpointing import Checkpointing, CheckpointSettings
from controlplane.services.log.export import LogExports
from controlplane.services.log.gateway_keys import GatewayKeyService
from controlplane.services.log.growth import LogGrowth
from controlplane.services.log.reading import LogService
from controlplane.services.log.signer import STATE_FOLDER, LogSigner, SignerState
from controlplane.services.runs.incidents import IncidentService
from controlplane.services.signing_keys import LOGS, load_signing_key
from controlplane.settings import ControlSettings
from controlplane.store.acts import ActStore
from controlplane.store.database import Database
from controlplane.store.gateway_keys import GatewayKeyStore
from controlplane.store.incidents import IncidentStore
from controlplane.store.log import LogStore
from controlplane.store.log_anchors import AnchorStore
from controlplane.store.records import RecordStore
from controlplane.telemetry import Metrics

CHECK_LOG: Final = "log"
CHECK_ANCHORS: Final = "anchors"
"""What readiness calls them."""


@dataclass(frozen=True, slots=True)
class ProvingLimits:
    """The parts' own settings."""

    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    anchoring: AnchoringLimits = field(default_factory=AnchoringLimits)


@dataclass(frozen=True, slots=True)
class Proving:
    """`forever` are tasks by name that run for as long as the control plane does. `checks` say
    what is wrong, for readiness; an empty text means nothing is."""

    growth: LogGrowth
    keys: GatewayKeyService
    logs: LogService
    exports: LogExports
    checkpointing: Checkpointing
    forever: Mapping[str, Callable[[], Coroutine[None, None, None]]]
    checks: Mapping[str, Callable[[], str]]


def join_proving(
    database: Database,
    settings: ControlSettings,
    limits: ProvingLimits,
    incidents: IncidentService,
    exports: ExportService,
    bus: Bus,
    metrics: Metrics,
) -> Proving:
    """Make them.

    Raises:
        StartError: the log's key can't be used.
    """
    store, key_store, anchor_store = (
        LogStore(database),
        GatewayKeyStore(database),
        AnchorStore(database),
    )
    signer = _load_signer(settings)
    checkpointing = Checkpointing(
        store, IncidentStore(database), signer, metrics, limits.checkpoints
    )
    anchoring = Anchoring(anchor_store, store, settings.anchors, limits.anchoring, metrics)
    growth = LogGrowth(store, metrics)
    acts = ActRecords(
        ActStore(database), RecordStore(database), growth, key_store, signer, bus, metrics
    )
    logs = LogService(store, key_store, anchor_store, checkpointing, acts)
    return Proving(
        growth,
        GatewayKeyService(key_store, incidents),
        logs,
        LogExports(store, key_store, logs, exports),
        checkpointing,
        {
            "acts": acts.seal_forever,
            "log-growth": growth.catch_up_forever,
            "checkpoints": checkpointing.sign_forever,
            "anchors": anchoring.anchor_forever,
        },
        {
            CHECK_LOG: lambda: "refused" if checkpointing.is_refusing else "",
            CHECK_ANCHORS: lambda: "late" if anchoring.is_late else "",
        },
    )


def _load_signer(settings: ControlSettings) -> LogSigner | None:
    key = load_signing_key(settings.data_dir, settings.log.key_file, LOGS)
    if key is None:
        return None
    folder = settings.log.state_dir
    if folder is None and settings.data_dir is not None:
        folder = settings.data_dir / STATE_FOLDER
    return LogSigner(key, SignerState(folder))
