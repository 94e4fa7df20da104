"""One answer for a while: what a grant may cover, how it ends, and the terms that a person sets.

A grant is given with a yes to one question, and covers later questions that say the same of their
act. What can't be compared is asked of people each time, so everything here refuses in doubt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.model.action import UNKNOWN_OPERATION, Kind
from gateway.model.codec import INTEGER_MAX, JsonValue, canonical_json
from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError
from gateway.model.money import AMOUNT, CURRENCY

SECONDS_MAX: Final = 24 * 3600
"""A yes that holds for longer than a day is a rule, and belongs into a policy."""
SECONDS_USUAL: Final = 1800
USES_MIN: Final = 2
"""The act that was asked about is the first use; a grant of one would be no grant."""
USES_MAX: Final = 1_000
USES_USUAL: Final = 10
RISK_MAX: Final = 69
"""What is riskier than this is looked at by a person each time."""
RISK_BEYOND: Final = 5
"""How much riskier than the act that was approved the next ones may usually be."""

BATCH: Final = "actions"
"""The param under which a question shows a batch; see `control_client.approvals`."""

PARAM_COUNT_MAX: Final = 100
SHORT_CHARS_MAX: Final = 128
_IRREVERSIBLE: Final = "operation.irreversible"
"""The risk factor that says of an act that it can't be undone."""
_MARKS: Final = ("[redacted", "…", "\ufffd", "(integer beyond")
"""Stand where the real text does not: two texts with one of them may be of different things."""
_ANY_TARGET_KINDS: Final = frozenset({Kind.READ, Kind.CREATE, Kind.UPDATE})
_SAME_ACT_KINDS: Final = frozenset({Kind.DELETE, Kind.EXECUTE, Kind.ADMIN})
"""Of these the params say what is done, and any of them may be the one that matters."""
RECIPIENTS: Final = "recipients"
"""The param in which mappers put whom something is sent to."""


class GrantState(StrEnum):
    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class GrantEvent(StrEnum):
    REVOKE = "REVOKE"
    EXPIRE = "EXPIRE"


LEGAL_MOVES: Mapping[GrantState, Mapping[GrantEvent, GrantState]] = {
    GrantState.ACTIVE: {
        GrantEvent.REVOKE: GrantState.REVOKED,
        GrantEvent.EXPIRE: GrantState.EXPIRED,
    },
    GrantState.REVOKED: {},
    GrantState.EXPIRED: {},
}
"""What is not in this table can't happen. A grant that is used up stays ACTIVE until its end: a use
that came to nothing is given back."""


class GrantError(CheckreinError):
    """A grant on these terms can't be given with this answer."""


@dataclass(frozen=True, slots=True)
class AmountWish:
    """Up to `amount_max` in all, in minor units of `currency`; None where the act names none."""

    param: str
    currency: str | None
    amount_max: int


@dataclass(frozen=True, slots=True)
class GrantWish:
    """What a person asks for with their yes; None leaves it to the usual."""

    seconds: int = SECONDS_USUAL
    uses: int = USES_USUAL
    this_run: bool = False
    same_target: bool | None = None
    risk_max: int | None = None
    amount: AmountWish | None = None


@dataclass(frozen=True, slots=True)
class AmountTerms:
    """`first` is what the act that was asked about takes of `amount_max`; `each_max` bounds every
    single use, None where only their sum is bounded."""

    param: str
    currency: str | None
    amount_max: int
    each_max: int | None
    first: int


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """The same with nothing left open. `same_act`: it covers repetitions of the very same act;
    `recipients` is the digest of whom it is sent to, which is never another one."""

    seconds: int
    uses: int
    this_run: bool
    same_target: bool
    risk_max: int
    amount: AmountTerms | None
    same_act: bool = False
    recipients: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What of a question is held against grants. `amounts` has every param by name; None for those
    that are no whole number from 0 on. `recipients` is a digest, empty where none are named."""

    risk_score: int
    amounts: Mapping[str, int | None]
    currency: str | None
    recipients: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The act that a question is about, as the question says it."""

    operation: str
    action: str
    kind: Kind
    target_id: str
    run_id: str | None
    params: JsonValue
    risk: JsonValue


def claim_of(subject: Subject) -> Claim | None:
    """What a question claims of a grant; None where none can cover it: a batch, an act that no
    mapper knows, params or a risk that can't be read."""
    params, risk = subject.params, subject.risk
    if not isinstance(params, Mapping) or not isinstance(risk, Mapping):
        return None
    score = risk.get("score")
    is_readable = (
        type(score) is int
        and BATCH not in params
        and len(params) <= PARAM_COUNT_MAX
        and subject.kind is not Kind.UNKNOWN
        and UNKNOWN_OPERATION not in (subject.operation, subject.action)
        and all(map(_is_plain, (subject.operation, subject.action, *params)))
    )
    if not is_readable:
        return None
    assert type(score) is int
    currency = params.get(CURRENCY)
    if currency is not None and not (isinstance(currency, str) and _is_plain(currency)):
        return None
    amounts = {
        name: value if type(value) is int and 0 <= value <= INTEGER_MAX else None
        for name, value in params.items()
    }
    recipients = _recipients(params)
    if recipients is None:
        return None
    return Claim(score, amounts, None if currency is None else currency.lower(), recipients)


