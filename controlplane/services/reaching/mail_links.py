"""Links that were mailed -> answers of people.

INVARIANT(reading-never-acts): looking at a link shows its page and changes nothing, however often
and by whomever; only what the page itself sends, with the page's own token, is an answer. A link
answers one approval as one person, once, until the approval is over.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.services.approvals.answering import AnsweringService
from controlplane.services.reaching.notifications import ReadSubject
from controlplane.services.reaching.sending import hash_link
from controlplane.services.secret_box import SecretBox
from controlplane.store.approvals import ApprovalRow, Through
from controlplane.store.callbacks import CallbackStore, MailLink
from controlplane.store.channels import ChannelStore
from controlplane.store.tenancy import acting_for, acting_for_everybody

LINK_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """What a link shows. `page_token` is empty where nothing can be answered any more."""

    approval: Mapping[str, Any]
    person: str
    page_token: str


class MailLinkService:
    def __init__(
        self,
        links: CallbackStore,
        channels: ChannelStore,
        answering: AnsweringService,
        box: SecretBox,
        read_subject: ReadSubject,
    ) -> None:
        self._links = links
        self._channels = channels
        self._answering = answering
        self._box = box
        self._read_subject = read_subject

    async def look(self, link: str) -> AnswerPage:
        """What to show.

        Raises:
            ControlFault: NOT_FOUND for a link that is unknown; FORBIDDEN where the person may not
                answer any more.
        """
        found = await self._find(link)
        with acting_for(found.tenant_id):
            person, approval = await self._open(found)
        is_open = found.is_open and approval.get("status") == "PENDING"
        token = self._box.page_token(hash_link(link)) if is_open else ""
        return AnswerPage(approval, person.key_name, token)

    async def answer(
        self, link: str, page_token: str, reason: str, *, approves: bool
    ) -> ApprovalRow:
        """Carry out what the page sent.

        Raises:
            ControlFault: NOT_FOUND, FORBIDDEN for another page's token or person, LINK_USED, and
                as of `ApprovalService.resolve`; such a link can be used again.
        """
        found = await self._find(link)
        wanted = self._box.page_token(hash_link(link))
        if not hmac.compare_digest(wanted.encode(), page_token.encode("utf-8", "replace")):
            raise ControlFault(Fault.FORBIDDEN, "open the link again; this page is not its own")
        with acting_for(found.tenant_id):
            person, _ = await self._open(found)
            if not await self._links.use_link(hash_link(link)):
                raise ControlFault(Fault.LINK_USED, "this link was used, or its time is over")
            try:
                return await self._answering.answer(
                    person, found.approval_id, reason, Through.EMAIL, approves=approves
                )
            except ControlFault:
                await self._links.give_back_link(hash_link(link))
                raise

    async def _find(self, link: str) -> MailLink:
        found = None
        if len(link) <= LINK_LENGTH_MAX and link.isascii():
            with acting_for_everybody():
                found = await self._links.link(hash_link(link))
        if found is None:
            raise not_found("link")
        return found

    async def _open(self, found: MailLink) -> tuple[Caller, Mapping[str, Any]]:
        channel = await self._channels.get(found.tenant_id, found.channel_id)
        people = await self._channels.people(found.tenant_id, found.channel_id)
        is_reached = any(person.key_id == found.key_id for person in people)
        if channel is None or not channel.plan.enabled or not is_reached:
            raise ControlFault(Fault.FORBIDDEN, "you are not reached by this channel any more")
        person = await self._answering.person(found.tenant_id, found.key_id)
        approval = await self._read_subject(found.tenant_id, "approval", str(found.approval_id))
        if approval is None:
            raise not_found("approval")
        return person, approval
