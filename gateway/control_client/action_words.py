"""An action in words, for the person who answers: `refund 90.00 USD of charge ch_1 to customer
cus_9`. Pure. What an agent wrote gets in only redacted, on one line, and cut.

Only what is known is put into words: an amount in a currency whose smallest unit is in doubt is
shown as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.model.action import Action, Canonical
from gateway.model.codec import JsonValue
from gateway.model.money import AMOUNT, CURRENCY, money_text
from gateway.record.line import params_shown, target_id_shown
from gateway.record.redact import redact_text

SUMMARY_CHARS_MAX: Final = 400
SUMMARY_PARAMS_MAX: Final = 8
SUMMARY_ACTIONS_MAX: Final = 5
TEXT_CHARS_MAX: Final = 80

CUSTOMER: Final = "customer"


class _Phrase(NamedTuple):
    """`verb 90.00 USD before_target charge ch_1`; without an amount `verb charge ch_1`, unless
    something stands between. `is_of_target`: the money is what the target is about, so that its
    currency and its customer are those of the act."""

    verb: str
    before_target: str
    before_bare_target: str = ""
    is_of_target: bool = False


_OF_MONEY: Final[Mapping[str, _Phrase]] = {
    "create_refund": _Phrase("refund", "of", is_of_target=True),
    "create_charge": _Phrase("charge", "to"),
    "capture_charge": _Phrase("capture", "of", is_of_target=True),
    "capture_payment_intent": _Phrase("capture", "of", is_of_target=True),
    "create_payment_intent": _Phrase("take a payment of", "from", "from"),
    "create_payout": _Phrase("pay out", "to", "to"),
    "create_transfer": _Phrase("transfer", "to", "to"),
    "reverse_transfer": _Phrase("reverse", "of", is_of_target=True),
}
"""Acts that are about an amount."""

_BEFORE_TARGET: Final[Mapping[str, str]] = {
    "send": "to", "post": "to", "add": "to", "invite": "to", "attach": "to", "grant": "to",
    "remove": "from", "kick": "from", "detach": "from", "revoke": "from",
}  # fmt: skip
"""By verb, where the action names another thing than its target: `send message to channel C1`."""


Seen = Mapping[str, JsonValue]
"""A target's state as it may be shown: the fields of a witness, redacted."""

_NOTHING_SEEN: Final[Seen] = {}


def summary_text(canonical: Canonical, seen: Seen = _NOTHING_SEEN) -> str:
    """What is asked, for a person; of a batch the first ones, and how many more there are. `seen`
    says what the request leaves to its target: the currency of a refund, and whose money it is."""
    if len(canonical.actions) > 1:
        seen = _NOTHING_SEEN
    shown = [action_text(action, seen) for action in canonical.actions[:SUMMARY_ACTIONS_MAX]]
    beyond = len(canonical.actions) - len(shown)
    text = "; ".join(shown) + (f"; and {beyond} more" if beyond else "")
    cut = text if len(text) <= SUMMARY_CHARS_MAX else text[: SUMMARY_CHARS_MAX - 1] + "…"
    return "".join(char if char.isprintable() else "�" for char in cut)


def action_text(action: Action, seen: Seen = _NOTHING_SEEN) -> str:
    """One act, with the params that its words don't say in parentheses."""
    params = params_shown(action)
    phrase = _OF_MONEY.get(action.action)
    words = _plain_words(action) if phrase is None else _money_words(action, phrase, params, seen)
    return words + _rest(params)


def _money_words(action: Action, phrase: _Phrase, params: dict[str, JsonValue], seen: Seen) -> str:
    """Takes out of `params` what it says."""
    target = _target(action)
    known = {**seen, **params} if phrase.is_of_target else params
    amount, currency, customer = params.get(AMOUNT), known.get(CURRENCY), known.get(CUSTOMER)
    words = phrase.verb.removesuffix(" of")
    if type(amount) is int and isinstance(currency, str):
        del params[AMOUNT]
        params.pop(CURRENCY, None)
        words = f"{phrase.verb} {money_text(amount, currency, action.provider)}"
        words += f" {phrase.before_target} {target}" if target else ""
    elif target:
        words += f" {phrase.before_bare_target}".rstrip() + f" {target}"
    if AMOUNT in action.unreadable:
        words += ", of an amount that can't be read"
    if isinstance(customer, str) and customer:
        params.pop(CUSTOMER, None)
        is_target = action.target.type == CUSTOMER and action.target.id == customer
        words += "" if is_target else f" to customer {_cut(customer)}"
    return words


def _plain_words(action: Action) -> str:
    name = redact_text(action.action)
    verb, _, thing = name.partition("_")
    target = _target(action)
    words = name.replace("_", " ")
    if not target:
        return words
    if thing == action.target.type:
        return f"{verb} {target}"
    return f"{words} {_BEFORE_TARGET.get(verb, 'of')} {target}"


def _target(action: Action) -> str:
    """`pull request 12`; empty where the request names none."""
    target = action.target
    if not target.id:
        return ""
    return f"{redact_text(target.type).replace('_', ' ')} {target_id_shown(action)}".strip()


def _rest(params: Mapping[str, JsonValue]) -> str:
    pieces = [
        f"{name} {_value_text(value)}" for name, value in list(params.items())[:SUMMARY_PARAMS_MAX]
    ]
    if len(params) > SUMMARY_PARAMS_MAX:
        pieces.append("…")
    return f" ({', '.join(pieces)})" if pieces else ""


def _value_text(value: JsonValue) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case str():
            return _cut(value)
        case int():
            return str(value)
        case Mapping():
            return f"{{{len(value)} fields}}"
        case _:
            return f"[{len(value)} items]"


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"
