"""Faults as HTTP: no fault without a row, no envelope without its four fields."""

from __future__ import annotations

import json

import pytest

from controlplane.api.problems import PROBLEMS, problem_response
from controlplane.faults import ControlFault, Fault


def test_every_fault_has_a_row():
    """A new fault must be thought about."""
    assert set(PROBLEMS) == set(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_the_envelope_is_always_the_same(fault: Fault):
    """Four fields, an error status, and no detail can overwrite one of them."""
    response = problem_response(ControlFault(fault, "a sentence", {"code": "x", "more": 1}), "id")
    error = json.loads(response.text)["error"]
    assert error == {
        "code": PROBLEMS[fault].code,
        "message": "a sentence",
        "reason_code": PROBLEMS[fault].reason_code,
        "request_id": "id",
        "more": 1,
    }
    assert 400 <= response.status < 600
    assert ("WWW-Authenticate" in response.headers) == (response.status == 401)
    assert ("Retry-After" in response.headers) == (response.status in {429, 503})


def test_only_a_missing_database_invites_to_try_again():
    """`retryable` follows the fault, so that no client repeats what can't succeed."""
    assert [fault for fault in Fault if ControlFault(fault, "").retryable] == [Fault.UNAVAILABLE]
