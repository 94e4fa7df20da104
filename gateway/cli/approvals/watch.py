"""Follows what waits for a person: lines for programs, a card with one-key answers for people."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from gateway.cli.api import Api
from gateway.cli.approvals.answer import resolve
from gateway.cli.approvals.card import sentence, show_card
from gateway.cli.failures import CommandError, Interrupted
from gateway.cli.output import Output, complain
from gateway.cli.signals import SignalQueue
from gateway.cli.terminal import forget_typed, read_keys, read_line, single_keys

WATCH_SECONDS = 1.0
"""How often a watcher looks: a reviewer doesn't notice a second, the server doesn't notice one
question a second."""

Approval = dict[str, Any]

_SAID = {
    "APPROVE": ("approved", "green"),
    "REJECT": ("denied", "red"),
    "ESCALATE": ("escalated", "yellow"),
}

PENDING_SHOWN_MAX = 100
DENIED_WITHOUT_WORDS = "denied at the terminal"
_PROMPT = "  [a]pprove  [d]eny  [e]scalate  [s]kip  [q]uit"


class _Inbox:
    """What waits, asked again and again. A control plane that is gone for a while is waited for:
    it restarts under a watcher's feet. One that was never there, or knows no such key, is not."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._has_answered = False
        self._is_answering = True

    def newest(self, status: str | None = None) -> list[Approval] | None:
        """Newest first; None when the control plane does not answer at present.

        Raises:
            CommandError: it did not answer the first time.
        """
        query = {"status": status, "limit": PENDING_SHOWN_MAX}
        try:
            found: list[Approval] = self._api.get("/v1/approvals", query)["approvals"]
        except CommandError as error:
            if not self._has_answered:
                raise
            if self._is_answering:
                complain(error.message, "it is asked again until it answers; Ctrl-C ends this")
            self._is_answering = False
            return None
        self._has_answered = self._is_answering = True
        return found


def watch_lines(api: Api, out: Output, signals: SignalQueue) -> None:
    """Write a JSON line for each approval that is new or has changed, until told to end."""
    inbox = _Inbox(api)
    seen: dict[str, tuple[str, bool]] = {}
    while True:
        newest = inbox.newest()
        if newest is not None:
            for approval in reversed(newest):
                if seen.get(approval["approvalId"]) != _news_of(approval):
                    out.emit(approval)
            seen = {approval["approvalId"]: _news_of(approval) for approval in newest}
        caught, _ = signals.wait(WATCH_SECONDS)
        if caught:
            return


def _news_of(approval: Approval) -> tuple[str, bool]:
    """What makes an approval worth another look: its state, and that it was escalated."""
    return str(approval["status"]), approval.get("escalation") is not None


def watch_terminal(api: Api, out: Output, signals: SignalQueue) -> None:
    """Show one card at a time, oldest first, and take the answer; until `q` or a signal."""
    out.say("Waiting for approvals; q or Ctrl-C ends it.", "dim")
    with single_keys() as keyboard, contextlib.suppress(Interrupted):
        _Desk(api, out, signals, keyboard).work()


class _Desk:
    """One reviewer's terminal: at most one card lies on it."""

    def __init__(self, api: Api, out: Output, signals: SignalQueue, keyboard: int) -> None:
        self._api = api
        self._out = out
        self._signals = signals
        self._keyboard = keyboard
        self._inbox = _Inbox(api)
        self._card: Approval | None = None
        self._skipped: set[tuple[str, bool]] = set()

    def work(self) -> None:
        """Show and take answers until `q`.

        Raises:
            Interrupted: a signal came.
        """
        while True:
            waiting = self._inbox.newest("PENDING")
            if waiting is not None:
                self._lay_out({str(a["approvalId"]): a for a in reversed(waiting)})
            caught, ready = self._signals.wait(WATCH_SECONDS, [self._keyboard])
            if caught:
                raise Interrupted(caught[0])
            for key in read_keys(self._keyboard) if self._keyboard in ready else "":
                if key in "qQ\x04":
                    return
                if self._card is None:
                    break  # what was typed further was not about the next card
                self._take(key.lower(), self._card)

    def _lay_out(self, waiting: Mapping[str, Approval]) -> None:
        if self._card is not None and self._card["approvalId"] not in waiting:
            self._out.say("  answered elsewhere, or over", "dim")
            self._card = None
        fresh = [a for a in waiting.values() if _place(a) not in self._skipped]
        if self._card is None and fresh:
            self._card = fresh[0]
            forget_typed(self._keyboard)
            show_card(self._out, self._card)
            self._out.say(_PROMPT, "cyan")

    def _take(self, key: str, card: Approval) -> None:
        match key:
            case "a":
                _send(self._api, self._out, card, "APPROVE", self._words(card))
            case "e":
                _send(self._api, self._out, card, "ESCALATE", None)
                self._skipped.add((str(card["approvalId"]), True))  # they have seen it
            case "d":
                self._out.say("  reason (Enter for none):", "cyan")
                reason = read_line(self._keyboard, self._signals) or DENIED_WITHOUT_WORDS
                _send(self._api, self._out, card, "REJECT", reason)
            case "s":
                self._out.say("  skipped", "dim")
            case _:
                return
        self._skipped.add(_place(card))
        self._card = None

    def _words(self, card: Approval) -> str | None:
        """Why somebody agrees, where the rule wants to know."""
        if not (card.get("terms") or {}).get("commentRequired"):
            return None
        self._out.say("  reason:", "cyan")
        return read_line(self._keyboard, self._signals)


def _place(approval: Approval) -> tuple[str, bool]:
    """What was skipped comes again when it is escalated."""
    return str(approval["approvalId"]), approval.get("escalation") is not None


def _send(api: Api, out: Output, approval: Approval, resolution: str, reason: str | None) -> None:
    try:
        resolve(api, str(approval["approvalId"]), resolution, reason)
    except CommandError as error:
        out.say(f"  {error.message}", "red")
        return
    words, style = _SAID[resolution]
    out.say(f"  {words}: {sentence(approval)}", style)
