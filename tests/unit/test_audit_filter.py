"""The line of the audit explorer: what it means, and what is said of one that means nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controlplane.services.decisions.audit_filter import LINE_LENGTH_MAX, parse_filter, write_filter
from controlplane.store.explorer import DecisionFilter

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

READ = {
    "": DecisionFilter(),
    "agent:billing-bot effect:BLOCK provider:aws": DecisionFilter(
        agent="billing-bot", effect="BLOCK", provider="aws"
    ),
    "effect:deny": DecisionFilter(effect="BLOCK"),
    "EFFECT:block Kind:DELETE": DecisionFilter(effect="BLOCK", kind="delete"),
    'agent:"my bot" refund "two words"': DecisionFilter(agent="my bot", text="refund two words"),
    "operation:s3:DeleteBucket": DecisionFilter(operation="s3:DeleteBucket"),
    '"s3:DeleteBucket"': DecisionFilter(text="s3:DeleteBucket"),
    "since:1d": DecisionFilter(since=NOW - timedelta(days=1)),
    "since:90m until:2w": DecisionFilter(
        since=NOW - timedelta(minutes=90), until=NOW - timedelta(weeks=2)
    ),
    "until:2026-11-21T09:00+01:00": DecisionFilter(until=datetime(2026, 11, 21, 8, tzinfo=UTC)),
    "risk:70 outcome:open": DecisionFilter(risk=70, outcome="open"),
}


@pytest.mark.parametrize("line", READ)
def test_a_line_means_what_it_says(line: str) -> None:
    """And is written so that it means the same again."""
    parsed = parse_filter(line, NOW)
    assert (parsed.wanted, list(parsed.problems)) == (READ[line], [])
    assert parse_filter(write_filter(parsed.terms), NOW).wanted == READ[line]


WRONG = {
    "agnt:billing-bot": ("no word of this filter; did you mean `agent`?", "agent:billing-bot"),
    "s3:DeleteBucket": ("to look for it as text", '"s3:DeleteBucket"'),
    "effect:BLOK": ("`effect` is one of", "effect:BLOCK"),
    "since:yesterday": ("`since` takes an age", "since:1d"),
    "since:99999999d": ("`since` takes an age", "since:1d"),
    "risk:high": ("`risk` takes a number", "risk:70"),
    "risk:\u0663": ("`risk` takes a number", "risk:70"),
    "agent:a agent:b": ("`agent` is there twice", ""),
    "agent:": ("`agent` needs a value", ""),
    'agent:"a': ("not closed", ""),
    "agent:" + "a" * 300: ("at most 256", ""),
    "a" * (LINE_LENGTH_MAX + 1): ("at most 1000", ""),
}  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_what_means_nothing_is_said_with_the_nearest(line: str) -> None:
    """Nothing is searched then: less than what was asked for would look like an answer."""
    parsed = parse_filter(line, NOW)
    message, nearest = WRONG[line]
    (problem,) = parsed.problems
    assert message in problem.message
    assert problem.nearest == nearest
    assert parsed.wanted == DecisionFilter()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Nobody mends a line one word at a time."""
    assert len(parse_filter("agnt:x effect:y since:z", NOW).problems) == 3
