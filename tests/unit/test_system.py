"""The machine's clock and ids."""

from __future__ import annotations

import re

from gateway.process.system import IDS_AT_ONCE, RandomIds


def test_ids_do_not_repeat_beyond_one_supply_of_randomness() -> None:
    """Each id has 80 random bits of its own, also where the supply is renewed."""
    new_id = RandomIds()

    ids = [new_id("dec") for _ in range(3 * IDS_AT_ONCE + 1)]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"dec_[0-9a-f]{20}", text) for text in ids)
