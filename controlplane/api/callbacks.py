"""What comes back from channels without a key: Slack's callbacks, and the pages of mailed links.

A callback proves itself by its signature, a link by its 256 random bits. Reading a page changes
nothing; HEAD and everything else that a mail scanner may try is refused.
"""

from __future__ import annotations

import logging
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from controlplane.api.parsing import read_body
from controlplane.api.problems import PROBLEMS
from controlplane.api.routing import answer
from controlplane.auth import unauthenticated
from controlplane.faults import ControlFault, Fault
from controlplane.notify.notice import Notice
from controlplane.notify.page import render
from controlplane.notify.slack_message import comment_is_wanted
from controlplane.notify.wording import facts_of, printable, state_of
from controlplane.services.joined import Services
from controlplane.services.reaching.slack_callbacks import CALLBACK_BYTES_MAX, Callback
from gateway.model.approval import ApprovalState

log = logging.getLogger(__name__)

FORM_BYTES_MAX = 16 * 1024
REASON_LENGTH_MAX = 500
SUMMARY_LENGTH_MAX = 300

OpenHandler = Callable[[Services, web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """A route without a key; its handler asks for another proof."""

    method: str
    path: str
    handler: OpenHandler


async def slack(services: Services, request: web.Request) -> web.Response:
    """A click in Slack, or a dialog that was sent."""
    try:
        channel_id = uuid.UUID(request.match_info["id"])
    except ValueError:
        raise unauthenticated() from None
    body = await read_body(request, CALLBACK_BYTES_MAX)
    said = await services.slack_callbacks.take(
        channel_id,
        Callback(
            _only(request, "X-Slack-Request-Timestamp"),
            _only(request, "X-Slack-Signature"),
            body,
        ),
    )
    return web.Response() if not said else answer(said)


async def look(services: Services, request: web.Request) -> web.Response:
    """The page that a mailed link leads to. It shows, and does nothing."""
    try:
        found = await services.mail_links.look(request.match_info["link"])
    except ControlFault as fault:
        return _refusal(fault)
    state = state_of(found.approval)
    over = "" if found.page_token else state or "This link was used."
    return _page(found.approval, found.page_token, found.person, note=over)


async def send(services: Services, request: web.Request) -> web.Response:
    """What the page sends: the answer itself."""
    link = request.match_info["link"]
    try:
        form = await _form(request)
        approves = form.get("answer") == "APPROVE"
        if not approves and form.get("answer") != "REJECT":
            raise ControlFault(Fault.INVALID_ARGUMENT, "choose an answer")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise ControlFault(Fault.FORBIDDEN, "this form was sent from another site")
        row = await services.mail_links.answer(
            link,
            form.get("page", ""),
            form.get("reason", "").replace("\0", "").strip()[:REASON_LENGTH_MAX],
            approves=approves,
        )
    except ControlFault as fault:
        return _refusal(fault)
    title = "Approved" if approves else "Denied"
    note = printable(row.question.summary, SUMMARY_LENGTH_MAX)
    if approves and row.status_now is ApprovalState.PENDING:
        title, note = "Your approval counts", f"{note}: another person has to approve it as well."
    return _html(200, title=title, note=note)


OPEN_ROUTES = (
    OpenRoute("POST", "/v1/callbacks/slack/{id}", slack),
    OpenRoute("GET", "/answer/{link}", look),
    OpenRoute("POST", "/answer/{link}", send),
)


def _only(request: web.Request, name: str) -> str:
    """A header that is there once; empty otherwise, which no signature fits."""
    given = request.headers.getall(name, [])
    return given[0] if len(given) == 1 else ""


async def _form(request: web.Request) -> Mapping[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise ControlFault(Fault.BAD_REQUEST, "this is not the page's form")
    data = await read_body(request, FORM_BYTES_MAX)
    try:
        fields = parse_qs(data.decode("utf-8"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise ControlFault(Fault.BAD_REQUEST, "this is not the page's form") from None
    if any(len(values) != 1 for values in fields.values()):
        raise ControlFault(Fault.BAD_REQUEST, "a field is given twice")
    return {name: values[0] for name, values in fields.items()}


def _page(approval: Mapping[str, Any], page_token: str, person: str, note: str) -> web.Response:
    now = datetime.now(UTC)
    notice = Notice(
        uuid.UUID(int=0),
        "approval.pending",
        now,
        "approval",
        str(approval["approvalId"]),
        approval,
    )
    facts = facts_of(notice, now)
    return _html(
        200,
        title=facts.headline,
        note=note,
        lines=facts.lines,
        page_token=page_token,
        person=person,
        comment_required=comment_is_wanted(approval),
    )


def _refusal(fault: ControlFault) -> web.Response:
    return _html(
        PROBLEMS[fault.fault].status,
        title="That did not count",
        problem=f"{fault.message[:1].upper()}{fault.message[1:]}.",
    )


def _html(status: int, **words: object) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    empty: dict[str, object] = {
        "problem": "",
        "note": "",
        "lines": (),
        "page_token": "",
        "person": "",
        "comment_required": False,
    }
    return web.Response(
        status=status,
        text=render("answer.html", **{**empty, **words, "nonce": nonce}),
        content_type="text/html",
        headers={
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; "
                "frame-ancestors 'none'; base-uri 'none'"
            ),
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Robots-Tag": "noindex, nofollow",
        },
    )
