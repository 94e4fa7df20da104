"""What a line carries for a replay: written where there is something, and nothing secret in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.model.action import ParamValue
from gateway.model.decision import Context, Watched
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim, LimitReading
from gateway.model.record import DecisionEntry
from gateway.record.chain import ZERO_HASH, seal
from gateway.record.line import fields_of
from tests.support.entries import AT, a_decision, an_action, an_intent

CLAIM = LimitClaim(
    "payments/budget", "agent:billing-bot", 9000, 50_000, 0, 86_400, Effect.BLOCK, Mode.ENFORCE,
    "REFUND_BUDGET", "the budget is used up",
)  # fmt: skip


def line_of(entry: DecisionEntry) -> Any:
    return fields_of(entry)


def of_action(params: Mapping[str, ParamValue], target_id: str = "ch_1") -> Any:
    return line_of(an_intent(action=an_action(params, target_id)))["actions"][0]


def test_a_common_line_carries_its_moment_and_nothing_else() -> None:
    """What is not there is not written: a line is read a million times."""
    line = line_of(an_intent())
    assert line["context"] == {"now": AT}
    assert not line.keys() & {"unresolved", "watched", "limits", "obligations", "actions_total"}
    assert not line["actions"][0].keys() & {"altered", "sensitive", "unreadable", "provider"}


def test_a_line_carries_what_it_was_decided_with() -> None:
    """Labels, environment, the state of the run."""
    context = Context("a", "r", 5, {"team": "pay"}, "production", "running")
    assert line_of(replace(an_intent(), context=context))["context"] == {
        "now": 5, "labels": {"team": "pay"}, "environment": "production", "run_state": "running",
    }  # fmt: skip


def test_a_line_carries_what_was_watched_and_counted() -> None:
    """Rules in monitor mode, readings of limits, obligations, the field that was not read."""
    decision = replace(
        a_decision(),
        unresolved="params.amount",
        watched=(Watched("payments", "ask", Effect.REQUIRE_APPROVAL, "ASK"),),
        claims=(CLAIM,),
        readings=(LimitReading(CLAIM, 45_000, True),),
    )
    line = line_of(replace(an_intent(), decision=decision))
    assert line["unresolved"] == "params.amount"
    assert line["watched"] == [
        {"policy": "payments", "rule": "ask", "effect": "REQUIRE_APPROVAL", "reason_code": "ASK"}
    ]
    assert line["limits"] == [
        {
            "limit": "payments/budget", "key": "agent:billing-bot", "used": 45_000,
            "amount": 9000, "max": 50_000, "exceeded": True,
        }
    ]  # fmt: skip
    assert line["obligations"] == ["limit:payments/budget"]
    assert seal(line, "gw", 1, ZERO_HASH).line.startswith(b'{"actions":')


ALTERED: dict[str, tuple[Mapping[str, ParamValue], list[str] | None]] = {
    "what is shown as it is": ({"a": 1, "b": [1, "x"], "c": {"d": None}}, None),
    "a secret by its name": ({"a": 1, "password": "x"}, ["params.password"]),
    "a secret by its shape": ({"note": "key sk_live_abcdefgh"}, ["params.note"]),
    "a long text": ({"note": "x" * 600}, ["params.note"]),
    "a number that JSON readers would round": ({"n": 2**60}, ["params.n"]),
    "a long list": ({"l": list(range(40))}, ["params.l"]),
    "a secret deep inside": ({"o": {"p": {"token": "x"}}}, ["params.o"]),
    "more params than are spelt out": ({f"p{n}": n for n in range(40)}, ["params"]),
    "text that is not Unicode": ({"t": "\ud800"}, ["params.t"]),
}


@pytest.mark.parametrize(("params", "altered"), ALTERED.values(), ids=ALTERED.keys())
def test_a_line_says_what_it_does_not_show(
    params: Mapping[str, ParamValue], altered: list[str] | None
) -> None:
    """So that a replay knows what it can't know."""
    assert of_action(params).get("altered") == altered


def test_an_altered_target_and_labels_are_named() -> None:
    """The same for what stands beside the params."""
    assert of_action({}, "sk_live_abcdefgh")["altered"] == ["target.id"]
    context = Context("a", None, 5, {"token": "x", "team": "pay"})
    line = line_of(replace(an_intent(), context=context))
    assert line["context"]["altered"] == ["labels.token"]
    assert line["context"]["labels"] == {"token": "[redacted]", "team": "pay"}


def test_many_actions_are_counted() -> None:
    """A line spells out some of them, and says how many there were."""
    entry = an_intent()
    canonical = replace(entry.canonical, actions=entry.canonical.actions * 40)
    line = line_of(replace(entry, canonical=canonical))
    assert (len(line["actions"]), line["actions_total"]) == (32, 40)


def test_an_action_of_another_provider_names_it() -> None:
    """In a batch that reaches several."""
    entry = an_intent()
    other = replace(entry.canonical.actions[0], provider="paypal", sensitive="credentials")
    line = line_of(replace(entry, canonical=replace(entry.canonical, actions=(other,))))
    assert line["actions"][0]["provider"] == "paypal"
    assert line["actions"][0]["sensitive"] == "credentials"
