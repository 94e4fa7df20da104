"""Parts that the payloads of several files share. `GET`s and the search are reads that policy
allows, so a payload that slips through reaches the upstream and is seen there."""

from __future__ import annotations

HOST = b"Host: warehouse.example.test\r\n"
GET = b"GET /v1/orders/o1 HTTP/1.1\r\n" + HOST
SEARCH = b"POST /v1/orders/search HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
END = b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

BAD = frozenset({400})
BAD_OR_UNKNOWN = frozenset({400, 501})
VERSION = frozenset({400, 505})
MISDIRECTED = frozenset({400, 403, 421})
REFUSED = frozenset({400, 403})

Row = tuple[bytes, frozenset[int]]

RECORD_SECONDS_MAX = 15.0
"""How long a record may take to reach the control plane on a busy machine."""

ANSWER_SECONDS_MAX = 10.0
"""How long an answer may take there."""