def terms_of(wish: GrantWish, subject: Subject) -> GrantTerms:
    """The terms of a grant that is given with a yes to this question.

    Raises:
        GrantError: it would cover what the question did not say.
    """
    claim = claim_of(subject)
    if claim is None:
        raise _error(
            "uncomparable", "this act can't be compared with others; answer each by itself"
        )
    if claim.risk_score > RISK_MAX:
        raise _error(
            "too_risky",
            f"its risk is {claim.risk_score}, and above {RISK_MAX} each act is answered by itself",
        )
    risk_max = wish.risk_max
    if risk_max is None:
        risk_max = min(claim.risk_score + RISK_BEYOND, RISK_MAX)
    if risk_max < claim.risk_score:
        raise _error("too_risky", f"this act has a risk of {claim.risk_score} already")
    if wish.this_run and not _is_plain(subject.run_id or ""):
        raise _error("no_run", "this act is of no run that its name tells from others")
    return GrantTerms(
        wish.seconds,
        wish.uses,
        wish.this_run,
        _same_target(wish, subject),
        risk_max,
        _amount(wish, claim),
        subject.kind in _SAME_ACT_KINDS,
        claim.recipients,
    )


def _same_target(wish: GrantWish, subject: Subject) -> bool:
    is_fixed = subject.kind not in _ANY_TARGET_KINDS or _is_irreversible(subject.risk)
    if is_fixed and wish.same_target is False:
        raise _error(
            "other_targets",
            "what can't be undone, deletes, sends, runs or administers is granted for one target",
        )
    same_target = is_fixed or bool(wish.same_target)
    is_named = _is_plain(subject.target_id) or (
        # The very same act is of the same target, and mail is as good as named by its recipients.
        not subject.target_id
        and (subject.kind in _SAME_ACT_KINDS or bool(_params(subject).get(RECIPIENTS)))
    )
    if same_target and not is_named:
        raise _error("no_target", "the act names no target that another one could be held against")
    return same_target


def _params(subject: Subject) -> Mapping[str, JsonValue]:
    return subject.params if isinstance(subject.params, Mapping) else {}


def _recipients(params: Mapping[str, JsonValue]) -> str | None:
    """Digest of whom it is sent to; empty where it names nobody, None where not all are shown."""
    named = params.get(RECIPIENTS)
    if not named:
        return ""
    text = canonical_json(named)
    if any(mark in text.decode() for mark in _MARKS):
        return None
    return hashlib.sha256(text).hexdigest()


def _amount(wish: GrantWish, claim: Claim) -> AmountTerms | None:
    """The amount that is bounded. Where nobody says how much, no use may be more than the one that
    was asked about."""
    wanted = wish.amount
    if wanted is None:
        if AMOUNT not in claim.amounts:
            return None
        first = claim.amounts[AMOUNT]
        if first is None:
            raise _error("no_amount", f"`{AMOUNT}` of this act is no whole number of minor units")
        return AmountTerms(AMOUNT, claim.currency, first * wish.uses, first, first)
    first = claim.amounts.get(wanted.param)
    if first is None:
        raise _error("no_amount", f"this act has no whole number as `{wanted.param}`")
    currency = None if wanted.currency is None else wanted.currency.lower()
    if currency != claim.currency:
        named = "no currency" if claim.currency is None else f"the currency `{claim.currency}`"
        raise _error("other_currency", f"this act names {named}")
    if wanted.param != AMOUNT and AMOUNT in claim.amounts:
        raise _error("no_amount", f"this act has an `{AMOUNT}`, which is what has to be bounded")
    if first > wanted.amount_max:
        raise _error("too_little", f"this act alone takes {first} of {wanted.amount_max}")
    return AmountTerms(wanted.param, currency, wanted.amount_max, None, first)


def _is_irreversible(risk: JsonValue) -> bool:
    """Whether the act can't be undone; also where that can't be told."""
    factors = risk.get("factors") if isinstance(risk, Mapping) else None
    if not isinstance(factors, list | tuple):
        return True
    return any(
        not isinstance(factor, Mapping) or factor.get("name") == _IRREVERSIBLE for factor in factors
    )


def _is_plain(text: str) -> bool:
    """Whether a text stands for itself: whole, printable, without a mark of what was left out."""
    return (
        0 < len(text) <= SHORT_CHARS_MAX
        and text.isprintable()
        and not any(mark in text for mark in _MARKS)
    )


def _error(code: str, message: str) -> GrantError:
    return GrantError(f"grant.{code}", message)
