"""Follows what waits for a person: lines for programs, a card with one-key answers for people."""

from __future__ import annotations

from typing import Any

from gateway.cli.api import Api
from gateway.cli.approval_card import sentence, show_card
from gateway.cli.approvals import WATCH_SECONDS, resolve
from gateway.cli.failures import CommandError, Interrupted
from gateway.cli.output import Output
from gateway.cli.signals import SignalQueue
from gateway.cli.terminal import forget_typed, read_keys, read_line, single_keys

Approval = dict[str, Any]

PENDING_SHOWN_MAX = 100
DENIED_WITHOUT_WORDS = "denied at the terminal"
_PROMPT = "  [a]pprove  [d]eny  [s]kip  [q]uit"


def watch_lines(api: Api, out: Output, signals: SignalQueue) -> None:
    """Write a JSON line for each approval that is new or has changed, until told to end."""
    seen: dict[str, str] = {}
    while True:
        newest = api.get("/v1/approvals", {"limit": PENDING_SHOWN_MAX})["approvals"]
        for approval in reversed(newest):
            if seen.get(approval["approvalId"]) != approval["status"]:
                out.emit(approval)
        seen = {approval["approvalId"]: approval["status"] for approval in newest}
        caught, _ = signals.wait(WATCH_SECONDS)
        if caught:
            return


def watch_terminal(api: Api, out: Output, signals: SignalQueue) -> None:
    """Show one card at a time, oldest first, and take the answer; until `q` or a signal."""
    skipped: set[str] = set()
    shown: str | None = None
    out.say("Waiting for approvals; q or Ctrl-C ends it.", "dim")
    with single_keys() as keyboard:
        while True:
            waiting = _pending(api)
            if shown is not None and shown not in waiting:
                out.say("  answered elsewhere, or over", "dim")
                shown = None
            fresh = [i for i in waiting if i not in skipped]
            if shown is None and fresh:
                shown = fresh[0]
                forget_typed(keyboard)
                show_card(out, waiting[shown])
                out.say(_PROMPT, "cyan")
            caught, ready = signals.wait(WATCH_SECONDS, [keyboard])
            if caught:
                return
            for key in read_keys(keyboard) if keyboard in ready else "":
                if key in "qQ\x04":
                    return
                if shown is None:
                    break  # what was typed further was not about the next card
                try:
                    if _take_key(key, api, out, signals, keyboard, waiting[shown]):
                        skipped.add(shown)
                        shown = None
                except Interrupted:
                    return


def _pending(api: Api) -> dict[str, Approval]:
    query = {"status": "PENDING", "limit": PENDING_SHOWN_MAX}
    found = api.get("/v1/approvals", query)["approvals"]
    return {str(approval["approvalId"]): approval for approval in reversed(found)}


def _take_key(
    key: str, api: Api, out: Output, signals: SignalQueue, keyboard: int, approval: Approval
) -> bool:
    """Act on one key; tells whether the card is done with."""
    match key.lower():
        case "a":
            _send(api, out, approval, "APPROVE", None)
        case "d":
            out.say("  reason (Enter for none):", "cyan")
            reason = read_line(keyboard, signals) or DENIED_WITHOUT_WORDS
            _send(api, out, approval, "REJECT", reason)
        case "s":
            out.say("  skipped", "dim")
        case _:
            return False
    return True


def _send(api: Api, out: Output, approval: Approval, resolution: str, reason: str | None) -> None:
    try:
        resolve(api, str(approval["approvalId"]), resolution, reason)
    except CommandError as error:
        out.say(f"  {error.message}", "red")
        return
    is_yes = resolution == "APPROVE"
    words = "approved" if is_yes else "denied"
    out.say(f"  {words}: {sentence(approval)}", "green" if is_yes else "red")
