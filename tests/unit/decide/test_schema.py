"""What a policy file may say: every mistake is found, all at once, each at its place."""

from __future__ import annotations

import pytest

from gateway.decide.documents.reader import parse_duration, write_duration
from gateway.model.effect import ApprovalTerms, Effect, Escalation, Mode
from gateway.model.vocabulary import Vocabulary
from tests.support.policy_world import policies_of, policy_text, problems_of

GOOD = "- {id: a, priority: 1, effect: ALLOW}"


def rule(fields: str) -> str:
    return policy_text(f"- {{id: a, priority: 1, effect: ALLOW, {fields}}}")


def approval(fields: str) -> str:
    return policy_text(f"- {{id: a, priority: 1, effect: REQUIRE_APPROVAL, approval: {fields}}}")


TOP = {
    "no policy at all": ("just text", "p.yaml:1:1: a policy must be a map of fields"),
    "a list": ("- 1", "p.yaml:1:1: a policy must be a map of fields"),
    "an empty file": ("", "p.yaml: the file holds no policy"),
    "only a comment": ("# nothing", "p.yaml: the file holds no policy"),
    "an explicit nothing": ("null", "p.yaml: the file holds no policy"),
    "no YAML": ("a: [", "p.yaml:2:1: this is not YAML: did not find expected node content"),
    "a control character": ("a: \x07", "p.yaml: the file holds characters that YAML does not"),
    "an anchor": ("a: &x 1\nb: *x", "p.yaml:1:4: anchors and aliases are not allowed"),
    "an alias": ("a: *x", "p.yaml:1:4: anchors and aliases are not allowed"),
    "a tag": ("a: !!python/object:os.system 1", "p.yaml:1:4: tags are not allowed"),
    "a merge key": (policy_text(GOOD) + "<<: {a: 1}", "a policy has no field `<<`"),
    "a key that is a list": ("? [a]\n: 1", "p.yaml:1:3: a key must be text"),
    "nested without end": ("[" * 100_000, "p.yaml:1:17: the file is nested deeper than 16"),
    "nested by indentation": (
        "\n".join(" " * depth + "a:" for depth in range(500)),
        "p.yaml:17:17: the file is nested deeper than 16",
    ),
    "too long": ("#" * (8 * 1024 * 1024 + 1), "the file is longer than 8388608 characters"),
    "another version": (
        policy_text(GOOD).replace("checkrein/v1", "checkrein/v2"),
        "p.yaml:1:13: `apiVersion` can't be `checkrein/v2` (help: did you mean `checkrein/v1`?)",
    ),
    "another kind": (
        policy_text(GOOD).replace("Policy", "Mapper"),
        "`kind` can't be `Mapper` (help: there is `Baseline`, `Organisation`, `Policy`)",
    ),
    "no name": (policy_text(GOOD).replace("{name: p}", "{}"), "`metadata` needs `name`"),
    "a name that is a number": (
        policy_text(GOOD, name="7"),
        '`name` must be text (help: put quotes around it: "7")',
    ),
    "a name with capitals": (policy_text(GOOD, name="Pay"), "`name` must be 1 to 63 lower"),
    "a name that ends in a line feed": (policy_text(GOOD, name='"a\\n"'), "`name` must be 1 to 63"),
    "no spec": ("apiVersion: checkrein/v1\nkind: Policy\nmetadata: {name: p}", "needs `spec`"),
    "no rules": (policy_text("").replace("rules: []", ""), "`spec` needs `rules`"),
    "rules that are a map": (policy_text("").replace("[]", "{}"), "`rules` must be a list"),
    "an unknown key": (policy_text(GOOD) + "  rule: []\n", "did you mean `rules`?"),
    "a repeated key": (policy_text(GOOD) + "  mode: enforce\n", "`mode` stands here twice"),
    "an unknown mode": (policy_text(GOOD, mode="shadow"), "`mode` can't be `shadow`"),
    "an unknown default": (policy_text(GOOD, default="PASS"), "`defaultEffect` can't be `PASS`"),
    "an empty scope": (
        policy_text(GOOD).replace("mode:", "scope: {}\n  mode:"), "`scope` needs `agent`",
    ),
    "a scope of labels": (
        policy_text(GOOD).replace("mode:", "scope: {agent: a, labels: {}}\n  mode:"),
        "`scope` has no field `labels`",
    ),
    "a scope with a strange sign": (policy_text(GOOD, scope='"a?"'), "`?` has no meaning in `a?`"),
    "limits": (
        policy_text(GOOD) + "  limits: {}\n",
        "p.yaml:9:11: `limits` must be a list",
    ),
}  # fmt: skip

