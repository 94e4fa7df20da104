"""Faults of a connection -> whole answers of our own, before any provider is known.

They carry the code and its sentence, and nothing that the agent sent.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Response

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


def refusal(error: AgentProtocolError) -> Response:
    """Say what was wrong with the agent's bytes; 407 asks for credentials (RFC 9110, 11.7.1)."""
    return _answer(error.status, error.code, error.message)


def fault() -> Response:
    """Say that the gateway itself failed, without detail."""
    return _answer(500, "internal.fault", "the gateway failed and refused the request")


def _answer(status: int, code: str, message: str) -> Response:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"checkrein-code", code.encode())]
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        headers.append((b"proxy-authenticate", b'Basic realm="checkrein", charset="UTF-8"'))
    return Response(status, tuple(headers), body, close=True)
