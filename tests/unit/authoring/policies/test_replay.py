"""Replays: what would have changed, in which direction, and what nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.policies.replay.files import Part, lines_of, record_files, replay_files
from gateway.authoring.policies.replay.tally import GROUPS_MAX, Replay, Tally
from gateway.authoring.policies.verdicts import Direction
from gateway.decide.bundle import Bundle
from gateway.model.decision import Context
from gateway.model.record import OutcomeEntry
from gateway.record.line import fields_of
from tests.support.entries import an_outcome
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act, bundle_of, policy_text

NOW = 1_763_700_000_000_000
WHO = Context("bot", "r1", NOW, {"team": "pay"}, "production", "running")
OLD = bundle_of(
    policy_text(
        "- {id: reads, priority: 1, match: {kind: read}, effect: ALLOW}\n"
        "- {id: small, priority: 2, match: {action: create_refund}, when: params.amount < 50, "
        "effect: ALLOW}\n"
        "- {id: asks, priority: 3, match: {kind: create}, effect: REQUIRE_APPROVAL}"
    )
)
REFUND = act("create_refund", "create", {"amount": 40, "note": "hi"})

LIMITED = policy_text("- {id: all, priority: 1, effect: ALLOW}") + (
    "  limits:\n"
    "    - {id: budget, sum: params.amount, per: agent, window: 1d, max: 100, effect: BLOCK}\n"
)


def one(rules: str, default: str = "BLOCK") -> Bundle:
    return bundle_of(policy_text(rules, default=default))


def replayed(candidate: Bundle, *entries: dict[str, Any], baseline: Bundle | None = None) -> Tally:
    replay = Replay(candidate, baseline)
    for line in sealed(entries):
        replay.take(line)
    return replay.tally


ALLOW_ALL = "- {id: all, priority: 1, effect: ALLOW}"

CHANGES: dict[str, tuple[str, str, Direction | None]] = {
    "the same rules": (
        "- {id: small, priority: 2, when: params.amount < 50, effect: ALLOW}", "ALLOW", None,
    ),
    "another rule with the same effect": (ALLOW_ALL, "ALLOW", Direction.SAME),
    "a lower bound": (
        "- {id: s, priority: 1, when: params.amount < 30, effect: ALLOW}", "BLOCK",
        Direction.TIGHTER,
    ),
    "an approval": ("- {id: a, priority: 1, effect: REQUIRE_APPROVAL}", "REQUIRE_APPROVAL",
        Direction.TIGHTER,
    ),
    "by the moment of then": (
        "- {id: m, priority: 1, effect: ALLOW, match: {environment: production, run: r1}}",
        "ALLOW", Direction.SAME,
    ),
    "by the agent's labels of then": (
        "- {id: m, priority: 1, effect: ALLOW, match: {labels: {team: pay}}}", "ALLOW",
        Direction.SAME,
    ),
    "a rule that only watches": (
        (
            "- {id: w, priority: 1, effect: BLOCK, mode: monitor}\n"
            "- {id: all, priority: 2, effect: ALLOW}"
        ),
        "ALLOW", Direction.SAME,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "after", "direction"), CHANGES.values(), ids=CHANGES.keys())
def test_one_decision_decided_again(rules: str, after: str, direction: Direction | None) -> None:
    """The effect then and now, and the direction of the change."""
    tally = replayed(one(rules), record_fields(OLD, REFUND, WHO))
    assert dict(tally.matrix) == {("ALLOW", after): 1}
    assert [group.direction for group in tally.groups] == ([direction] if direction else [])


def test_what_becomes_looser() -> None:
    """With the rule of then and the rule of now, and an example."""
    fields = record_fields(OLD, act("create_charge"), WHO, decision_id="dec_7")
    tally = replayed(one(ALLOW_ALL), fields)
    (group,) = tally.groups
    assert (group.action, group.direction) == ("create_charge", Direction.LOOSER)
    assert (group.before.speaker, group.after.speaker) == ("p/asks", "p/all")
    (example,) = tally.examples[group]
    assert (example.decision_id, example.agent, example.target) == ("dec_7", "bot", "charge ch_1")
    assert tally.count(Direction.LOOSER) == tally.changed == 1


ALTERED: dict[str, tuple[str, bool]] = {
    "a rule that reads what is redacted": ("when: params.secret == 'x'", False),
    "a rule that reads something else": ("when: params.amount < 50", True),
    "a rule that reads no params": ("match: {kind: create}", True),
    "a rule that looks whether it is there": ("when: has(params.secret)", False),
    "a rule that reads all params": ("when: size(params) == 2", False),
    "a rule that reads the score": ("when: risk.score < 99", False),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "is_exact"), ALTERED.values(), ids=ALTERED.keys())
def test_what_is_not_shown_is_counted_apart(rule: str, is_exact: bool) -> None:
    """Only where a rule could read it; a change there is not counted as one."""
    fields = record_fields(OLD, act("create_refund", params={"amount": 1, "secret": "x"}), WHO)
    rule = rule.replace("'", '"').replace("when: ", "when: '") + ("'" if "when" in rule else "")
    tally = replayed(one(f"- {{id: a, priority: 1, effect: ALLOW, {rule}}}"), fields)
    assert (tally.exact, sum(tally.inexact.values())) == ((1, 0) if is_exact else (0, 1))
    if not is_exact:
        assert set(tally.inexact) == {"params.secret"}


def test_a_line_without_a_context_is_not_exact() -> None:
    """An older gateway's: nobody knows the labels."""
    fields = record_fields(OLD, REFUND, WHO)
    del fields["context"]
    assert replayed(one(ALLOW_ALL), fields).inexact == {"context": 1}


