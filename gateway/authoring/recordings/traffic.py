"""What a recording gives: requests, acts that a gateway wrote down, and what could not be read."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError
from gateway.model.exchange import HttpRequest


class RecordingError(CheckreinError):
    """A recording that can't be read any further."""

    def __init__(self, message: str) -> None:
        super().__init__("recording.unusable", message)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request and the status of its answer, 0 without one. `place` says where it stands.

    `is_page`: a page, script, picture or preflight that a browser loads by itself, no call to an
    API.
    """

    place: str
    request: HttpRequest
    status: int = 0
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """One decided act of a gateway's record. It has no headers and no body, and its path has no
    secret; `path` ends before the query. `is_mapped` is what the gateway found at that time."""

    place: str
    method: str
    host: str
    path: str
    operation: str
    is_mapped: bool
    refused: str


@dataclass(frozen=True, slots=True)
class Unread:
    """An entry that is no request."""

    place: str
    why: str


Entry = Recorded | Written | Unread

_PAGE_TYPES = (
    "text/html", "text/css", "text/javascript", "application/javascript", "image/", "font/",
    "audio/", "video/", "application/font", "application/x-javascript", "application/wasm",
)  # fmt: skip


def is_page_load(request: HttpRequest, answer_type: str) -> bool:
    """Whether a browser made this request to show a page, and not to call an API."""
    if request.method == "OPTIONS" and b"access-control-request-method" in request.fields:
        return True
    return request.method in ("GET", "HEAD") and answer_type.lower().startswith(_PAGE_TYPES)


def first_value(headers: Sequence[tuple[str, str]], name: str) -> str:
    """The first value of a header, empty without one."""
    return next((value for key, value in headers if key.lower() == name), "")
