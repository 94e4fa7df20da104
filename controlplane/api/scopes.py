"""The scope that bodies and queries may name: the caller's own organisation, and no other one."""

from __future__ import annotations

import uuid
from typing import Literal

from controlplane.api.contract import Body, Query
from controlplane.auth import Caller
from controlplane.faults import not_found


class ScopeBody(Body):
    scopeType: Literal["ORG"]
    scopeId: uuid.UUID


class ScopedQuery(Query):
    """A list's query that may name the scope."""

    scopeType: Literal["ORG"] | None = None
    scopeId: uuid.UUID | None = None


def check_scope(caller: Caller, scope_id: uuid.UUID | None) -> None:
    """Refuse another organisation's scope; none means the caller's.

    Raises:
        ControlFault: NOT_FOUND.
    """
    if scope_id not in (None, caller.tenant_id):
        raise not_found("scope")
