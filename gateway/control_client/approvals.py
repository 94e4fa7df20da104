"""Approvals at the control plane: what is asked of a person, and what came back (`ApprovalDesk`).

Only redacted params leave the gateway. An answer is believed only where it is about the question
that was asked: same digest, a state that fits. Whatever else comes back is an `ApprovalError`,
and the action stays refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from types import NoneType
from typing import Any, Final

import orjson

from gateway.control_client.action_words import summary_text
from gateway.control_client.answers import AnswerFeed
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.raw_request import raw_request_json
from gateway.control_client.retry import call_until, pauses
from gateway.control_client.settings import ControlSettings
from gateway.control_client.turns import Turns
from gateway.model.approval import Approval, ApprovalState, Witness
from gateway.model.decision import ReasonCode
from gateway.model.effect import ApprovalTerms, Escalation
from gateway.model.errors import ApprovalError, ControlPlaneError
from gateway.model.moment import micros_of
from gateway.ports import ApprovalAsk, Clock
from gateway.process.tasks import wait_at_most
from gateway.record.line import (
    action_json,
    actions_json,
    risk_json,
    target_id_shown,
    target_shown,
)
from gateway.record.redact import redact_params, redact_text

LOOK_SECONDS_MAX: Final = 20.0
"""How long a request that is told of its answer waits before it looks by itself: for the case that
it is told nothing."""

LOOKS_PER_SECOND_MAX: Final = 10
"""Of all that are held here: where they are many, each looks less often."""

ASKING_MAX: Final = 8
LOOKING_MAX: Final = 8
"""Questions and looks at a time: together somewhat more than a control plane's database
connections. They are apart, so that nobody who was answered waits behind those who ask."""

ASKED_MAX: Final = 64
"""Open approvals that are remembered from the question to the wait, which follows at once."""

SHORT_CHARS_MAX: Final = 200
_SHOWN: Final = (
    "agent", "provider", "operation", "action", "kind", "target", "params", "authority", "method",
    "path", "summary",
)  # fmt: skip
"""What a person agrees to. A question that was asked before, perhaps by somebody with a stolen key,
must have said the same of the action."""


class ControlPlaneDesk:
    """The real `ApprovalDesk`."""

    def __init__(self, client: ControlPlaneClient, settings: ControlSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._answers = AnswerFeed(client, settings)
        self._asked: dict[str, tuple[Approval, float]] = {}
        self._asking, self._looking = Turns(ASKING_MAX), Turns(LOOKING_MAX)

    async def close(self) -> None:
        """Stop following what is answered."""
        await self._answers.close()

    async def ask(self, ask: ApprovalAsk) -> Approval:
        """See `ApprovalDesk.ask`. A lost reply is asked for again: the second asking joins."""
        question = question_json(ask)
        try:
            async with self._asking.take(ask.until - self._clock.monotonic()):
                asked_at = asyncio.get_running_loop().time()
                deadline = self._clock.monotonic() + self._settings.ask_seconds_max
                answer = await call_until(
                    deadline, self._clock.monotonic, lambda: self._client.ask_approval(question)
                )
        except ControlPlaneError as error:
            raise _unavailable(error) from error
        approval = _checked(answer, digest=ask.digest)
        # Its words may tell what its target was like then, as long as it shows that too.
        question["summary"] = summary_text(ask.canonical, _shown_state(answer))
        if not _says_the_same(answer, question):
            await self.void(approval.approval_id, ReasonCode.APPROVAL_TERMS_CHANGED)
            raise ApprovalError(
                "approval.other_words",
                "a person was asked about this action in other words; send it again to ask anew",
            )
        self._note_asked(approval, asked_at)
        return approval

    def _note_asked(self, approval: Approval, asked_at: float) -> None:
        """Remember for a moment what was open when it was asked, for the wait that follows."""
        self._asked.pop(approval.approval_id, None)
        self._asked[approval.approval_id] = approval, asked_at
        while len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]

    def _seen_open(self, approval_id: str) -> Approval | None:
        """An approval as it was asked for, where it is known to be so still: then nobody needs to
        look."""
        asked = self._asked.pop(approval_id, None)
        if asked is None or not self._answers.is_open_since(approval_id, asked[1]):
            return None
        return asked[0]

    async def wait(self, approval_id: str, seconds_max: float) -> Approval:
        """See `ApprovalDesk.wait`. An outage shorter than the wait is only a longer wait."""
        now = self._clock.monotonic
        deadline = now() + seconds_max
        with self._answers.watch(approval_id) as answered:
            seen = self._seen_open(approval_id)
            while True:
                is_told = self._answers.is_asking
                if seen is None:
                    answered.clear()
                    seen = await self._poll(approval_id, deadline, 0 if is_told else None)
                approval, seen = seen, None
                left = deadline - now()
                if approval.state is not ApprovalState.PENDING or left <= 0:
                    return approval
                if is_told:
                    look_seconds = max(LOOK_SECONDS_MAX, self._answers.count / LOOKS_PER_SECOND_MAX)
                    is_woken = await wait_at_most(answered, min(left, look_seconds))
                    if not is_woken and self._answers.is_live and now() >= deadline:
                        return approval  # as it was: INVARIANT(no-gap) of the feed

    async def _poll(
        self, approval_id: str, deadline: float, wait_seconds_max: float | None = None
    ) -> Approval:
        """One long poll (no longer than `wait_seconds_max`), made again while the control plane is
        gone and there is time."""
        now, settings = self._clock.monotonic, self._settings
        for pause in pauses(settings.wait_retry_seconds_max):
            left = deadline - now()
            try:
                async with asyncio.timeout(max(left, 0.0) + settings.control_seconds_max):
                    wait_seconds = min(left, settings.long_poll_seconds)
                    if wait_seconds_max is not None:
                        wait_seconds = min(wait_seconds, wait_seconds_max)
                    answer = await self._fetch(
                        approval_id, wait_seconds, max(left, settings.control_seconds_max)
                    )
                return _checked(answer, approval_id=approval_id)
            except TimeoutError as error:
                raise ApprovalError(
                    "approval.unavailable", "the control plane did not answer in time"
                ) from error
            except ControlPlaneError as error:
                if not error.retryable or now() + pause >= deadline:
                    raise _unavailable(error) from error
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _fetch(
        self, approval_id: str, wait_seconds: float, seconds_max: float
    ) -> Mapping[str, Any]:
        """A long poll, or a look in its turn, for which it waits no longer than `seconds_max`."""
        if wait_seconds > 0:
            return await self._client.fetch_approval(approval_id, wait_seconds)
        async with self._looking.take(seconds_max):
            return await self._client.fetch_approval(approval_id)

    async def consume(self, approval_id: str, digest: str, claim_id: str) -> Approval | None:
        """See `ApprovalDesk.consume`. A lost reply is asked for again with the same claim."""
        # In no line: it follows a look, which was, and what was judged just now must not grow old.
        deadline = self._clock.monotonic() + self._settings.consume_seconds_max
        try:
            answer = await call_until(
                deadline,
                self._clock.monotonic,
                lambda: self._client.consume_approval(approval_id, digest, claim_id),
            )
        except ControlPlaneError as error:
            raise _unavailable(error) from error
        if answer is None:
            return None
        approval = _checked(answer, digest=digest, approval_id=approval_id)
        if approval.state is not ApprovalState.CONSUMED:
            raise ApprovalError("approval.unreadable", "the approval was not consumed")
        return approval

    async def void(self, approval_id: str, reason_code: str, found: Witness | None = None) -> None:
        """See `ApprovalDesk.void`."""
        deadline = self._clock.monotonic() + self._settings.consume_seconds_max
        try:
            await call_until(
                deadline,
                self._clock.monotonic,
                lambda: self._client.void_approval(approval_id, reason_code, _witness_json(found)),
            )
        except ControlPlaneError as error:
            raise _unavailable(error) from error


# --- the question ---------------------------------------------------------------------------------


def question_json(ask: ApprovalAsk) -> dict[str, object]:
    """The body of the question, with nothing in it that a record may not hold."""
    exchange, canonical, decision = ask.exchange, ask.canonical, ask.decision
    first = canonical.actions[0]
    shown = action_json(first)
    path, _ = target_shown(exchange.request.target, canonical)
    terms = decision.terms or ApprovalTerms()
    is_batch = len(canonical.actions) > 1
    seen = None if ask.witness is None else redact_params(ask.witness.state)
    return {
        "agent": exchange.principal.agent,
        "runId": _short(exchange.principal.run),
        "requestDigest": ask.digest,
        "decisionId": ask.decision_id,
        "provider": _short(canonical.provider),
        "operation": _short(first.operation),
        "action": _short(first.action),
        "kind": first.kind,
        "target": {"type": _short(first.target.type), "id": target_id_shown(first)},
        # Whoever answers for a batch must see all of it, not only what comes first.
        "params": {"actions": actions_json(canonical)} if is_batch else shown["params"],
        "authority": str(exchange.request.authority),
        "method": exchange.request.method,
        "path": path,
        "request": raw_request_json(exchange, canonical),
        "policy": _short(decision.policy),
        "rule": _short(decision.rule),
        "reasonCode": _short(decision.reason_code),
        "message": redact_text(decision.message),
        "risk": risk_json(decision.risk),
        "bundleRevision": decision.revision,
        "mode": decision.mode,
        "terms": _terms_json(terms),
        "summary": summary_text(canonical, seen or {}),
        "witness": _witness_json(ask.witness),
    }


def _witness_json(witness: Witness | None) -> dict[str, object] | None:
    """A state as a person may see it; the digest is over the whole of it."""
    if witness is None:
        return None
    return {"hash": witness.digest, "state": redact_params(witness.state)}


def _terms_json(terms: ApprovalTerms) -> dict[str, object]:
    to = terms.escalation
    return {
        "groups": list(terms.groups),
        "quorum": terms.quorum,
        "timeoutSeconds": terms.timeout_seconds,
        "witnessRequired": terms.witness_required,
        "commentRequired": terms.comment_required,
        "escalateTo": [] if to is None else list(to.groups),
        "escalateAfterSeconds": None if to is None else to.after_seconds,
        "requesterLabels": list(terms.requester_labels),
    }


def _short(text: str | None) -> str | None:
    """Text for a field that the control plane keeps short."""
    return None if text is None else redact_text(text, SHORT_CHARS_MAX)


# --- the answer -----------------------------------------------------------------------------------


def _checked(
    answer: Mapping[str, Any], *, digest: str | None = None, approval_id: str | None = None
) -> Approval:
    """Parse an approval and hold it against the question.

    Raises:
        ApprovalError: it can't be understood, or it is about something else.
    """
    try:
        approval = Approval(
            str(answer["approvalId"]),
            ApprovalState(answer["status"]),
            str(answer["requestDigest"]),
            parse_time(answer["expiresAt"]),
            _optional_text(answer.get("resolvedBy")),
            _optional_text(answer.get("comment")),
            _witness_hash(answer.get("witness")),
            _terms(answer["terms"]),
        )
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise ApprovalError(
            "approval.unreadable", "the control plane's approval can't be understood"
        ) from error
    is_other = (digest is not None and approval.digest != digest) or (
        approval_id is not None and approval.approval_id != approval_id
    )
    if is_other:
        raise ApprovalError(
            "approval.mismatch", "the control plane answered about another action", retryable=False
        )
    return approval


def _says_the_same(answer: Mapping[str, Any], question: Mapping[str, Any]) -> bool:
    """Whether both show a person the same. Compared as JSON, in which lists are of one kind."""
    names: tuple[str, ...] = _SHOWN
    if _witness_hash(answer.get("witness")) == _witness_hash(question["witness"]):
        # Another state than now may have been shown truly; not under the digest of this one.
        names = (*_SHOWN, "witness")
    try:
        asked, shown = (
            orjson.dumps([fields.get(name) for name in names], option=orjson.OPT_SORT_KEYS)
            for fields in (question, answer)
        )
    except TypeError:
        return False
    return asked == shown


def _terms(terms: Mapping[str, Any]) -> ApprovalTerms:
    """The terms that a question stands on, of which only what makes them strict is looked at.
    INVARIANT(fail closed): each has to be there, since what is left out is the laxer one."""
    quorum, comment, after = (
        terms["quorum"],
        terms["commentRequired"],
        terms["escalateAfterSeconds"],
    )
    if type(quorum) is not int or type(comment) is not bool or type(after) not in (int, NoneType):
        raise ValueError("no terms")
    escalate_to = _names(terms["escalateTo"])
    return ApprovalTerms(
        _names(terms["groups"]),
        quorum,
        comment_required=comment,
        escalation=Escalation(escalate_to, after) if escalate_to else None,
        requester_labels=_names(terms["requesterLabels"]),
    )


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("no list of names")
    return tuple(str(name) for name in value)


def _shown_state(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    witness = answer.get("witness")
    state = witness.get("state") if isinstance(witness, Mapping) else None
    return state if isinstance(state, Mapping) else {}


def _witness_hash(witness: object) -> str | None:
    return str(witness["hash"]) if isinstance(witness, Mapping) else None


def parse_time(text: str) -> int:
    """Microseconds since the Unix epoch of RFC 3339 text with an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without an offset")
    return micros_of(at)


def _optional_text(value: object) -> str | None:
    return None if value is None else redact_text(str(value))


def _unavailable(error: ControlPlaneError) -> ApprovalError:
    return ApprovalError("approval.unavailable", error.message, retryable=error.retryable)
