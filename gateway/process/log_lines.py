"""Log lines of every process of ours: one JSON object each, that can't carry a secret by accident.

What a line may say beside its message is a list of names that each process gives. Lines are
written by a thread of their own: whoever reads them may stop reading (a full pipe, a disk that
hangs), and no decision may ever wait for that. What doesn't fit any more is dropped and counted.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

WAITING_LINES_MAX: Final = 2_000
"""Lines that wait for a reader; some 600 KB. What comes then is dropped."""

FLUSH_SECONDS_MAX: Final = 0.5
"""How long a process that ends waits for its last lines to be taken."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line; control characters are escaped, so nobody can forge a line.

    `fields` are the only extra fields that a line may carry. What isn't listed is dropped, not
    printed.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__()
        self._fields = tuple(fields)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in self._fields:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PatientHandler(logging.Handler):
    """Writes lines in a thread, so that a descriptor that takes none holds up nobody.

    Not through `sys.stderr`: its lock, held by a thread that can't write, would keep the
    interpreter from ending.
    """

    def __init__(self, descriptor: int, lines_max: int = WAITING_LINES_MAX) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[str] = queue.Queue(lines_max)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`. Called with the handler's lock held."""
        try:
            if self._dropped:
                self._lines.put_nowait(self._format_dropped(self._dropped))
                self._dropped = 0
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1
        except Exception:
            self.handleError(record)

    def flush_at_exit(self) -> None:
        """Give the writer a moment to be done; it is no daemon's business to lose last words."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(
                lambda: not self._lines.unfinished_tasks, FLUSH_SECONDS_MAX
            )

    def _format_dropped(self, count: int) -> str:
        text = "%d log lines were dropped: nobody read them"
        return self.format(
            logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (count,), None)
        )

    def _write(self) -> None:
        while True:
            data = self._lines.get().encode() + b"\n"
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                pass  # nobody is there to read it, nor to be told
            finally:
                self._lines.task_done()


def configure_logging(level: str, fields: Sequence[str]) -> None:
    """Send JSON lines to standard error. `level` is one of `LOG_LEVELS`, in any case."""
    handler = PatientHandler(sys.stderr.fileno())
    handler.setFormatter(JsonFormatter(fields))
    atexit.register(handler.flush_at_exit)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
