"""Every target by its name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz import body_targets, http2_target, sql_target, websocket_target, wire_targets
from tests.fuzz.target import Target

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        *wire_targets.TARGETS,
        *http2_target.TARGETS,
        *websocket_target.TARGETS,
        *body_targets.TARGETS,
        *sql_target.TARGETS,
    )
}
