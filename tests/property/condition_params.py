"""What conditions are asked about, at random: params as requests could carry them, most often of
the types that the conditions expect; and the texts that mean something to a function."""

from __future__ import annotations

import random
from typing import Any

EDGES = (2**63 - 1, -(2**63), 2**62, 4_611_686_018_427_387_905, 5000, -5000)
TEXTS = (
    "", "a", "ab", "b1", "é", "\U0001f600", "1", "12", "-3", "+4", "007", "1.5", ".5", "1e3",
    "true", "false", "t", "0", "x\ny", "a@example.com",
)  # fmt: skip
MOMENTS = (
    "2026-11-21T15:10:30Z", "2026-11-21T15:10:30.123456Z", "2024-02-29T23:59:59.999999999+05:30",
    "1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
    "2000-01-01t00:00:00-11:00", "1890-06-01T12:00:00Z", "2300-07-01T00:00:00Z",
    "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z", "2026-02-30T00:00:00Z",
    "2026-11-21",
)  # fmt: skip
MOMENTS_THAT_ARE = MOMENTS[:12]
SPANS = (
    "1h30m", "90m", "-1.5s", "0", "1s", "100ms", "1us", "5ns", "2562047h", "-2562047h", "1.25h",
    "1h1h", "+5s", ".5s", "24h", "8760h", "5", "1d", "1h 30m", "-",
)  # fmt: skip
SPANS_THAT_ARE = SPANS[:16]


def params_of(source: random.Random, *, with_decimals: bool) -> dict[str, Any]:
    """Params as a request could carry them: of the expected types, most of the time."""
    values = Values(source, with_decimals)
    params = {
        "a": values.whole(),
        "b": values.text(),
        "c": values.items() if source.random() < 0.6 else {"a": values.scalar(), "b": 1},
        "t": source.choice(MOMENTS),
        "u": source.choice(SPANS),
        "n": source.choice(("12", "-3", "+4", "1.5", "5k", "", "9223372036854775808")),
        "f": source.random() < 0.5,
    }
    for name in (*params, "d"):
        if source.random() < 0.12:
            params[name] = values.anything(2)
    if source.random() < 0.1:
        del params[source.choice(list(params))]
    return params


class Values:
    def __init__(self, source: random.Random, with_decimals: bool) -> None:
        self.source = source
        self.edges = () if with_decimals else EDGES

    def whole(self) -> int:
        if self.edges and self.source.random() < 0.2:
            return self.source.choice(self.edges)
        return self.source.randint(-3, 3)

    def text(self) -> str:
        return self.source.choice(TEXTS)

    def scalar(self) -> Any:
        kind = self.source.randrange(5)
        if kind == 0:
            return self.whole()
        if kind == 1:
            return self.source.random() < 0.5
        return None if kind == 2 else self.text()

    def items(self) -> list[Any]:
        size = self.source.randint(0, 3)
        if self.source.random() < 0.6:
            kind = self.source.choice((self.whole, self.text))
            return [kind() for _ in range(size)]
        return [self.scalar() for _ in range(size)]

    def anything(self, depth: int) -> Any:
        kind = self.source.randrange(4) if depth else 0
        if kind < 2:
            return self.scalar()
        if kind == 2:
            return [self.anything(depth - 1) for _ in range(self.source.randint(0, 2))]
        return {name: self.anything(depth - 1) for name in ("a", "b")[: self.source.randint(0, 2)]}
