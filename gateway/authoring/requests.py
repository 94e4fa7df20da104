"""Turns what a person or a recording writes down (URL, headers, body) into one `HttpRequest`.

Keeps the spelling of everything: what the wire would refuse must not be repaired here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping

from gateway.intercept.message_channel import message_request
from gateway.model.action import MESSAGE
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError, CheckreinError
from gateway.model.exchange import Header, HttpRequest, Message

LINE_BYTES_MAX = 64_000_000
"""A body of 32 MB in base64, with room for its headers."""

_URL = re.compile(r"(https?|wss?)://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL)
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_SCHEMES = {"wss": "https", "ws": "http"}
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"proxy-connection"})
"""Never part of an `HttpRequest`: its body is already whole."""


class MalformedRequestError(CheckreinError):
    """What was written down is no request at all."""

    def __init__(self, message: str) -> None:
        super().__init__("request.malformed", message)


def build_request(
    method: str, url: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> HttpRequest:
    """Make the request that a client of this URL would send: the handshake of a WebSocket where the
    URL begins with `wss://` or `ws://`, or the headers ask for one. With such a URL, the method
    `MESSAGE` makes what it would send within the WebSocket, as text.

    Raises:
        MalformedRequestError: no URL, no method, or a header that can't be sent.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise MalformedRequestError("the URL must begin with `https://` or `http://` and a host")
    if not _METHOD.fullmatch(method):
        raise MalformedRequestError("the method is not a token")
    written = found.group(1).lower()
    if method == MESSAGE and written in _SCHEMES:
        return message_request(build_request("GET", url, headers), Message.TEXT, body)
    scheme = _SCHEMES.get(written, written)
    try:
        authority = parse_authority(found.group(2), _DEFAULT_PORTS[scheme])
    except AgentProtocolError as error:
        raise MalformedRequestError(error.message) from error
    rest = found.group(3)
    target = rest if rest.startswith("/") else f"/{rest}"
    pairs = [pair for pair in map(_header, headers) if pair[0].lower() not in _FRAMING]
    asks = [pair for pair in pairs if pair[0].lower() == b"upgrade"]
    is_websocket = written in _SCHEMES or any(value.lower() == b"websocket" for _, value in asks)
    if is_websocket and (method != "GET" or body):
        raise MalformedRequestError("a WebSocket is opened by a GET without a body")
    pairs = [pair for pair in pairs if pair not in asks]
    fields: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for name, value in pairs:
        lower = name.lower()
        if lower in fields:
            repeated.add(lower)
            fields[lower] += b", " + value
        else:
            fields[lower] = value
    return HttpRequest(
        method,
        scheme,
        authority,
        target.encode("utf-8", "surrogatepass"),
        tuple(pairs),
        fields,
        frozenset(repeated),
        body,
        len(body),
        is_websocket=is_websocket,
    )


def _header(pair: tuple[str, str]) -> Header:
    name, value = pair
    if not _HEADER_NAME.fullmatch(name) or any(sign in value for sign in "\r\n\x00"):
        raise MalformedRequestError("a header has a name or value that can't be sent")
    return name.encode(), value.strip(" \t").encode("utf-8", "surrogatepass")


def parse_request_line(line: bytes) -> HttpRequest:
    """Read one JSON line: `{"method","url","headers","body_b64"}`. `headers` is an object (values
    texts or lists of them) or a list of pairs.

    Raises:
        MalformedRequestError: it is not such a line.
    """
    if len(line) > LINE_BYTES_MAX:
        raise MalformedRequestError("the line is too long")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedRequestError("the line is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedRequestError("the line is not a JSON object")
    method, url, encoded = value.get("method"), value.get("url"), value.get("body_b64")
    if not isinstance(method, str) or not isinstance(url, str):
        raise MalformedRequestError("`method` and `url` must be text")
    if encoded is None:
        body = b""
    elif isinstance(encoded, str):
        try:
            body = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedRequestError("`body_b64` is not base64") from None
    else:
        raise MalformedRequestError("`body_b64` must be text")
    return build_request(method, url, _header_pairs(value.get("headers")), body)


def _header_pairs(value: object) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    if isinstance(value, Mapping):
        for name, item in value.items():
            texts = item if isinstance(item, list) else [item]
            pairs += [_text_pair(name, text) for text in texts]
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, list) or len(item) != 2:
                raise MalformedRequestError("each of `headers` must be a pair")
            pairs.append(_text_pair(item[0], item[1]))
    elif value is not None:
        raise MalformedRequestError("`headers` must be an object or a list of pairs")
    return pairs


def _text_pair(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str) or not isinstance(value, str):
        raise MalformedRequestError("header names and values must be text")
    return name, value


def guess_content_type(body: str) -> str:
    """The content type that a body written by hand means."""
    if body.startswith(("{", "[")):
        return "application/json"
    return "application/xml" if body.startswith("<") else "application/x-www-form-urlencoded"
