"""Bytes that are no request -> the error envelope, as for any other fault; never into a log.

The HTTP server's own answer to them is plain text that repeats what was sent, and so does the line
that it logs: a request line may hold what somebody keeps secret.
"""

from __future__ import annotations

import logging
import uuid

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from controlplane.api.problems import problem_response
from controlplane.faults import ControlFault, Fault

log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """One client's connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the server could not read, and end the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        request_id = str(uuid.uuid4())
        if isinstance(exc, HttpProcessingError):
            log.info("bytes that are no request", extra={"request_id": request_id})
            fault = ControlFault(Fault.BAD_REQUEST, _what(exc))
        else:
            log.error("a connection failed", extra={"request_id": request_id}, exc_info=exc)
            fault = ControlFault(Fault.INTERNAL, "the control plane failed")
        response = problem_response(fault, request_id)
        response.force_close()
        return response


def _what(error: HttpProcessingError) -> str:
    if isinstance(error, LineTooLong):
        return "the request line or a header is too long"
    return "these bytes are no HTTP request"
