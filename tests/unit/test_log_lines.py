"""Log lines: one JSON object each, and nothing in them that was not named."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import select
import sys

from gateway.process.log_lines import JsonFormatter, PatientHandler

FORMATTER = JsonFormatter(("code", "count"))


def _line(message: str, *args: object, **extra: object) -> str:
    record = logging.LogRecord("gateway.x", logging.WARNING, __file__, 1, message, args, None)
    vars(record).update(extra)
    return FORMATTER.format(record)


def test_only_named_fields_are_written():
    """A field that nobody listed may hold a secret, and is dropped."""
    line = json.loads(_line("agents %s", "known", code="c", count=0, api_key="cr_admin_secret"))
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "warning", "logger": "gateway.x", "message": "agents known", "code": "c",
        "count": 0,
    }  # fmt: skip


def test_nobody_can_forge_a_line():
    """Line ends in what an agent wrote stay inside their own line."""
    hostile = 'x"}\n{"level": "info"}\r\u2028\x1b[2J'
    line = _line(hostile, code=hostile)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["code"] == hostile


def test_a_fault_is_written_with_its_traceback():
    """What went wrong is in the same line."""
    try:
        raise ValueError("nothing")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "bad", (), sys.exc_info())
    assert "ValueError: nothing" in json.loads(FORMATTER.format(record))["exception"]


def test_a_reader_that_reads_nothing_holds_up_nobody():
    """What fits waits, what doesn't is dropped, and that is said as soon as somebody reads."""
    reader, writer = os.pipe()
    handler = PatientHandler(writer, lines_max=3)
    handler.setFormatter(FORMATTER)
    logger = logging.Logger("patient")
    logger.addHandler(handler)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4_096)

    logger.warning("x" * 10_000)  # more than the pipe holds: its write doesn't return
    while not select.select([reader], [], [], 10)[0]:
        pass
    for number in range(10):
        logger.warning("%d", number)
    with os.fdopen(reader) as lines:
        told = [json.loads(lines.readline())["message"] for _ in range(4)]
        logger.warning("last")
        told += [json.loads(lines.readline())["message"] for _ in range(2)]
    handler.flush_at_exit()
    os.close(writer)

    dropped = "7 log lines were dropped: nobody read them"
    assert told[1:] == ["0", "1", "2", dropped, "last"]
