"""Text as PostgreSQL can hold it."""

from __future__ import annotations


def storable(text: str) -> str:
    """PostgreSQL's text holds no NUL; what an agent put there is shown as a replacement. An act is
    bound by its digest, and a document kept as it is: these words are for people."""
    return text.replace("\0", "\ufffd")
