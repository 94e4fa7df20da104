"""On whose behalf statements run: the second wall between tenants.

The first wall is each query's own `tenant_id = $1`. The second does not trust it: the database
shows and takes only rows of the tenant that this says (row-level security, migration 0005), and
whoever says nothing sees nothing. It is set where a caller's key is known, and by work that is of
nobody in particular; never from anything that a request carries.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

EVERYBODY: Final = "*"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom the records of what was done name; `key_id` None: nobody with a key."""

    name: str
    key_id: uuid.UUID | None = None


OURSELVES: Final = Actor("checkrein")

_acting: ContextVar[str | None] = ContextVar("acting_for", default=None)
_actor: ContextVar[Actor] = ContextVar("acting_by", default=OURSELVES)


def acting() -> str | None:
    """What a connection is told: a tenant's id, `EVERYBODY`, or None before anybody said it."""
    return _acting.get()


def actor() -> Actor:
    """Who acts. It gives no right to anything: it is what the records of it say."""
    return _actor.get()


@contextmanager
def acting_for(tenant_id: uuid.UUID, by: Actor | None = None) -> Iterator[None]:
    """Let what runs in the block see and change this tenant's rows alone. `by` None: whoever acts
    around the block."""
    token, by_token = _acting.set(str(tenant_id)), _actor.set(by or _actor.get())
    try:
        yield
    finally:
        _actor.reset(by_token)
        _acting.reset(token)


@contextmanager
def acting_for_everybody() -> Iterator[None]:
    """Let what runs in the block see every tenant's rows: sweepers, the way from a key to its
    tenant, and batches gathered from several callers. Never a request's own statements."""
    token = _acting.set(EVERYBODY)
    try:
        yield
    finally:
        _acting.reset(token)
