"""Answers that are kept for repeats: sealed for their caller alone, at their place alone."""

from __future__ import annotations

import uuid

import pytest
from cryptography.exceptions import InvalidTag

from controlplane.services import idempotency
from controlplane.services.idempotency import Answered
from controlplane.store.idempotency import Place

KEY = "cr_k7m2q_admin_" + "x" * 43
PLACE = Place(uuid.UUID(int=1), uuid.UUID(int=2), "POST /v1/keys", "a")
ANSWERED = Answered(201, b'{"key":"secret"}\n\xff', {"ETag": '"1"'}, is_kept=True)


def test_who_asked_opens_the_answer():
    """Every byte of it, and its headers; two seals of one answer differ."""
    sealed = idempotency._seal(ANSWERED, PLACE, KEY)
    assert idempotency._open(201, sealed, PLACE, KEY) == ANSWERED
    assert idempotency._seal(ANSWERED, PLACE, KEY) != sealed
    assert b"secret" not in sealed


OTHERS = {
    "another caller's key": (PLACE, KEY + "y"),
    "another tenant": (Place(uuid.UUID(int=9), PLACE.key_id, PLACE.route, "a"), KEY),
    "another key id": (Place(PLACE.tenant_id, uuid.UUID(int=9), PLACE.route, "a"), KEY),
    "another route": (Place(PLACE.tenant_id, PLACE.key_id, "POST /v1/agents", "a"), KEY),
    "another idempotency key": (Place(PLACE.tenant_id, PLACE.key_id, PLACE.route, "b"), KEY),
}


@pytest.mark.parametrize("case", OTHERS)
def test_nobody_else_does(case: str):
    """A row that was moved or read by another opens for none."""
    place, key = OTHERS[case]
    sealed = idempotency._seal(ANSWERED, PLACE, KEY)
    with pytest.raises(InvalidTag):
        idempotency._open(201, sealed, place, key)
