"""Faults of a connection -> whole answers of our own, before any provider is known.

They carry the code and its sentence, and nothing that the agent sent.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Response
from gateway.model.grpc import GrpcStatus, grpc_message

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


_GRPC_STATUSES: Final = {
    403: GrpcStatus.PERMISSION_DENIED,
    407: GrpcStatus.UNAUTHENTICATED,
    408: GrpcStatus.DEADLINE_EXCEEDED,
    500: GrpcStatus.INTERNAL,
}
"""The rest is of bytes that no retry makes better: INVALID_ARGUMENT."""


def refusal(error: AgentProtocolError, *, is_grpc: bool = False) -> Response:
    """Say what was wrong with the agent's bytes; 407 asks for credentials (RFC 9110, 11.7.1)."""
    answer = _grpc_answer if is_grpc else _answer
    return answer(error.status, error.code, error.message)


def fault(*, is_grpc: bool = False) -> Response:
    """Say that the gateway itself failed, without detail."""
    answer = _grpc_answer if is_grpc else _answer
    return answer(500, "internal.fault", "the gateway failed and refused the request")


def _grpc_answer(status: int, code: str, message: str) -> Response:
    """A call is answered in one block of headers; what HTTP itself says is always 200."""
    grpc_status = _GRPC_STATUSES.get(status, GrpcStatus.INVALID_ARGUMENT)
    headers = (
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"%d" % grpc_status),
        (b"grpc-message", grpc_message(f"Checkrein refused this call: {message} ({code})")),
        (b"checkrein-code", code.encode()),
    )
    return Response(200, headers, b"")


def _answer(status: int, code: str, message: str) -> Response:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"checkrein-code", code.encode())]
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        headers.append((b"proxy-authenticate", b'Basic realm="checkrein", charset="UTF-8"'))
    return Response(status, tuple(headers), body, close=True)
