"""Google's own client, driven offline, against the shipped mapper: a spread over all its APIs.

The whole is driven by `python -m tests.contract.mappers_real_sdks.drive_google`.
"""

from __future__ import annotations

import functools

import pytest

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.drive_google import Tally, document_names, drive, judge
from tests.contract.mappers_real_sdks.sdk import as_request

WHOLE = frozenset({"storage", "gmail", "drive", "iam", "iamcredentials", "secretmanager"})
"""APIs that are driven with every method; of the rest one method in `EVERY`."""
EVERY = 12


@functools.cache
def spread() -> Tally:
    """Every method of the APIs that matter most, and the same few of each other document."""
    tally = Tally()
    for position, name in enumerate(document_names()):
        if name.partition(".")[0] in WHOLE:
            drive(name, tally)
        else:
            drive(name, tally, every=EVERY, offset=position)
    return tally


def test_methods_have_their_own_names() -> None:
    """At least 99.5 % are recognised as exactly what they are, and nothing is refused."""
    tally = spread()

    assert tally.requests > 4_000
    assert tally.share >= 0.995, tally.wrong[:20]
    assert not tally.refused, tally.wrong[:20]


def test_no_write_is_called_a_read() -> None:
    """Only a GET, or a POST whose name reads."""
    assert spread().writes_as_reads == set()


@pytest.mark.parametrize(
    ("method", "url", "kind", "sensitive"),
    [
        ("GET", "https://cloudbilling.googleapis.com/v1/organizations/o/billingAccounts/b:move",
         Kind.UPDATE, None),
        ("POST", "https://www.googleapis.com/calendar/v3/calendars/c/acl/watch", Kind.ADMIN, None),
        ("POST", "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a:signJwt",
         Kind.ADMIN, "credentials"),
        ("GET", "https://secretmanager.googleapis.com/v1/projects/p/secrets/s/versions/1:access",
         Kind.READ, "credentials"),
        ("GET", "https://secretmanager.us-east1.rep.googleapis.com/v1/projects/p/secrets/s",
         Kind.READ, None),
        ("PUT", "https://storage.googleapis.com/storage/v1/b/b/iam", Kind.ADMIN, None),
        ("POST", "https://compute.googleapis.com/compute/v1/projects/p/nothing/x", Kind.UNKNOWN,
         None),
    ],
)  # fmt: skip
def test_what_must_not_be_mistaken(
    method: str, url: str, kind: Kind, sensitive: str | None
) -> None:
    """A GET that acts, a watch that lists read-only scopes, a read of a secret."""
    (action,) = judge().canonicalize(as_request(method, url, {}, b"")).actions

    assert (action.kind, action.sensitive) == (kind, sensitive)


def test_names_of_objects_have_slashes() -> None:
    """Encoded, as Cloud Storage wants them; elsewhere an encoded slash is refused."""
    path = "/storage/v1/b/logs/o/2026%2F11%2Ftoday"
    (action,) = (
        judge()
        .canonicalize(as_request("DELETE", f"https://storage.googleapis.com{path}", {}, b""))
        .actions
    )
    shared = judge().canonicalize(as_request("GET", f"https://www.googleapis.com{path}", {}, b""))

    assert (action.operation, action.target.id) == ("storage.objects.delete", "logs/2026/11/today")
    assert shared.refused == "ambiguous_path"
