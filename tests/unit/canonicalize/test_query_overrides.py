"""Query parameters that make Google act on another method: never a milder act than is done."""

from __future__ import annotations

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir

URL = "https://storage.googleapis.com/storage/v1/b/logs"


@pytest.fixture(scope="module")
def google() -> Canonicalizer:
    """The shipped mapper of Google alone."""
    return Canonicalizer.load([mappers_dir() / "google.yaml"])


REFUSED = {
    "a method": ("GET", "$httpMethod=DELETE", "ambiguous_method"),
    "encoded": ("GET", "%24httpMethod=DELETE", "ambiguous_method"),
    "in other letters": ("GET", "$HTTPMETHOD=DELETE", "ambiguous_method"),
    "in the form's way": ("GET", "_method=DELETE", "ambiguous_method"),
    "a milder method": ("DELETE", "$httpMethod=GET", "ambiguous_method"),
    "header fields": (
        "GET", "$httpHeaders=X-HTTP-Method-Override%3ADELETE", "ambiguous_method",
    ),
    "a content type": ("POST", "$ct=text/plain", "ambiguous_content_type"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "query", "code"), REFUSED.values(), ids=REFUSED)
def test_what_overrides_is_refused(
    google: Canonicalizer, method: str, query: str, code: str
) -> None:
    """Whatever it asks for."""
    canonical = google.canonicalize(build_request(method, f"{URL}?{query}", [], b""))

    assert (canonical.refused, canonical.actions) == (code, ())


@pytest.mark.parametrize("query", ["$alt=json", "alt=json&key=x", "$httpMethod=GET", "$fields=id"])
def test_what_overrides_nothing_passes(google: Canonicalizer, query: str) -> None:
    """The other parameters that all of Google's APIs take."""
    (action,) = google.canonicalize(build_request("GET", f"{URL}?{query}", [], b"")).actions

    assert action.operation == "storage.buckets.get"
