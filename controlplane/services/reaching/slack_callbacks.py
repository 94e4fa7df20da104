"""Clicks in Slack -> answers of people.

INVARIANT(signed): nothing of a callback is looked at before Slack's signature over its time and
its whole body was found right, now, for the first time.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from controlplane.auth import Caller, unauthenticated
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.notice import NotSent
from controlplane.notify.slack import SlackAt
from controlplane.notify.slack_message import (
    ANSWER_VIEW,
    APPROVE,
    DENY,
    REASON_BLOCK,
    REASON_FIELD,
    REASON_LENGTH_MAX,
    answer_view,
    comment_is_wanted,
    escape,
)
from controlplane.notify.slack_signature import is_signed
from controlplane.services.approvals.answering import AnsweringService
from controlplane.services.reaching.notifications import ReadSubject
from controlplane.services.reaching.sending import ChannelSender, Outside
from controlplane.store.approvals import Through
from controlplane.store.callbacks import CallbackStore
from controlplane.store.channels import ChannelKind, ChannelRow, ChannelStore
from controlplane.store.tenancy import acting_for, acting_for_everybody
from gateway.model.approval import ApprovalState
from gateway.model.codec import JsonValue

log = logging.getLogger(__name__)

CALLBACK_BYTES_MAX: Final = 256 * 1024
"""A click carries the whole message, which is some ten kilobytes at most."""

COUNTED: Final = "Your approval counts; another person has to approve it as well."

DENIED_WITHOUT_WORDS: Final = "denied in Slack"


@dataclass(frozen=True, slots=True)
class Callback:
    """What came in, as it came in."""

    timestamp: str
    signature: str
    body: bytes


class SlackCallbackService:
    def __init__(
        self,
        channels: ChannelStore,
        callbacks: CallbackStore,
        answering: AnsweringService,
        sender: ChannelSender,
        outside: Outside,
        read_subject: ReadSubject,
    ) -> None:
        self._channels = channels
        self._callbacks = callbacks
        self._answering = answering
        self._sender = sender
        self._outside = outside
        self._read_subject = read_subject

    async def take(
        self, channel_id: uuid.UUID, callback: Callback
    ) -> Mapping[str, JsonValue] | None:
        """Do what the click says; what Slack is to be answered, None for nothing.

        Raises:
            ControlFault: UNAUTHENTICATED for whatever is not signed, late or repeated, and for a
                channel that is not there or switched off; UNAVAILABLE.
        """
        with acting_for_everybody():
            channel = await self._channels.find(channel_id)
        if channel is None or channel.plan.kind is not ChannelKind.SLACK:
            raise unauthenticated()
        if not channel.plan.enabled:
            raise unauthenticated()
        with acting_for(channel.tenant_id):
            at, signing_secret = self._sender.slack_at(channel)
            now_seconds = self._outside.now().timestamp()
            if not is_signed(
                signing_secret, callback.timestamp, callback.body, callback.signature, now_seconds
            ):
                raise unauthenticated()
            if not await self._callbacks.see(channel.tenant_id, channel_id, callback.signature):
                raise unauthenticated()
            payload = _payload(callback.body)
            match payload.get("type"):
                case "block_actions":
                    await self._clicked(channel, at, payload)
                case "view_submission":
                    return await self._submitted(channel, payload)
        return None

    async def _clicked(self, channel: ChannelRow, at: SlackAt, payload: Mapping[str, Any]) -> None:
        """A button of a message: answer at once, or ask for words first."""
        user = _text(payload, "user", "id")
        place = _text(payload, "channel", "id") or at.channel
        actions = payload.get("actions")
        action = actions[0] if isinstance(actions, list) and actions else {}
        approves = _text(action, "action_id") == APPROVE
        if not approves and _text(action, "action_id") != DENY:
            return
        try:
            approval_id = _id(_text(action, "value"))
            person = await self._person(channel, user)
            approval = await self._read_subject(channel.tenant_id, "approval", str(approval_id))
            if approval is None:
                raise not_found("approval")
            if approves and not comment_is_wanted(approval):
                row = await self._answering.answer(
                    person, approval_id, None, Through.SLACK, approves=True
                )
                if row.status_now is ApprovalState.PENDING:
                    await self._whisper(at, place, user, COUNTED)
                return
            view = answer_view(approval, approves=approves)
            trigger = _text(payload, "trigger_id")
            outcome = await self._outside.slack.open_view(at, trigger, view, self._outside.now())
            if isinstance(outcome, NotSent):
                log.warning("Slack opened no dialog", extra={"detail": outcome.problem})
        except ControlFault as fault:
            await self._refuse(at, place, user, fault)

    async def _submitted(
        self, channel: ChannelRow, payload: Mapping[str, Any]
    ) -> Mapping[str, JsonValue] | None:
        """A dialog that was sent: its reason goes with the answer."""
        view = payload.get("view")
        if not isinstance(view, dict) or view.get("callback_id") != ANSWER_VIEW:
            return None
        try:
            carried = json.loads(_text(view, "private_metadata"))
            approval_id = _id(_text(carried, "approvalId"))
            approves = carried.get("approves") is True
        except (ValueError, AttributeError, RecursionError):
            return None
        reason = _reason(view)
        if not approves and not reason:
            reason = DENIED_WITHOUT_WORDS
        try:
            person = await self._person(channel, _text(payload, "user", "id"))
            await self._answering.answer(
                person, approval_id, reason, Through.SLACK, approves=approves
            )
        except ControlFault as fault:
            errors: dict[str, JsonValue] = {REASON_BLOCK: fault.message}
            return {"response_action": "errors", "errors": errors}
        return {}

    async def _person(self, channel: ChannelRow, user: str) -> Caller:
        key_id = None
        if user:
            key_id = await self._channels.person_at(channel.tenant_id, channel.channel_id, user)
        return await self._answering.person(channel.tenant_id, key_id)

    async def _refuse(self, at: SlackAt, place: str, user: str, fault: ControlFault) -> None:
        """Tell the one who clicked, and nobody else."""
        await self._whisper(at, place, user, f"That did not count: {escape(fault.message)}.")

    async def _whisper(self, at: SlackAt, place: str, user: str, words: str) -> None:
        outcome = await self._outside.slack.whisper(at, place, user, words, self._outside.now())
        if isinstance(outcome, NotSent):
            log.warning("Slack told nobody", extra={"detail": outcome.problem})


def _payload(body: bytes) -> Mapping[str, Any]:
    """The JSON in the one field of the form."""
    try:
        fields = parse_qs(body.decode("utf-8"), strict_parsing=True, max_num_fields=10)
        (text,) = fields["payload"]
        payload = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise ControlFault(Fault.BAD_REQUEST, "this is no callback of Slack") from None
    if not isinstance(payload, dict):
        raise ControlFault(Fault.BAD_REQUEST, "this is no callback of Slack")
    return payload


def _text(value: Any, *path: str) -> str:
    """A text somewhere inside; empty when it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise not_found("approval") from None


def _reason(view: Mapping[str, Any]) -> str:
    """The person's own words, else the preset that they chose."""
    state = view.get("state")
    values = state.get("values") if isinstance(state, dict) else None
    written = _text(values, REASON_BLOCK, REASON_FIELD, "value").replace("\0", "").strip()
    chosen = _text(values, "preset", REASON_FIELD, "selected_option", "value")
    return (written or chosen)[:REASON_LENGTH_MAX]
