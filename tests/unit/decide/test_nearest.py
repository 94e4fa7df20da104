"""The help that a wrong name gets."""

from __future__ import annotations

import pytest

from gateway.decide.nearest import nearest_help

MANY = [f"orders_{number}" for number in range(3_000)]

HELP: dict[str, tuple[str, list[str], str]] = {
    "a slip of the fingers": ("create_refnd", ["create_refund", "get_x"], "create_refund"),
    "nothing near, a short list": ("zzz", ["a", "b"], "there is `a`, `b`"),
    "nothing near, a long list": ("zzz", [f"a{number}" for number in range(13)], ""),
    "nothing is known": ("zzz", [], ""),
    "a slip among very many": ("creat_refund", [*MANY, "create_refund"], "create_refund"),
    "another beginning among very many": ("xreate_refund", [*MANY, "create_refund"], ""),
    "a slip among very many that begin alike": ("orders_299x", MANY, "orders_299"),
    "another length among very many": ("create", [*MANY, "create_refund"], ""),
}


@pytest.mark.parametrize(("wrong", "known", "words"), HELP.values(), ids=HELP)
def test_the_nearest_name(wrong: str, known: list[str], words: str) -> None:
    """One that is near, or all of a short list; of very many only what begins alike is compared."""
    found = nearest_help(wrong, known)

    assert words in found
    assert bool(found) is bool(words)
