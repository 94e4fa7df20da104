"""What generated functions say of a condition: as a rule that allows reads it, and as one that
blocks does."""

from __future__ import annotations

from collections.abc import Callable

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.syntax import Node
from gateway.decide.rules.groups import compile_groups
from gateway.decide.rules.policy import Condition, Match, Place, Rule
from gateway.model.action import Action
from gateway.model.decision import Context
from gateway.model.effect import Effect

UNTOLD = "can't be told"

Answer = Callable[[Action, Context, Assessment], "bool | str"]

_NOTHING = 2


def compiled(node: Node) -> Answer:
    """The function that says True, False or UNTOLD of a condition, from both generated forms."""
    condition = Condition("", node)
    groups = [[(0, _rule(condition, effect))] for effect in (Effect.ALLOW, Effect.BLOCK)]
    allows, blocks = compile_groups(groups, _NOTHING)

    def answer(action: Action, context: Context, assessed: Assessment) -> bool | str:
        is_certain = allows(action.params, action, context, assessed) == 0
        code = blocks(action.params, action, context, assessed)
        assert not is_certain or code != _NOTHING, "what is true is not false"
        assert code != 0 or is_certain, "what was read through is true"
        if is_certain:
            return True
        return False if code == _NOTHING else UNTOLD

    return answer


def _rule(condition: Condition, effect: Effect) -> Rule:
    return Rule("r", 0, Match(), condition, effect, "R", "", None, True, Place("", 0, 0))
