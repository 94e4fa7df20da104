"""Chains of records as a gateway writes them, made apart from the product's own code.

Apart from the control plane, too: a unit test that reads lines need not load a server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

FREE = (("gateway", None), ("seq", None), ("prev", None))
"""Places that the product's own fields keep free for the chain's."""


def chain(
    gateway: str, entries: Sequence[Mapping[str, Any]], first: int = 1, prev: str = "0" * 64
) -> list[str]:
    """Lines as a gateway writes them, made apart from the product's own code."""
    lines = []
    for seq, entry in enumerate(entries, first):
        fields = {
            "v": 1,
            "gateway": gateway,
            "seq": seq,
            "prev": prev,
            "kind": "gateway",
            "at": "2026-11-21T04:00:00.000000Z",
            **{name: value for name, value in entry.items() if (name, value) not in FREE},
        }
        line = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        prev = hashlib.sha256(line.encode()).hexdigest()
        lines.append(line)
    return lines
