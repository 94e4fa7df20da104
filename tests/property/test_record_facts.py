"""Whatever a record line says: reading it never fails, and what it gives can be stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import hypothesis.strategies as st
from hypothesis import given

import tests.support.drawn  # noqa: F401
from controlplane.services.runs.facts import NAME_LENGTH_MAX, TEXT_LENGTH_MAX, read_fact
from controlplane.store.projection import NewStep, SeenRecord
from gateway.model.record import EntryKind

RECEIVED = datetime(2026, 11, 21, tzinfo=UTC)

TEXTS = st.one_of(st.text(max_size=20), st.just("\0"), st.just("x" * 100_000), st.just("ALLOW"))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(("id", "type", "kind", "score", "target")), inner),
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ("decision_id", "agent", "run", "effect", "mode", "actions", "risk", "at", "approval",
         "outcome", "code", "event", "provider", "message", "duration_us", "status"),
    ),
    VALUES,
)  # fmt: skip
MINIMAL = st.fixed_dictionaries(
    {"decision_id": st.just("d"), "agent": st.just("a"), "effect": st.just("BLOCK")}
)


@given(st.sampled_from(EntryKind), FIELDS, st.one_of(st.just({}), MINIMAL))
def test_no_line_is_too_strange(kind: EntryKind, fields: dict[str, object], more: dict[str, str]):
    """Texts are bounded, hold no NUL and can be encoded; a time is never later than its arrival."""
    line = json.dumps({**fields, **more})
    fact = read_fact(SeenRecord(1, "gw", 1, kind.value, line, RECEIVED))

    if isinstance(fact, NewStep):
        assert fact.decided_at <= RECEIVED
        assert fact.risk is None or 0 <= fact.risk <= 100
        for name in fact.__slots__:
            value = getattr(fact, name)
            if isinstance(value, str):
                value.encode()
                assert "\0" not in value
                assert len(value) <= max(NAME_LENGTH_MAX, TEXT_LENGTH_MAX)
