"""Reads HAR files, which browsers export, one entry at a time.

A recording with its contents has hundreds of megabytes, so the file is never in memory as a whole.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from typing import BinaryIO, Final
from urllib.parse import urlencode

from gateway.authoring.recordings.traffic import (
    Entry,
    Recorded,
    RecordingError,
    Unread,
    first_value,
    is_page_load,
)
from gateway.authoring.requests import MalformedRequestError, build_request

CHUNK_CHARS: Final = 1_000_000
ENTRY_CHARS_MAX: Final = 32_000_000
"""One entry with the content of its answer; films are longer, and calls of an API are not."""

_SPACE: Final = " \t\r\n"


class _JsonReader:
    """A window on JSON text that grows until the value at its beginning is whole."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text
        self._window = ""
        self._at = 0
        self._is_at_end = False
        self._decoder = json.JSONDecoder()

    def _grow(self) -> bool:
        """Read on, at least as much as is there, so that retries stay linear in all."""
        if self._is_at_end:
            return False
        try:
            size = max(CHUNK_CHARS, len(self._window) - self._at)
            more = self._text.read(min(size, ENTRY_CHARS_MAX))
        except UnicodeDecodeError:
            raise RecordingError("the HAR file is not UTF-8") from None
        self._is_at_end = not more
        self._window = self._window[self._at :] + more
        self._at = 0
        return bool(more)

    def sign(self) -> str:
        """The next character that is no space, not taken; empty at the end."""
        while True:
            while self._at < len(self._window):
                if self._window[self._at] not in _SPACE:
                    return self._window[self._at]
                self._at += 1
            if not self._grow():
                return ""

    def take(self, expected: str) -> None:
        if self.sign() != expected:
            raise RecordingError(f"the HAR file is no JSON: a `{expected}` is missing")
        self._at += 1

    def value(self) -> object:
        """Take one whole value."""
        self.sign()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except RecursionError:
                raise RecordingError("the HAR file is nested too deeply") from None
            except ValueError:
                end = -1
            # A number may go on behind the window.
            if 0 <= end < len(self._window) or (end >= 0 and self._is_at_end):
                self._at = end
                return value
            if len(self._window) - self._at > ENTRY_CHARS_MAX:
                raise RecordingError(
                    "an entry of the HAR file is too large; export it without contents"
                )
            if not self._grow():
                raise RecordingError("the HAR file is cut off, or is no JSON")

    def enter(self, wanted: str) -> None:
        """Go to the value of a member of the object that begins here, over those before it."""
        self.take("{")
        while self.sign() == '"':
            name = self.value()
            self.take(":")
            if name == wanted:
                return
            self.value()
            if self.sign() == ",":
                self.take(",")
        raise RecordingError(f"the HAR file has no `{wanted}`")


def read_har(stream: BinaryIO) -> Iterator[Entry]:
    """Give the requests of a HAR file.

    Raises:
        RecordingError: it is no HAR file, or is cut off.
    """
    reader = _JsonReader(io.TextIOWrapper(stream, "utf-8-sig"))
    reader.enter("log")
    reader.enter("entries")
    reader.take("[")
    number = 0
    while reader.sign() != "]":
        number += 1
        yield _entry(f"entry {number}", reader.value())
        if reader.sign() != "]":
            reader.take(",")


def _entry(place: str, value: object) -> Entry:
    if not isinstance(value, dict) or not isinstance(value.get("request"), dict):
        return Unread(place, "it has no request")
    asked = value["request"]
    method, url = asked.get("method"), asked.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        return Unread(place, "it has no method or URL")
    headers = _headers(asked.get("headers"))
    body, body_type = _body(asked.get("postData"))
    if body_type and not first_value(headers, "content-type"):
        headers.append(("content-type", body_type))
    try:
        request = build_request(method, url.partition("#")[0], headers, body)
    except MalformedRequestError as error:
        return Unread(place, error.message)
    answer = value.get("response")
    status, answer_type = 0, ""
    if isinstance(answer, dict):
        status = answer["status"] if isinstance(answer.get("status"), int) else 0
        content = answer.get("content")
        found = content.get("mimeType") if isinstance(content, dict) else None
        answer_type = found if isinstance(found, str) else ""
    return Recorded(place, request, status, is_page_load(request, answer_type))


def _headers(value: object) -> list[tuple[str, str]]:
    """The headers, without `:authority` and its like, which HTTP/2 sends in the place of a line."""
    pairs = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            name, text = item.get("name"), item.get("value")
            if isinstance(name, str) and isinstance(text, str) and not name.startswith(":"):
                pairs.append((name, text))
    return pairs


def _body(value: object) -> tuple[bytes, str]:
    """The body and its type, from its text, or from the params of a form where only they are."""
    if not isinstance(value, dict):
        return b"", ""
    kind, text, params = value.get("mimeType"), value.get("text"), value.get("params")
    body_type = kind if isinstance(kind, str) else ""
    if isinstance(text, str) and text:
        return codecs.encode(text, "utf-8", "surrogatepass"), body_type
    if isinstance(params, list) and "urlencoded" in body_type:
        pairs = [
            (str(item.get("name", "")), str(item.get("value", "")))
            for item in params
            if isinstance(item, dict)
        ]
        return urlencode(pairs).encode(), body_type
    return b"", body_type
