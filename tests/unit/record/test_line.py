"""The line of a decision: what requests share is made once, and nothing of one is in another's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.model.approval import Approval, ApprovalState
from gateway.model.exchange import Authority, Principal
from gateway.model.limit import LimitReading
from gateway.model.record import DecisionEntry
from gateway.record import line
from gateway.record.chain import ZERO_HASH, seal
from tests.support.entries import AT, a_decision, an_action, an_exchange, an_intent
from tests.unit.record.test_evidence import CLAIM

DECISION = a_decision()
APPROVAL = Approval("apr_1", ApprovalState.APPROVED, "b" * 64, AT, "ann", "fine")


def an_entry(**changes: Any) -> DecisionEntry:
    """One of many entries with the same decision."""
    return replace(an_intent(), decision=DECISION, **changes)


def cold(entry: DecisionEntry) -> line.Fields:
    """The fields as the first request that is ever recorded has them."""
    line._frame.cache_clear()
    line._verdict.cache_clear()
    return line.fields_of(entry)


def test_a_line_is_the_same_whatever_was_recorded_before() -> None:
    """Each entry differs from the one before it in what is kept or in what is not."""
    exchange = an_exchange()
    request, canonical = exchange.request, an_intent().canonical
    told = replace(DECISION, unresolved="params.amount")
    entries = [
        an_entry(),
        an_entry(sends=False),
        an_entry(approval=APPROVAL),
        an_entry(exchange=replace(exchange, principal=Principal("other"))),
        an_entry(exchange=replace(exchange, principal=Principal("agent", "run-2"))),
        an_entry(exchange=replace(exchange, request=replace(request, method="PUT"))),
        an_entry(exchange=replace(exchange, request=replace(request, body=None, body_bytes=None))),
        an_entry(
            exchange=replace(exchange, request=replace(request, authority=Authority("b.test", 444)))
        ),
        an_entry(canonical=replace(canonical, actions=(), refused="ambiguous_path")),
        an_entry(canonical=replace(canonical, actions=(an_action(),) * (line.ACTIONS_MAX + 1))),
        an_entry(canonical=replace(canonical, provider="other")),
        an_entry(digest=None),
        replace(an_entry(), decision=told),
        an_entry(),
    ]
    expected = [cold(entry) for entry in entries]
    line._frame.cache_clear()
    assert [line.fields_of(entry) for entry in entries] == expected
    assert [line.fields_of(entry) for entry in reversed(entries)] == expected[::-1]
    assert len({repr(fields) for fields in expected}) == len(entries) - 1


def test_sealing_a_line_changes_no_other() -> None:
    """Its place in the chain is written into its own copy."""
    first = line.fields_of(an_entry())
    seal(first, "gw_a", 7, "f" * 64)
    second = line.fields_of(an_entry())
    assert (second["gateway"], second["prev"], second.get("seq")) == (None, None, None)
    assert seal(second, "gw_a", 1, ZERO_HASH) == seal(cold(an_entry()), "gw_a", 1, ZERO_HASH)


def test_nothing_large_or_of_one_request_alone_is_kept() -> None:
    """A long name, and what the counters said, would only fill the memory."""
    line._frame.cache_clear()
    long = replace(an_exchange(), principal=Principal("a" * 300))
    assert line.fields_of(an_entry(exchange=long))["agent"] == "a" * 300
    counted = replace(DECISION, claims=(CLAIM,), readings=(LimitReading(CLAIM, 1, False),))
    assert "limits" in line.fields_of(replace(an_entry(), decision=counted))
    assert line._frame.cache_info().currsize == 0
    line.fields_of(an_entry())
    assert line._frame.cache_info().currsize == 1
