"""Tells from a name whether its value is a secret. Params and target ids are recorded, so what
looks like a secret is never one of them."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|token|apikey|api_key|private_key|secret_key"
    r"|access_key|credentials?|authorization|cookie|client_secret|encrypted_value)$"
)
_NO_SECRET = re.compile(r"(?:^|_)(?:page|pagination|next|continuation|sync|start)_token$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def looks_secret(name: str) -> bool:
    """Whether a param, variable or key of this name would hold a secret."""
    folded = _CAMEL.sub("_", name).lower().replace("-", "_")
    return bool(_SECRET.search(folded)) and not _NO_SECRET.search(folded)
