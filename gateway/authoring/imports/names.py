"""How operations are named, as importers say it; the names of acts in bodies are made alike."""

from __future__ import annotations

from gateway.canonicalize.naming.words import derived_action, singular, words_of

__all__ = ["derived_action", "singular", "words_of"]
