"""What several workers can't do together is refused before the first of them starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model.errors import ConfigurationError
from gateway.settings import load_settings
from gateway.workers.supervisor import refuse_impossible

SHARED = {"LIMITS_STORE": "shared", "PROXY_PORT": "0"}

CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "one address, shared counters": (SHARED, set()),
    "each counts for itself": ({"LIMITS_STORE": "local"}, {"LIMITS_STORE"}),
    "each counts for itself while nobody else does": (
        SHARED | {"LIMITS_FALLBACK": "local"}, {"LIMITS_FALLBACK"},
    ),
    "a free port for connections that the kernel redirects": (
        SHARED | {"TRANSPARENT_PORT": "0"}, {"TRANSPARENT_PORT"},
    ),
    "a free port for base URLs": (
        SHARED | {"REVERSE_PORT": "0", "REVERSE": "stripe=https://api.stripe.com"},
        {"REVERSE_PORT"},
    ),
    "all at once": (
        {"LIMITS_STORE": "local", "TRANSPARENT_PORT": "0"}, {"LIMITS_STORE", "TRANSPARENT_PORT"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("variables", "named"), CASES.values(), ids=CASES.keys())
def test_what_is_impossible_is_named(
    variables: dict[str, str], named: set[str], tmp_path: Path
) -> None:
    """By its variable, all of it at once."""
    settings = load_settings(
        {"CHECKREIN_DATA_DIR": str(tmp_path)}
        | {f"CHECKREIN_{name}": text for name, text in variables.items()}
    )
    found: set[str] = set()
    try:
        refuse_impossible(settings)
    except ConfigurationError as error:
        found = {problem.file.removeprefix("CHECKREIN_") for problem in error.problems}
    assert found == named
