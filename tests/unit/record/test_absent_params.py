"""A recorded action says which of its missing params were certainly absent, so that a replay of
conditions with `has()` decides as it was decided."""

from __future__ import annotations

import json

import pytest

from gateway.authoring.policies.questions import action_of
from gateway.record.line import action_json
from tests.support.policy_world import act

CASES = {
    "nothing is missing": ((), ()),
    "one is certainly absent": (("fee",), ()),
    "one may be there": (("fee",), ("fee",)),
    "one of each": (("fee", "note"), ("note",)),
    "more than can be named": (("*",), ("*",)),
}


@pytest.mark.parametrize(("missing", "unreadable"), CASES.values(), ids=CASES)
def test_what_is_absent_is_read_back(missing: tuple[str, ...], unreadable: tuple[str, ...]) -> None:
    """Both sets come back as they were."""
    action = act(missing=missing, unreadable=unreadable)
    shown = json.loads(json.dumps(action_json(action)))
    again = action_of({"provider": "stripe", **shown}, "")

    assert (again.missing, again.unreadable) == (frozenset(missing), frozenset(unreadable))