def test_a_line_that_leaves_actions_out_is_not_exact() -> None:
    """The strictest may be among them."""
    fields = record_fields(OLD, (REFUND,) * 40, WHO)
    assert replayed(one(ALLOW_ALL), fields).inexact == {"actions": 1}


READINGS: dict[str, tuple[int, str]] = {
    "what was left was enough": (60, "ALLOW"),
    "what was left was not enough": (61, "BLOCK"),
}


@pytest.mark.parametrize(("used", "effect"), READINGS.values(), ids=READINGS.keys())
def test_readings_of_then_are_used(used: int, effect: str) -> None:
    """The counters are not asked again."""
    limited = bundle_of(LIMITED)
    fields = record_fields(limited, REFUND, WHO, used={"p/budget": used})
    assert fields["effect"] == effect
    tally = replayed(limited, fields)
    assert dict(tally.matrix) == {(effect, effect): 1}
    assert not tally.groups
    wider = replayed(bundle_of(LIMITED.replace("max: 100", "max: 500")), fields)
    assert dict(wider.matrix) == {(effect, "ALLOW"): 1}


def test_a_counter_that_nobody_kept_is_counted_apart() -> None:
    """A new limit has no history."""
    tally = replayed(bundle_of(LIMITED), record_fields(OLD, REFUND, WHO))
    assert tally.inexact == {"limits without a reading": 1}
    assert tally.inexact_changed == 0


def test_a_baseline_stands_for_the_record() -> None:
    """Then the two policies are compared, whatever was recorded."""
    fields = record_fields(one(ALLOW_ALL), act("create_charge"), WHO)
    tally = replayed(one(ALLOW_ALL), fields, baseline=OLD)
    assert dict(tally.matrix) == {("REQUIRE_APPROVAL", "ALLOW"): 1}