RULES = {
    "no map": (policy_text("- 5"), "p.yaml:8:7: a rule must be a map of fields"),
    "nothing in it": (policy_text("- {}"), "a rule needs `priority`"),
    "no id": (policy_text("- {priority: 1, effect: ALLOW}"), "a rule needs `id`"),
    "no effect": (policy_text("- {id: a, priority: 1}"), "a rule needs `effect`"),
    "a priority of a list": (policy_text("- {id: a, priority: [1], effect: ALLOW}"), "`priority`"),
    "a message of nothing": (rule("message: null"), "`message` must be text"),
    "enabled in a list": (rule("enabled: [true]"), "`enabled` must be `true` or `false`"),
    "an effect in a list": (policy_text("- {id: a, priority: 1, effect: [ALLOW]}"), "must be text"),
    "an id with spaces": (policy_text('- {id: "a b", priority: 1, effect: ALLOW}'), "`id` must be"),
    "an id twice": (policy_text(f"{GOOD}\n{GOOD}"), "the id `a` is taken by the rule in line 8"),
    "a priority of text": (policy_text("- {id: a, priority: high, effect: ALLOW}"), "`priority`"),
    "a priority below": (policy_text("- {id: a, priority: -1, effect: ALLOW}"), "from 0 to"),
    "a priority beyond": (policy_text("- {id: a, priority: 1000001, effect: ALLOW}"), "to 1000000"),
    "a priority of truth": (policy_text("- {id: a, priority: true, effect: ALLOW}"), "`priority`"),
    "grouped digits": (policy_text("- {id: a, priority: 1_0, effect: ALLOW}"), "`priority`"),
    "an unknown effect": (
        policy_text("- {id: a, priority: 1, effect: ALOW}"),
        "p.yaml:8:36: `effect` can't be `ALOW` (help: did you mean `ALLOW`?)",
    ),
    "an effect in lower case": (policy_text("- {id: a, priority: 1, effect: allow}"), "`effect`"),
    "an effect repeated": (rule("effect: BLOCK"), "`effect` stands here twice"),
    "enabled by word": (rule("enabled: yes"), "`enabled` must be `true` or `false`"),
    "a reason in lower case": (rule("reason: too_much"), "`reason` must be 1 to 64 capital"),
    "a reason of ours": (rule("reason: NO_POLICY"), "`NO_POLICY` is a reason of Checkrein itself"),
    "an empty message": (rule('message: ""'), "`message` must be one sentence"),
    "a long message": (rule(f"message: {'a' * 501}"), "of at most 500 characters"),
    "a message that steers a terminal": (rule('message: "a\\e[2Jb"'), "`message` must be one"),
    "a message that is a list": (rule("message: [a]"), "`message` must be text"),
    "match that is text": (rule("match: read"), "`match` must be a map of fields"),
    "an unknown field": (rule("match: {acton: x}"), "did you mean `action`?"),
    "a target in parts": (rule("match: {target: {type: x}}"), "`match` has no field `target`"),
    "an unknown kind": (rule("match: {kind: reed}"), "did you mean `read`?"),
    "a kind pattern that nothing fits": (rule("match: {kind: x*}"), "the kind `x*`"),
    "an empty list": (rule("match: {action: []}"), "`action` lists nothing"),
    "an empty text": (rule('match: {action: ""}'), "a pattern can't be empty"),
    "a map as a pattern": (rule("match: {action: {a: b}}"), "must be text or a list of texts"),
    "a list in a list": (rule("match: {action: [[a]]}"), "`action` must be text"),
    "a truth value as a pattern": (rule("match: {target.id: true}"), 'quotes around it: "true"'),
    "nothing as a pattern": (rule("match: {action: null}"), "`action` must be text"),
    "a class of characters": (rule('match: {action: "a[bc]"}'), "`[` has no meaning in `a[bc]`"),
    "a choice in braces": (rule('match: {action: "{a,b}"}'), "`{` has no meaning"),
    "an escape": (rule("match: {action: 'a\\*'}"), "`\\` has no meaning"),
    "too many patterns": (rule(f"match: {{action: [{'a,' * 1001}]}}"), "more than 1000 items"),
    "labels that are text": (rule("match: {labels: x}"), "`labels` must be a map"),
    "a label twice": (rule("match: {labels: {a: x, a: y}}"), "`a` stands here twice"),
    "a label without a pattern": (rule("match: {labels: {a: }}"), "label `a` must be text"),
    "reversible by word": (rule("match: {reversible: maybe}"), "`reversible` must be `true`"),
    "a condition of truth": (rule("when: true"), "`when` must be text"),
    "a condition that is a list": (rule("when: [a]"), "`when` must be text"),
    "a long value": (rule(f"reason: {'x' * 80}"), "`reason`"),
    "approval of an ALLOW": (rule("approval: {timeout: 5m}"), "where the effect is ALLOW"),
    "approval that is text": (approval("yes"), "`approval` must be a map of fields"),
    "an unknown term": (approval("{group: [a]}"), "did you mean `groups`?"),
    "a group with a space": (approval("{groups: [a b]}"), "a group must be 1 to 63 lower-case"),
    "a group as text": (approval("{groups: a}"), "`groups` must be a list"),
    "too many groups": (approval(f"{{groups: [{'a,' * 51}]}}"), "`groups` has more than 50 items"),
    "no answer": (approval("{quorum: 0}"), "`quorum` must be a whole number from 1 to 20"),
    "a crowd": (approval("{quorum: 21}"), "`quorum` must be a whole number from 1 to 20"),
    "words perhaps": (approval("{comment: yes}"), "`comment` can't be `yes`"),
    "an escalation to nobody": (approval("{escalate: {after: 5m}}"), "`escalate` needs `groups`"),
    "an escalation to no group": (
        approval("{escalate: {groups: []}}"), "`escalate` must name a group",
    ),
    "an escalation to who is asked": (
        approval("{groups: [a], escalate: {groups: [a, b]}}"), "`a` is asked from the beginning",
    ),
    "an escalation too late": (
        approval("{timeout: 5m, escalate: {after: 5m, groups: [a]}}"),
        "`after` is not before the question ends",
    ),
    "an escalation at once": (
        approval("{escalate: {after: 1s, groups: [a]}}"), "`after` must be from 10 seconds",
    ),
    "a requester that is a number": (approval("{requester: 5}"), "`requester` must be text"),
    "a requester of nothing": (
        approval('{requester: ""}'), "`requester` must be the name of a label",
    ),
    "a witness perhaps": (approval("{witness: maybe}"), "`witness` can't be `maybe`"),
    "a duration of words": (approval("{timeout: soon}"), "`timeout` must be a duration"),
    "a duration of nothing": (approval('{timeout: ""}'), "`timeout` must be a duration"),
    "a bare number": (approval("{timeout: 30}"), "`timeout` must be a duration"),
    "a duration in a list": (approval("{timeout: [30m]}"), "`timeout` must be a duration"),
    "too short": (approval("{timeout: 9s}"), "`timeout` must be from 10 seconds to 7 days"),
    "too long": (approval("{timeout: 7d1s}"), "`timeout` must be from 10 seconds to 7 days"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [*TOP.values(), *RULES.values()], ids=[*TOP, *RULES])
def test_what_a_policy_may_not_say(text: str, message: str) -> None:
    """Refused, with a sentence that says where and what."""
    found = [str(problem) for problem in problems_of(text)]
    assert any(message in problem for problem in found), found


def test_all_problems_are_found_at_once() -> None:
    """One reading finds everything, also inside conditions, each at its own place."""
    text = policy_text(
        """
        - id: a
          priority: first
          match: {kind: reed}
          when: params.amount > 50_000
          effect: ALLOW
        - id: b
          priority: 1
          when: |
            params.amount > 5 &&
              agent.id == 5 ||
              parms.x == 1
          effect: DENNY
        """
    )
    assert [(each.line, each.column) for each in problems_of(text)] == [
        (9, 17), (10, 21), (11, 29), (17, 11), (18, 11), (19, 15),
    ]  # fmt: skip


PLACES = {
    "plain": ("when: action = 1", 20),
    "in single quotes": ("when: 'action == \"it''s\" = 1'", 32),
    "in double quotes": (r'when: "action == \"a\" = 1"', 30),
    "behind escapes": (r'when: "\x61ction == \u0022a\U00000022 \t = 1"', 48),
}


@pytest.mark.parametrize(("line", "column"), PLACES.values(), ids=PLACES.keys())
def test_places_inside_quoted_conditions(line: str, column: int) -> None:
    """The column is that of the character in the file, whatever quotes and escapes lie before."""
    text = policy_text(f"- id: a\n  priority: 1\n  effect: ALLOW\n  {line}")
    (problem,) = problems_of(text)
    assert "unexpected `=`" in problem.message
    written = text.splitlines()[problem.line - 1]
    assert (written[problem.column - 1], problem.column) == ("=", column)


@pytest.mark.parametrize("style", ["|", ">", "|-", "|2-"])
def test_places_inside_blocks(style: str) -> None:
    """Folded and literal blocks keep their places."""
    indent = "    " if "2" in style else "  "
    lines = [f"when: {style}", f"{indent}action ==", f'{indent}"a" ||   =', ""]
    text = policy_text("- id: a\n  priority: 1\n  effect: ALLOW\n  " + "\n  ".join(lines))
    (problem,) = problems_of(text)
    assert text.splitlines()[problem.line - 1][problem.column - 1] == "="


def test_a_place_at_the_end_of_a_folded_condition() -> None:
    """What is missing at the end is shown at the end, not beyond it."""
    text = policy_text('- {id: a, priority: 1, effect: ALLOW, when: "action ==\n\n   "}')
    (problem,) = problems_of(text)
    assert "the condition ends" in problem.message
    assert (problem.line, problem.column) == (10, 8)


def test_everything_a_rule_can_say() -> None:
    """The whole schema, once."""
    (policy,) = policies_of(
        policy_text(
            r"""
            - id: a.b-c_1
              priority: 0
              match:
                action: [create_refund, "create_*"]
                target.id: 123
                labels: {team: [x, y]}
                reversible: false
              when: params.amount > 5
              effect: REQUIRE_APPROVAL
              reason: R_1
              message: >
                two
                lines
              approval: {groups: [], quorum: 1, timeout: 1d2h3m4s, witness: none}
              enabled: false
            - {id: d, priority: 1000000, effect: DENY}
            """,
            scope="[billing-*, a]",
            mode="monitor",
            default="REQUIRE_APPROVAL",
        )
    )
    first, second = policy.rules
    assert (policy.name, policy.mode) == ("p", Mode.MONITOR)
    assert policy.default_effect is Effect.REQUIRE_APPROVAL
    assert policy.applies_to("billing-1")
    assert not policy.applies_to("b")
    assert first.terms == ApprovalTerms(timeout_seconds=86_400 + 2 * 3_600 + 3 * 60 + 4)
    assert (first.reason, first.message, first.enabled) == ("R_1", "two lines", False)
    assert [str(pattern) for _, pattern in first.match.fields] == [
        "`create_*` or `create_refund`", "`123`",
    ]  # fmt: skip
    assert first.match.labels[0][1].texts == ("x", "y")
    assert first.match.reversible is False
    assert second.effect is Effect.BLOCK
    assert (second.reason, second.terms, second.enabled) == ("RULE_D", None, True)
    assert second.message == "rule `d` of policy `p` is about this action"
    assert second.place.line == 24


def test_the_terms_of_an_approval() -> None:
    """Groups in order and each once, the number of people, the time, the witness."""
    terms = "{groups: [b, a, b], quorum: 2, timeout: 90s, witness: required}"
    (policy,) = policies_of(approval(terms))
    assert policy.rules[0].terms == ApprovalTerms(("a", "b"), 2, 90, True)
    further = "comment: required, requester: owner, escalate: {after: 5m, groups: [c, a]}"
    (policy,) = policies_of(approval(f"{{groups: [b], {further}}}"))
    assert policy.rules[0].terms == ApprovalTerms(
        ("b",),
        comment_required=True,
        escalation=Escalation(("a", "c"), 300),
        requester_labels=("owner",),
    )
    (plain,) = policies_of(approval("{witness: none}"))
    assert plain.rules[0].terms == ApprovalTerms()


def test_an_approval_has_terms_without_being_asked() -> None:
    """REQUIRE_APPROVAL without `approval` stands for half an hour."""
    for fields in ("", ", approval: {}"):
        text = policy_text(f"- {{id: a, priority: 1, effect: REQUIRE_APPROVAL{fields}}}")
        assert policies_of(text)[0].rules[0].terms == ApprovalTerms(timeout_seconds=1800)


def test_words_that_are_truth_elsewhere_are_words() -> None:
    """`no`, `on` and `1_0` are text, so that a label of Norway is one."""
    (policy,) = policies_of(rule("match: {labels: {country: no, switch: on, n: 1_0}}"))
    assert [pattern.texts for _, pattern in policy.rules[0].match.labels] == [
        ("no",), ("1_0",), ("on",),
    ]  # fmt: skip


VOCABULARY = Vocabulary(frozenset({"create_refund"}), frozenset({"s.r"}), frozenset({"stripe"}))


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ("{action: create_refnd}", "no mapper makes the action `create_refnd`"),
        ("{action: [create_refund, delete_*]}", "no mapper makes the action `delete_*`"),
        ("{operation: s.x}", "no mapper makes the operation `s.x`"),
        ("{provider: strip}", "no mapper makes the provider `strip` (help: did you mean"),
        ("{provider: qqq}", "no mapper makes the provider `qqq` (help: there is `stripe`, `unknow"),
    ],
)
def test_names_are_held_against_the_mappers(match: str, message: str) -> None:
    """With a vocabulary, a rule that could never fire is a mistake."""
    text = rule(f"match: {match}")
    assert problems_of(text) == []
    assert [message in str(problem) for problem in problems_of(text, VOCABULARY)] == [True]


def test_names_that_mappers_make_are_good() -> None:
    """Exact names and patterns that fit one; what no mapper knows; free names."""
    text = rule('match: {action: ["create_*", unknown], provider: stripe, agent: x, target.id: y}')
    assert problems_of(text, VOCABULARY) == []


def test_equal_conditions_are_compiled_once() -> None:
    """Ten thousand rules with one condition hold one function."""
    text = policy_text(
        "\n".join(
            f"- {{id: r{n}, priority: 1, effect: ALLOW, when: risk.score > 5}}" for n in (1, 2)
        )
    )
    first, second = policies_of(text)[0].rules
    assert first.condition is second.condition


@pytest.mark.parametrize("text", ["10s", "1h30m", "7d", "1d2h3m4s", "0s"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    """Seconds come out as the same text that they were read from."""
    seconds = parse_duration(text)
    assert seconds is not None
    assert write_duration(seconds) == text
