"""Which rules a gateway runs, and for how long without a word from who makes them."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

from gateway.key_text import load_key_text
from gateway.model.dataclass import dataclass

POLL_SECONDS_MIN: Final = 0.01
"""More often is a busy loop."""
POLL_SECONDS_MAX: Final = 86_400.0


class PolicySource(StrEnum):
    """FILES: those that settings name, loaded again when they change. CONTROL: the signed bundle
    that the control plane gives to all gateways; policy files are not read then."""

    FILES = "files"
    CONTROL = "control"


@dataclass(frozen=True, slots=True)
class RulesetSettings:
    """`reload_poll_seconds`: how often files are looked at; a change is taken once two looks see
    the same, so within twice of it. A look at all shipped mappers costs half a millisecond of CPU.

    `stale_seconds_max`: how long a bundle that the control plane has not confirmed may decide;
    after it everything is refused. A day, as for agents that are known from the cache: long enough
    to mend a control plane, and nobody vouches for older rules. 0: for ever.

    `bundle_public_key` (base64 of 32 bytes) or `bundle_public_key_file` says whose bundles are
    taken. Without, it is the key that the control plane names at the first start; it is kept in
    the data directory and never exchanged by itself.
    """

    policy_source: PolicySource = PolicySource.FILES
    reload_poll_seconds: float = 0.25
    stale_seconds_max: float = 86_400.0
    bundle_public_key: str = ""
    bundle_public_key_file: str = ""

    def __post_init__(self) -> None:
        if not POLL_SECONDS_MIN <= self.reload_poll_seconds <= POLL_SECONDS_MAX:
            bounds = f"{POLL_SECONDS_MIN} to {POLL_SECONDS_MAX:.0f}"
            raise ValueError(f"reload_poll_seconds `{self.reload_poll_seconds}`: give {bounds}")
        if not 0 <= self.stale_seconds_max < math.inf:
            message = "give seconds from 0 on; 0 is for ever"
            raise ValueError(f"stale_seconds_max `{self.stale_seconds_max}`: {message}")

    def load_public_key(self) -> str:
        """The configured key as text; empty when none is configured.

        Raises:
            ConfigurationError: the key file can't be read.
        """
        return load_key_text(
            self.bundle_public_key,
            self.bundle_public_key_file,
            what="the bundle key",
            variable="CHECKREIN_BUNDLE_PUBLIC_KEY_FILE",
            code="bundle.key_unreadable",
        )