def test_what_was_watched_is_compared_by_its_effect() -> None:
    """To switch a policy on changes no rule; to switch it off does."""
    rules = "- {id: no, priority: 1, effect: BLOCK}"
    watching = bundle_of(policy_text(rules, mode="monitor"))
    on = replayed(one(rules), record_fields(watching, REFUND, WHO))
    assert dict(on.matrix) == {("BLOCK (monitor)", "BLOCK"): 1}
    assert [group.direction for group in on.groups] == [Direction.SAME]
    off = replayed(watching, record_fields(one(rules), REFUND, WHO))
    assert [group.direction for group in off.groups] == [Direction.LOOSER]


def test_lines_that_are_no_decisions() -> None:
    """Outcomes, the second line of a held decision, stops, what can't be read."""
    held = record_fields(OLD, act("create_charge"), WHO)
    sent = held | {"kind": "intent", "approval": {"id": "a", "state": "CONSUMED"}}
    stopped = held | {"reason_code": "KILL_SWITCH", "effect": "BLOCK", "policy": None, "rule": None}
    outcome: OutcomeEntry = an_outcome()
    replay = Replay(OLD)
    lines = sealed([held, sent, stopped, dict(fields_of(outcome))])
    broken = [b"", b"{", b"[]", b"{}", b'{"kind":"intent"}', b"\xff", lines[0][:-40]]
    for line in (*lines, *broken):
        replay.take(line)
    tally = replay.tally
    assert (tally.lines, tally.decisions, tally.exact, tally.not_by_policy) == (11, 2, 1, 1)
    assert tally.unreadable == len(broken)


def test_what_was_refused_stays_refused() -> None:
    """No policy can let pass what has two readings."""
    tally = replayed(one(ALLOW_ALL), record_fields(OLD, (), WHO, refused="ambiguous_path"))
    assert dict(tally.matrix) == {("BLOCK", "BLOCK"): 1}


def test_tallies_of_parts_can_be_added() -> None:
    """The same as of the whole; examples stay few, and groups within bounds."""
    entries = [record_fields(OLD, act("create_charge"), WHO, decision_id=f"d{n}") for n in range(9)]
    whole, total = replayed(one(ALLOW_ALL), *entries), Tally()
    for entry in entries:
        total.add(replayed(one(ALLOW_ALL), entry))
    assert (total.groups, total.matrix) == (whole.groups, whole.matrix)
    assert [len(each) for each in total.examples.values()] == [3]
    (group,) = whole.groups
    for number in range(GROUPS_MAX + 50):
        total.add(Tally(groups=type(whole.groups)({replace(group, action=f"a{number}"): 1})))
    assert len(total.groups) == GROUPS_MAX + 1


def test_every_line_of_a_file_is_in_one_part(tmp_path: Path) -> None:
    """Wherever the file is cut."""
    file = tmp_path / "r.jsonl"
    lines = [b"a", b"", b"bcd", b"e" * 9, b"f"]
    for end in (b"\n", b""):
        file.write_bytes(b"\n".join(lines) + end)
        size = file.stat().st_size
        for width in range(1, size + 2):
            cuts = range(0, size, width)
            parts = [Part(file, cut, min(cut + width, size)) for cut in cuts]
            assert [line for part in parts for line in lines_of(part)] == lines


def test_files_and_folders_are_replayed(tmp_path: Path) -> None:
    """A spool's segments in their order, and nothing else of the folder."""
    policy = tmp_path / "c.yaml"
    policy.write_text(policy_text(ALLOW_ALL))
    lines = sealed([record_fields(OLD, REFUND, WHO) for _ in range(4)])
    (tmp_path / "records-1.jsonl").write_bytes(b"\n".join(lines[:2]) + b"\n")
    (tmp_path / "records-3.jsonl").write_bytes(b"\n".join(lines[2:]) + b"\n")
    done: list[int] = []
    files = record_files([tmp_path])
    assert [file.name for file in files] == ["records-1.jsonl", "records-3.jsonl"]
    tally = replay_files(files, [policy], [policy], done.append)
    assert (tally.lines, tally.exact) == (4, 4)
    assert sum(done) == sum(file.stat().st_size for file in files)
