"""The keeper of the rules in force: what it records, and what it says about what it refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import cast

import pytest

from gateway import telemetry
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.counters.local import LocalLimits
from gateway.journey.judge import Judge, Ruleset
from gateway.journey.reservations import Reservations
from gateway.model.errors import BundleError, ConfigurationError, Problem
from gateway.rulesets.keeper import PROBLEMS_SHOWN_MAX, RulesetKeeper
from tests.support.fake_world import FakeStops
from tests.support.fakes import FakeClock
from tests.support.policy_world import bundle_of, policy_text

OLD = bundle_of(policy_text("- {id: all, priority: 1, effect: ALLOW}"))
NEW = bundle_of(policy_text("- {id: all, priority: 2, effect: ALLOW}"))


class Kept:
    """A keeper, its judge and what it recorded. No request is read here."""

    def __init__(self) -> None:
        canonicalizer = cast("Canonicalizer", object())
        self.ruleset = Ruleset(canonicalizer, OLD)
        self.judge = Judge(self.ruleset, FakeStops(), Reservations(LocalLimits(FakeClock())))
        self.notes: list[tuple[str, str]] = []
        self.keeper = RulesetKeeper(self.judge, lambda *note: self.notes.append(note))


def test_new_rules_are_recorded_with_their_origin() -> None:
    """Their revision, and the number of the bundle where there is one."""
    kept = Kept()
    kept.keeper.adopt(replace(kept.ruleset, bundle=NEW), ", bundle 7")
    assert kept.judge.ruleset.bundle is NEW
    assert kept.notes == [("policy_loaded", f"revision {NEW.revision}, bundle 7")]


def test_the_same_rules_are_no_news() -> None:
    """A comment in a policy file changes no revision."""
    kept = Kept()
    again = bundle_of(policy_text("- {id: all, priority: 1, effect: ALLOW} # a comment"))
    kept.keeper.adopt(replace(kept.ruleset, bundle=again))
    assert kept.judge.ruleset.bundle is again
    assert kept.notes == []


def test_a_confirmation_changes_nothing_but_the_time() -> None:
    """The rules in force are the same objects."""
    kept = Kept()
    kept.keeper.confirm(5)
    assert kept.judge.ruleset.usable_until == 5
    assert kept.judge.ruleset.bundle is OLD
    assert kept.judge.ruleset.canonicalizer is kept.ruleset.canonicalizer


def test_a_fault_is_counted_by_its_code_and_ends_with_good_rules(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once for each different one."""
    kept = Kept()
    counter = telemetry.RULESET_FAULTS.labels("bundle.older")
    before = counter.value
    fault = BundleError("bundle.older", "bundle 3 is older")
    with caplog.at_level(logging.ERROR):
        kept.keeper.refuse(fault)
        kept.keeper.refuse(fault)
    assert counter.value == before + 1
    assert kept.keeper.fault == "bundle.older: bundle 3 is older"
    assert len(caplog.records) == 1
    assert kept.judge.ruleset is kept.ruleset
    kept.keeper.settle()
    assert kept.keeper.fault is None
    kept.keeper.refuse(fault)
    assert [event for event, _ in kept.notes] == ["policy_refused", "policy_refused"]


def test_a_wall_of_problems_is_cut() -> None:
    """Every one of them is counted."""
    kept = Kept()
    problems = [Problem("a.yaml", line, 1, "it is wrong") for line in range(1, 100)]
    kept.keeper.refuse(ConfigurationError("policy.invalid", problems))
    lines = str(kept.keeper.fault).splitlines()
    assert lines[0] == "a.yaml:1:1: it is wrong"
    assert lines[-1] == f"and {99 - PROBLEMS_SHOWN_MAX} more"
    assert len(lines) == PROBLEMS_SHOWN_MAX + 1
