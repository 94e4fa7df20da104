"""How kinds are derived, as importers say it; the kinds of acts in bodies are derived alike."""

from __future__ import annotations

from gateway.canonicalize.naming.kinds import (
    KIND_BY_VERB,
    changes_access,
    derived_kind,
    object_of,
    raised_kind,
    sensitivity,
    verb_in,
    verb_of,
)

__all__ = [
    "KIND_BY_VERB",
    "changes_access",
    "derived_kind",
    "object_of",
    "raised_kind",
    "sensitivity",
    "verb_in",
    "verb_of",
]
