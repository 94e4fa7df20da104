"""The Datadog client, driven without a network, against the shipped mapper."""

from __future__ import annotations

import functools
import re

import pytest

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.drive_datadog import every_call
from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import canonicalizer

READS = re.compile(
    r"(?:batch_|simple_|bulk_)?(?:query|search|aggregate|validate|list|get|preview|fetch|check|convert"
    r"|rows_query)_|batch_rows_query"
)
"""Verbs of what the client asks by POST: questions that are too long for a query."""


@functools.cache
def calls() -> list[Sent]:
    """Every endpoint, once."""
    return list(every_call())


def test_every_endpoint_has_its_own_name() -> None:
    """At least 99.5 % of all endpoints are told, by the name that they have in the client."""
    wrong = []
    for one in calls():
        canonical = canonicalizer().canonicalize(one.request)
        name = canonical.actions[0].operation if canonical.actions else str(canonical.refused)
        if name.lower() != one.operation.replace("_", ""):
            wrong.append((one.operation, one.request.target, name))

    assert len(calls()) > 1_800
    assert len(wrong) <= len(calls()) * 0.005, wrong


def test_only_questions_are_reads() -> None:
    """What isn't a GET is a read only where its verb asks something."""
    mild = []
    for one in calls():
        action = canonicalizer().canonicalize(one.request).actions[0]
        is_asked = one.request.method == "GET" or READS.match(one.operation) is not None
        if action.kind is Kind.READ and not is_asked:
            mild.append(one.operation)

    assert mild == []


@pytest.mark.parametrize("site", ["datadoghq.eu", "us5.datadoghq.com", "ddog-gov.com"])
def test_every_site_is_known(site: str) -> None:
    """The same endpoints at another site have the same names."""
    for one in list(every_call(site))[::40]:
        action = canonicalizer().canonicalize(one.request).actions[0]

        assert action.operation.lower() == one.operation.replace("_", "")
