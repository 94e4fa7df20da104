"""Bodies and query strings -> checked models, with a limit on everything.

A field or parameter that is not known is refused: a misspelt one must not silently do nothing.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, TypeVar, overload

from aiohttp import web
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
)

from controlplane.api.contract import BODY_BYTES_MAX, CONTRACT, Body, Query
from controlplane.faults import ControlFault, Fault
from controlplane.store.texts import storable
from gateway.model.moment import rfc3339

__all__ = [
    "Body", "Digest", "Line", "Moment", "Name", "NoBody", "NoQuery", "Query", "Reason", "Short",
    "Text", "WaitSeconds", "first_problem", "parse_body", "parse_id", "parse_number", "parse_query",
    "read_body", "storable", "timestamp",
]  # fmt: skip

BODY_SECONDS_MAX = 15.0

SHORT_LENGTH_MAX = 256
TEXT_LENGTH_MAX = 8 * 1024
REASON_LENGTH_MAX = 500
"""People say why in a sentence or two, and it is shown whole on a terminal."""


class NoBody(Body):
    """Of routes whose path says all, and the base of bodies that may be left out. Nothing at all
    says the same as `{}`."""


class NoQuery(Query):
    """Of routes without parameters."""


Text = Annotated[str, StringConstraints(max_length=TEXT_LENGTH_MAX), AfterValidator(storable)]
Short = Annotated[str, StringConstraints(max_length=SHORT_LENGTH_MAX), AfterValidator(storable)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=SHORT_LENGTH_MAX), AfterValidator(storable)
]


def _one_line(text: str) -> str:
    """Agents and terminals are shown these words: no line of them may look like another one's."""
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return text


Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=SHORT_LENGTH_MAX),
    AfterValidator(_one_line),
]
Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=REASON_LENGTH_MAX),
    AfterValidator(_one_line),
]


def _written_out(value: object) -> object:
    """RFC 3339 alone: a bare number would be taken for seconds since 1970."""
    if isinstance(value, str) and not _DATE_TIME.match(value):
        raise ValueError("write it like 2026-11-21T04:10:16Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside of the calendar") from None


_DATE_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}")

Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""A point in time in a query."""

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]

WaitSeconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""How long an answer may wait for news. The waiting room bounds it."""

SomeBody = TypeVar("SomeBody", bound=Body)
SomeQuery = TypeVar("SomeQuery", bound=Query)


async def parse_body(
    request: web.Request, model: type[SomeBody], bytes_max: int = BODY_BYTES_MAX
) -> SomeBody:
    """Read the whole body, at most `bytes_max`, and parse it.

    Raises:
        ControlFault: BODY_TOO_LARGE, BODY_TOO_SLOW, MALFORMED_JSON, INVALID_ARGUMENT.
    """
    contract = request.get(CONTRACT)
    assert contract is None or contract.body is model, "INVARIANT(true-contract)"
    data = await read_body(request, bytes_max)
    if not data and issubclass(model, NoBody):
        return model()
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(error) from None


def parse_query(request: web.Request, model: type[SomeQuery]) -> SomeQuery:
    """Parse the query string; a parameter given twice is refused.

    Raises:
        ControlFault: INVALID_ARGUMENT.
    """
    contract = request.get(CONTRACT)
    assert contract is None or (contract.query or NoQuery) is model, "INVARIANT(true-contract)"
    if len(request.query) != len(set(request.query)):
        raise ControlFault(Fault.INVALID_ARGUMENT, "a query parameter is given twice")
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise _invalid(error) from None


def parse_id(request: web.Request) -> uuid.UUID:
    """The id in the path. What is no id names nothing, so the answer is the same as for one that
    is unknown."""
    try:
        return uuid.UUID(request.match_info["id"])
    except ValueError:
        raise ControlFault(Fault.NOT_FOUND, "there is nothing with this id") from None


def parse_number(request: web.Request, name: str, number_max: int) -> int | None:
    """The number of this name in the path; None for what is none from 0 to `number_max`, which
    names nothing."""
    text = request.match_info[name]
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(number_max)):
        return None
    number = int(text)
    return number if number <= number_max else None


@overload
def timestamp(at: datetime) -> str: ...
@overload
def timestamp(at: datetime | None) -> str | None: ...
def timestamp(at: datetime | None) -> str | None:
    """RFC 3339, UTC, microseconds, Z."""
    return None if at is None else rfc3339(at)


_BODY = web.RequestKey("body", bytes)


async def read_body(request: web.Request, bytes_max: int) -> bytes:
    """The whole body, at most `bytes_max`; a second call gives the same again.

    Raises:
        ControlFault: BODY_TOO_LARGE, BODY_TOO_SLOW, BAD_REQUEST.
    """
    data = request.get(_BODY)
    if data is None:
        data = request[_BODY] = await _receive(request, bytes_max)
    if len(data) > bytes_max:
        raise _too_large(bytes_max)
    return data


async def _receive(request: web.Request, bytes_max: int) -> bytes:
    declared = request.content_length
    if declared is not None and declared > bytes_max:
        raise _too_large(bytes_max)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for part in request.content.iter_any():
                size += len(part)
                if size > bytes_max:
                    raise _too_large(bytes_max)
                parts.append(part)
    except TimeoutError:
        raise ControlFault(Fault.BODY_TOO_SLOW, "the body did not arrive in time") from None
    except web.RequestPayloadError:
        raise ControlFault(Fault.BAD_REQUEST, "the body is not what its headers say") from None
    except ConnectionResetError:
        raise ControlFault(Fault.BAD_REQUEST, "the caller left before its body ended") from None
    return b"".join(parts)


def _too_large(bytes_max: int) -> ControlFault:
    return ControlFault(Fault.BODY_TOO_LARGE, f"the body is longer than {bytes_max} bytes")


def _invalid(error: ValidationError) -> ControlFault:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return ControlFault(Fault.MALFORMED_JSON, "the body is not valid JSON")
    return ControlFault(Fault.INVALID_ARGUMENT, first_problem(error))


def first_problem(error: ValidationError) -> str:
    """Name the first bad field. Its value is not repeated: it may be a secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part)[:64] for part in first["loc"][:6])
    message = first["msg"].removeprefix("Value error, ")
    return f"`{place}`: {message}" if place else message
