"""Keys and permissions, without a database."""

from __future__ import annotations

import hashlib
import re
import uuid

import pytest

from controlplane.auth import (
    Caller,
    Permission,
    hash_key,
    is_usable_key,
    key_prefix,
    may,
    mint_key,
    read_key,
)
from controlplane.faults import ControlFault, Fault


def test_a_minted_key_says_its_role_and_nothing_else():
    """Five characters that tell it apart, 43 random ones; two are never the same."""
    keys = {mint_key("gateway") for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"cr_[a-z2-9]{5}_gateway_[A-Za-z0-9_-]{43}", key) for key in keys)
    key = keys.pop()
    assert hash_key(key) == hashlib.sha256(key.encode()).digest()
    assert key_prefix(key) == key[:8]
    assert len({key_prefix(key) for key in keys}) == 99
    assert is_usable_key(key)


HEADERS = {
    "x-api-key": ({"x-api-key": "k1"}, "k1"),
    "bearer": ({"Authorization": "Bearer k1"}, "k1"),
    "any case of bearer": ({"Authorization": "BEARER  k1"}, "k1"),
    "both the same": ({"x-api-key": "k1", "Authorization": "Bearer k1"}, "k1"),
    "none": ({}, None),
    "empty": ({"x-api-key": " "}, None),
    "another scheme": ({"Authorization": "Basic k1"}, None),
    "another scheme beside a key": ({"x-api-key": "k1", "Authorization": "Basic k1"}, None),
    "two that differ": ({"x-api-key": "k1", "Authorization": "Bearer k2"}, None),
    "far too long": ({"x-api-key": "k" * 10_000}, None),
    "not ASCII": ({"x-api-key": "ké"}, None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_the_key_is_read_from_one_place(name: str):
    """Anything unclear is no identity, with one and the same sentence."""
    headers, expected = HEADERS[name]
    if expected is not None:
        assert read_key(headers) == expected
        return
    with pytest.raises(ControlFault, match="Invalid credentials") as caught:
        read_key(headers)
    assert caught.value.fault is Fault.UNAUTHENTICATED


def test_no_permission_implies_another():
    """A caller may do exactly what one of their permissions says."""
    for held in Permission:
        caller = Caller(uuid.uuid4(), uuid.uuid4(), "k", frozenset({held}))
        for needed in Permission:
            assert may(caller, frozenset({needed})) == (held is needed)
        assert not may(caller, frozenset())
        assert caller.is_machine == (held in {Permission.GATEWAY, Permission.AGENT})
