"""What `spec.limits` may say: every mistake at its place, and what a good one means."""

from __future__ import annotations

import pytest

from gateway.decide.rules.policy import Limit, Per
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.limit import WindowKind
from gateway.model.vocabulary import Vocabulary
from tests.support.policy_world import bundle_of, policies_of, policy_text, problems_of

RULE = "- {id: all, priority: 1, effect: ALLOW}"
LEAST = "id: budget, per: agent, window: 1d, max: 5"


def with_limit(fields: str) -> str:
    return policy_text(RULE) + f"  limits:\n    - {{{fields}}}\n"


def the_limit(fields: str) -> Limit:
    (policy,) = policies_of(with_limit(fields))
    (limit,) = policy.limits
    return limit


FAULTS = {
    "no map": (policy_text(RULE) + "  limits: [5]\n", "p.yaml:9:12: a limit must be a map"),
    "no list": (policy_text(RULE) + "  limits: {}\n", "p.yaml:9:11: `limits` must be a list"),
    "too many": (
        policy_text(RULE) + "  limits: [" + "1," * 1001 + "]\n", "`limits` has more than 1000",
    ),
    "nothing in it": (with_limit(""), "p.yaml:10:7: a limit needs `window`"),
    "an unknown key": (with_limit(f"{LEAST}, sums: a"), "no field `sums` (help: did you"),
    "an id with a slash": (with_limit("id: a/b, per: agent, window: 1d, max: 5"), "`id` must be"),
    "the id of a rule": (
        with_limit("id: all, per: agent, window: 1d, max: 5"),
        "p.yaml:10:7: the id `all` is taken in line 8 (help: give each rule and each limit",
    ),
    "an id twice": (
        with_limit(LEAST) + f"    - {{{LEAST}}}\n", "11:7: the id `budget` is taken in line 10",
    ),
    "per nobody": (with_limit("id: a, per: team, window: 1d, max: 5"), "`per` can't be `team`"),
    "a grouped maximum": (
        with_limit("id: a, per: agent, window: 1d, max: 50_000"),
        "p.yaml:10:44: `max` can't be `50_000` (help: write it plainly: 50000)",
    ),
    "a maximum with commas": (
        with_limit('id: a, per: agent, window: 1d, max: "1,000,000"'), "write it plainly: 1000000",
    ),
    "a negative maximum": (
        with_limit("id: a, per: agent, window: 1d, max: -1"), "`max` must be a whole number",
    ),
    "a maximum with cents": (
        with_limit("id: a, per: agent, window: 1d, max: 5.5"), "`max` must be a whole number",
    ),
    "a maximum beyond all": (
        with_limit("id: a, per: agent, window: 1d, max: 1000000000000001"), "to 1000000000000000",
    ),
    "a truth for a maximum": (
        with_limit("id: a, per: agent, window: 1d, max: true"), "`max` must be a whole number",
    ),
    "a window in words": (
        with_limit("id: a, per: agent, window: daily, max: 5"),
        "p.yaml:10:35: `window` must be a duration such as `1d` or `90m`, or one of hour, day",
    ),
    "a window of nothing": (
        with_limit("id: a, per: agent, window: 0s, max: 5"), "`window` must be from 1 second",
    ),
    "a window of two years": (
        with_limit("id: a, per: agent, window: 731d, max: 5"), "`window` must be from 1 second",
    ),
    "a window that is a list": (
        with_limit("id: a, per: agent, window: [1d], max: 5"), "`window` must be a duration",
    ),
    "a calendar of nothing": (
        with_limit("id: a, per: agent, window: {timezone: UTC}, max: 5"),
        "p.yaml:10:35: `window` needs `calendar`",
    ),
    "a calendar of decades": (
        with_limit("id: a, per: agent, window: {calendar: decade}, max: 5"),
        "`calendar` can't be `decade`",
    ),
    "a zone that is misspelt": (
        with_limit("id: a, per: agent, window: {calendar: day, timezone: Europe/Berlim}, max: 5"),
        "p.yaml:10:61: there is no time zone `Europe/Berlim` (help: did you mean `Europe/Berlin`?)",
    ),
    "a zone outside the database": (
        with_limit("id: a, per: agent, window: {calendar: day, timezone: ../UTC}, max: 5"),
        "there is no time zone `../UTC`",
    ),
    "a zone that is a number": (
        with_limit("id: a, per: agent, window: {calendar: day, timezone: 5}, max: 5"),
        "`timezone` must be text",
    ),
    "an effect that allows": (
        with_limit(f"{LEAST}, effect: ALLOW"),
        "p.yaml:10:60: a limit can't have the effect `ALLOW` (help: `BLOCK` or",
    ),
    "terms of a block": (
        with_limit(f"{LEAST}, approval: {{timeout: 5m}}"), "`approval` has no meaning where",
    ),
    "a sum of an expression": (
        with_limit(f"{LEAST}, sum: params.amount * 2"),
        "p.yaml:10:57: `sum` must be the path of one param, such as `params.amount` (help: leave",
    ),
    "a sum of all params": (with_limit(f"{LEAST}, sum: params"), "`sum` must be the path"),
    "a sum of something else": (with_limit(f"{LEAST}, sum: target.id"), "`sum` must be the path"),
    "a sum of an item": (with_limit(f'{LEAST}, sum: "params.a[0]"'), "`sum` must be the path"),
    "a sum that is deep": (with_limit(f"{LEAST}, sum: params{'.a' * 9}"), "`sum` must be the path"),
    "a sum of a number": (with_limit(f"{LEAST}, sum: 5"), "`sum` must be text"),
    "a condition that is wrong": (
        with_limit(f'{LEAST}, when: "params.a > 5_000"'), "p.yaml:10:70: `5_000` is not a number",
    ),
    "a mode that is no mode": (with_limit(f"{LEAST}, mode: shadow"), "`mode` can't be `shadow`"),
    "a message of two lines in one": (
        with_limit(f'{LEAST}, message: "\\x07"'), "`message` must be one sentence",
    ),
    "a reason of ours": (with_limit(f"{LEAST}, reason: KILL_SWITCH"), "is a reason of Checkrein"),
    "enabled in words": (with_limit(f"{LEAST}, enabled: yes"), "`enabled` must be `true` or"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), FAULTS.values(), ids=FAULTS)
