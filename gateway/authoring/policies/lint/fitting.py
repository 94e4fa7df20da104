"""Tells whether a rule could be about an operation that mappers list."""

from __future__ import annotations

from gateway.decide.rules.policy import Match, MatchField

Names = tuple[str, str, str]
"""Operation, action and provider. An empty one is not known, and may be any."""

_FIELDS = (MatchField.OPERATION, MatchField.ACTION, MatchField.PROVIDER)


def fits(match: Match, names: Names) -> bool:
    """Whether nothing in `match` speaks against these names."""
    patterns = map(match.pattern_of, _FIELDS)
    return all(
        pattern is None or not name or pattern.matches(name)
        for pattern, name in zip(patterns, names, strict=True)
    )
