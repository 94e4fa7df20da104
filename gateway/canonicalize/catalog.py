"""Turns a request into its canonical actions, by all mappers that were loaded.

Never raises for what a request carries: hostile input ends in a refused `Canonical`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.model.action import Canonical
from gateway.model.exchange import HttpRequest


class Catalog:
    """Every loaded mapper, indexed by host. Immutable; swapped whole when mappers change."""

    @classmethod
    def load(cls, paths: Sequence[Path]) -> Catalog:
        """Load mapper files, or folders of them.

        Raises:
            ConfigurationError: `mapper.invalid`, with every problem of every file.
        """
        raise NotImplementedError

    def canonicalize(self, request: HttpRequest) -> Canonical:
        """Say what a request means, or why it is refused."""
        raise NotImplementedError
