"""Tools that read record lines take an export of the log as it is."""

from __future__ import annotations

import io

from gateway.authoring.policies.baseline import build_baseline
from gateway.authoring.policies.replay.recorded import parse_recorded
from gateway.authoring.recordings.recording import read_recording
from gateway.authoring.recordings.traffic import Unread
from tests.support.audit_files import MadeLog

LOG = MadeLog(12)
EXPORT = LOG.export(erased={3, 8})


def test_what_stands_beside_the_records_is_passed_over() -> None:
    """The first line, and what stands for erased records: by all three readers."""
    beside = [EXPORT.splitlines()[0], LOG.erased(3).encode()]
    assert [parse_recorded(line) for line in beside] == [None, None]
    assert build_baseline(beside) is None
    read = read_recording(io.BufferedReader(io.BytesIO(b"\n".join(beside) + b"\n")))
    assert not [each for each in read if isinstance(each, Unread)]