def test_what_a_limit_may_not_say(text: str, problem: str) -> None:
    """Each is found, with its place."""
    assert problem in "\n".join(map(str, problems_of(text)))


def test_every_mistake_is_found_at_once() -> None:
    """One reading names all that is wrong with a limit."""
    text = with_limit('id: "", per: x, window: y, max: 1_0, effect: z, sum: w, mode: v, when: "="')
    assert len(problems_of(text)) == 8


def test_names_are_held_against_the_mappers() -> None:
    """A limit on an action that no mapper makes would never count anything."""
    vocabulary = Vocabulary(actions=frozenset({"create_refund"}))
    text = with_limit(f"{LEAST}, match: {{action: create_refunds}}")
    assert "did you mean `create_refund`?" in str(problems_of(text, vocabulary)[0])


def test_the_least_that_a_limit_can_say() -> None:
    """It counts every action, and blocks beyond its maximum."""
    limit = the_limit(LEAST)
    assert (limit.sum, limit.per, limit.max) == (None, Per.AGENT, 5)
    assert (limit.window.kind, limit.window.seconds) == (WindowKind.SLIDING, 86_400)
    assert (limit.effect, limit.mode, limit.terms) == (Effect.BLOCK, Mode.ENFORCE, None)
    assert limit.reason == "LIMIT_BUDGET"
    assert limit.message == "limit `budget` of policy `p` is used up"
    assert limit.enabled


def test_all_that_a_limit_can_say() -> None:
    """Every word of it arrives."""
    limit = the_limit(
        "id: b, match: {action: create_refund}, when: 'params.currency == \"usd\"', "
        "sum: params.total.amount, per: organisation, max: 0, "
        "window: {calendar: month, timezone: Europe/Berlin}, effect: REQUIRE_APPROVAL, "
        "reason: MUCH, message: this is much, approval: {timeout: 5m}, mode: monitor, "
        "enabled: false"
    )
    assert limit.sum == ("total", "amount")
    assert limit.sum_text == "params.total.amount"
    assert (limit.window.kind, limit.window.zone_name) == (WindowKind.MONTH, "Europe/Berlin")
    assert str(limit.window) == "month Europe/Berlin"
    assert limit.terms == ApprovalTerms(timeout_seconds=300)
    assert (limit.reason, limit.message) == ("MUCH", "this is much")
    assert (limit.mode, limit.enabled, limit.per) == (Mode.MONITOR, False, Per.ORGANISATION)
    assert limit.condition is not None


@pytest.mark.parametrize("word", ["hour", "day", "week", "month"])
def test_words_are_calendar_windows(word: str) -> None:
    """A word alone is the calendar's, in UTC; a duration slides."""
    assert str(the_limit(f"id: a, per: agent, window: {word}, max: 5").window) == f"{word} UTC"
    assert str(the_limit("id: a, per: agent, window: 1d12h, max: 5").window) == "129600s"


@pytest.mark.parametrize(
    "change",
    [
        "id: other, per: agent, window: 1d, max: 5",
        "id: budget, per: run, window: 1d, max: 5",
        "id: budget, per: agent, window: day, max: 5",
        "id: budget, per: agent, window: 1d, max: 6",
        f"{LEAST}, sum: params.a",
        f"{LEAST}, when: 'params.a == 1'",
        f"{LEAST}, match: {{kind: read}}",
        f"{LEAST}, effect: REQUIRE_APPROVAL",
        f"{LEAST}, mode: monitor",
        f"{LEAST}, enabled: false",
        f"{LEAST}, message: other",
        f"{LEAST}, reason: OTHER",
        f"{LEAST}, effect: REQUIRE_APPROVAL, approval: {{timeout: 5m}}",
    ],
)
def test_a_limit_is_part_of_the_revision(change: str) -> None:
    """Whatever changes what a limit means changes the revision; its place in the file doesn't."""
    assert bundle_of(with_limit(change)).revision != bundle_of(with_limit(LEAST)).revision
    moved = "# moved\n" + with_limit(LEAST)
    assert bundle_of(moved).revision == bundle_of(with_limit(LEAST)).revision
