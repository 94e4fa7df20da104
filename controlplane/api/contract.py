"""What a route says about itself: what it reads, what it answers. OpenAPI is made of this.

INVARIANT(true-contract): a route with a contract reads its body and its query by the declared
models and by no others (`parsing`); what it answers is held against the declared views in tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

BODY_BYTES_MAX = 1024 * 1024
"""An approval with a redacted request in it is some kilobytes."""


class Body(BaseModel):
    """Base of the JSON bodies: camelCase names as fields, no conversion between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Base of the query strings: texts become numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Base of the answers, as they are declared. Handlers render plain JSON; tests hold it against
    this."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


At: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, UTC, microseconds, Z; what `timestamp` writes."""

Id: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "uuid"})]

Json: TypeAlias = dict[str, Any]
"""A JSON object that others give its shape."""


class TargetView(View):
    """What an act is about."""

    type: str
    id: str


Answers: TypeAlias = Mapping[int, type[View]]
"""By status; only those of success. Every route may answer with the envelope of a problem."""


@dataclass(frozen=True, slots=True)
class Contract:
    """`body` None: the route takes none. `query` None: no parameter. `files` are the media types of
    an answer that is no JSON. Without `answers` and `files` there is no contract yet."""

    body: type[Body] | None = None
    query: type[Query] | None = None
    answers: Answers = field(default_factory=dict)
    body_bytes_max: int = BODY_BYTES_MAX
    files: tuple[str, ...] = ()

    @property
    def is_declared(self) -> bool:
        return bool(self.answers or self.files)


CONTRACT = web.RequestKey("contract", Contract)
"""The contract of the route that a request came to."""
