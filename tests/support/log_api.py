"""The log's routes over HTTP as the control plane answers them, out of a log that a test made."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.audit_files import ORIGIN, MadeLog, b64, consistency

Query = dict[str, str]


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.envelope = {"error": {"code": code, "message": message}}


class LogApi:
    """Answers for one log. `export` may be replaced by other bytes, and `sizes` are those that
    were signed."""

    def __init__(self, log: MadeLog) -> None:
        self.log = log
        self.export: bytes | None = None
        self.sizes = [0, 20, len(log.lines)]
        self.asked: list[str] = []
        self.differences: list[dict[str, object]] = []

    def answer(self, path: str, query: Query) -> bytes:
        """The body of an answer."""
        log, size = self.log, len(self.log.lines)
        match path:
            case "/v1/log":
                return _json({"origin": ORIGIN, "key": log.key, "size": size})
            case "/v1/log/export":
                first, count = int(query.get("first", 0)), query.get("count")
                return self.export or log.export(first, None if count is None else int(count))
            case "/v1/log/checkpoint":
                return _json({"checkpoint": log.checkpoint(), "consistency": []})
            case "/v1/log/checkpoints":
                pages = [{"size": n, "checkpoint": log.checkpoint(n)} for n in self.sizes[::-1]]
                return _json({"checkpoints": pages, "nextCursor": None})
            case "/v1/log/consistency":
                old, new = int(query["old"]), int(query["new"])
                path_hashes = [b64(each) for each in consistency(log.leaves[:new], old)]
                return _json({"old": old, "new": new, "consistency": path_hashes})
            case "/v1/exports/decisions":
                return _json(query)
            case "/v1/log/acts":
                return _json({"differences": self.differences})
            case "/v1/log/proof":
                return _json({"proofs": [json.loads(log.proof(i)) for i in self._found(query)]})
        raise _Refused(404, "NOT_FOUND", "There is no such route.")

    def _found(self, query: Query) -> list[int]:
        wanted = (
            {"decision_id": query["decisionId"]}
            if "decisionId" in query
            else {"gateway": query["gateway"], "seq": int(query["seq"])}
        )
        found = [
            index
            for index, line in enumerate(self.log.lines)
            if wanted.items() <= json.loads(line).items()
        ]
        if not found:
            raise _Refused(404, "NOT_FOUND", "There is no such record in the log.")
        return found


@contextmanager
def serving(api: LogApi) -> Iterator[str]:
    """Serve it on a free port; the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            api.asked.append(self.path)
            status = 200
            try:
                body = api.answer(parts.path, query)
            except _Refused as refused:
                status, body = refused.status, _json(refused.envelope)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
