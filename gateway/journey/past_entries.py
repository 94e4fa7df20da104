"""Writes down what has already happened, or was refused: nothing is waited for."""

from __future__ import annotations

import logging

from gateway import telemetry
from gateway.model.errors import RecordError
from gateway.model.record import Entry
from gateway.ports import RecordSink

log = logging.getLogger(__name__)


def note_past(records: RecordSink, entry: Entry) -> None:
    """Record what already happened (or didn't). An intent without an outcome reads as `unknown`,
    so a failure here loses no truth; it is counted and logged."""
    try:
        records.append(entry)
    except RecordError as error:
        telemetry.RECORD_FAULTS.inc()
        log.error("entry not recorded", extra={"code": error.code})
