"""Tells the demo as it happens, asks the one question, and checks that all of it was true.

Everything it says about Checkrein is read from the control plane, and what it says about the
provider is the provider's own count; nothing is known beforehand but the order of events.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

from gateway.cli.approvals.answer import resolve
from gateway.cli.approvals.card import show_card
from gateway.cli.audit.export import EXPORT_PATH
from gateway.cli.audit.table import show_decisions
from gateway.cli.audit.verify import show_report
from gateway.cli.demo.stage import Stage, agent_process, set_up
from gateway.cli.failures import CommandError, Interrupted
from gateway.cli.output import EFFECT_STYLES, Output
from gateway.cli.signals import SignalQueue
from gateway.cli.terminal import read_keys, single_keys
from gateway.model.dataclass import dataclass
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.report import Report, Status
from gateway.record.verifying.trust import UNPINNED_LOG, Trust

LOOK_SECONDS = 0.1
"""How often the story looks for a new decision or approval."""

RECORD_SECONDS_MAX = 10.0
"""How long a decision may take from the gateway's disk to the control plane."""

AGENT_SECONDS_MAX = 60.0
"""How long the agent may be silent while it waits for nobody."""

_INTRODUCTIONS = {
    "reading": "A read: it passes.",
    "charging": "A charge within the limit: it passes.",
    "paying": "Money out: the policy forbids it.",
    "refunding": "A refund: a person has to agree. The call is held open meanwhile.",
}
_PAYOUT = ("POST", "/v1/payouts")
_REFUND = ("POST", "/v1/refunds")

Decision = dict[str, Any]


@dataclass(slots=True)
class Telling:
    """What has happened so far."""

    answer: str | None = None
    agent_said: list[str] = field(default_factory=list)
    told_count: int = 0


def play(out: Output, *, is_approving: bool) -> int:
    """Play the demo; returns 0 when everything was as it should be.

    Raises:
        CommandError: something could not be started, or the agent came to a standstill.
        Interrupted: a signal asked to end.
    """
    started = time.monotonic()
    _say(out, "Starting PostgreSQL, control plane, gateway and a stand-in for Stripe ...", "dim")
    with SignalQueue() as signals, set_up(signals) as stage:
        _say(out, f"ready after {time.monotonic() - started:.1f} s", "dim")
        _say(out, "")
        _say(out, "An agent starts: a Python program with the real Stripe SDK. It knows nothing of")
        _say(out, "Checkrein; environment variables lead it here.")
        story = _Story(out, stage, signals, is_approving)
        story.follow_agent()
        decisions = story.settled_decisions()
        with stage.api.stream(EXPORT_PATH) as answer:
            report = verify_stream(answer, Trust())
        report.waive(UNPINNED_LOG)  # the log is a minute old, and was ours all that time
        counts = stage.count_requests()
        faults = _faults(counts, report, story.telling)
        if out.as_json:
            out.emit(_summary(story.telling, decisions, counts, report, faults))
        else:
            _show_end(out, decisions, counts, report, time.monotonic() - started)
    for fault in faults:
        _say(out, fault, "bold red")
    return 1 if faults else 0


class _Story:
    def __init__(self, out: Output, stage: Stage, signals: SignalQueue, is_approving: bool) -> None:
        self._out = out
        self._stage = stage
        self._signals = signals
        self._is_approving = is_approving
        self.telling = Telling()

    def follow_agent(self) -> None:
        """Tell what the agent does until it ends."""
        with agent_process(self._stage) as agent:
            for line in self._lines(agent):
                self.telling.agent_said.append(line)
                if line.startswith("-> "):
                    self._introduce(line[3:])
                else:
                    self._tell_result(line.removeprefix("<- "))
            status = agent.wait()
        if status != 0:
            said = "\n".join(self.telling.agent_said[-8:])
            raise CommandError(f"the demo's agent ended with status {status}", f"it said:\n{said}")

    def settled_decisions(self) -> list[Decision]:
        """All decisions, oldest first, once every outcome has arrived."""
        until = time.monotonic() + RECORD_SECONDS_MAX
        while True:
            decisions = self._decisions()
            is_settled = len(decisions) >= self.telling.told_count and all(
                decision["outcome"] for decision in decisions
            )
            if is_settled or time.monotonic() > until:
                return decisions
            self._pause()

    # --- the agent's lines ------------------------------------------------------------------------

    def _lines(self, agent: subprocess.Popen[bytes]) -> Iterator[str]:
        assert agent.stdout is not None
        fd, rest = agent.stdout.fileno(), b""
        silent_since = time.monotonic()
        while True:
            readers = [fd, *self._stage.stack.readers()]
            caught, ready = self._signals.wait(LOOK_SECONDS, readers)
            if caught:
                raise Interrupted(caught[0])
            self._stage.stack.tend()
            if fd in ready:
                data = os.read(fd, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in lines)
                silent_since = time.monotonic()
            elif self.telling.answer is None and self._answer_pending():
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > AGENT_SECONDS_MAX:
                raise CommandError("the demo's agent came to a standstill")

    def _introduce(self, words: str) -> None:
        introduction = _INTRODUCTIONS.get(words.split(maxsplit=1)[0])
        _say(self._out, "")
        if introduction:
            _say(self._out, introduction, "bold")
        _say(self._out, f"  agent      {words}")

    def _tell_result(self, words: str) -> None:
        _say(self._out, f"  agent      {words}", "cyan")
        decision = self._next_decision()
        if decision is None:
            _say(self._out, "  checkrein  (its decision has not arrived yet)", "dim")
            return
        effect = str(decision["effect"])
        what = decision["action"] or decision["operation"]
        why = f" ({decision['reasonCode']}, rule {decision['rule']})"
        _say(self._out, f"  checkrein  {effect} {what}{why}", EFFECT_STYLES.get(effect, ""))

    def _next_decision(self) -> Decision | None:
        """The decision on what the agent did last."""
        self.telling.told_count += 1
        until = time.monotonic() + RECORD_SECONDS_MAX
        while time.monotonic() < until:
            decisions = self._decisions()
            if len(decisions) >= self.telling.told_count:
                return decisions[self.telling.told_count - 1]
            self._pause()
        return None

    def _decisions(self) -> list[Decision]:
        found = self._stage.api.get("/v1/decisions", {"limit": 100})["decisions"]
        return list(reversed(found))

    def _pause(self) -> None:
        caught, _ = self._signals.wait(LOOK_SECONDS)
        if caught:
            raise Interrupted(caught[0])

    # --- the one question -------------------------------------------------------------------------

    def _answer_pending(self) -> bool:
        """Answer the approval that waits, if one does; tells whether one did."""
        found = self._stage.api.get("/v1/approvals", {"status": "PENDING"})["approvals"]
        if not found:
            return False
        approval = found[0]
        if not self._out.as_json:
            show_card(self._out, approval)
            self._show_nothing_sent()
        resolution = "APPROVE" if self._is_approving else self._ask()
        reason = None if resolution == "APPROVE" else "denied in the demo"
        resolve(self._stage.api, str(approval["approvalId"]), resolution, reason)
        self.telling.answer = resolution
        words = "approved" if resolution == "APPROVE" else "denied"
        who = "demo" if self._is_approving else "you "
        _say(self._out, f"  {who}       {words}", "bold")
        return True

    def _show_nothing_sent(self) -> None:
        count = self._stage.count_requests()[_REFUND]
        _say(self._out, f"  So far {count} refunds have reached the stand-in for Stripe.", "dim")

    def _ask(self) -> str:
        with single_keys() as keyboard:
            _say(self._out, "")
            _say(self._out, "  [a]pprove / [d]eny ?", "bold yellow")
            while True:
                seconds = self._stage.stack.tend()
                caught, ready = self._signals.wait(seconds, [keyboard])
                if caught:
                    raise Interrupted(caught[0])
                for key in read_keys(keyboard) if keyboard in ready else "":
                    if key in "aA":
                        return "APPROVE"
                    if key in "dDqQ\x04":
                        return "REJECT"


def _faults(counts: dict[tuple[str, str], int], report: Report, telling: Telling) -> list[str]:
    """What was not as it should be, as sentences."""
    faults: list[str] = []
    refunds_due = 1 if telling.answer == "APPROVE" else 0
    if counts[_PAYOUT] != 0:
        faults.append(f"the blocked payout reached the provider {counts[_PAYOUT]} times")
    if counts[_REFUND] != refunds_due:
        faults.append(f"{counts[_REFUND]} refunds reached the provider instead of {refunds_due}")
    if counts["GET", "/v1/balance"] != 1 or counts["POST", "/v1/charges"] != 1:
        faults.append("what was allowed did not reach the provider exactly once")
    if telling.answer is None:
        faults.append("the refund was never held")
    if report.status is not Status.VERIFIED:
        faults.append("the record does not verify")
    return faults


def _show_end(
    out: Output,
    decisions: Sequence[Decision],
    counts: dict[tuple[str, str], int],
    report: Report,
    seconds: float,
) -> None:
    _say(out, "")
    _say(out, "What was recorded", "bold")
    show_decisions(out, decisions)
    _say(out, "")
    _say(out, "What reached the stand-in for Stripe, by its own count", "bold")
    for (method, path), _ in sorted({**counts, _PAYOUT: 0, _REFUND: 0}.items()):
        count = counts[method, path]
        _say(out, f"  {count} x {method} {path}", "" if count else "dim")
    _say(out, "")
    _say(out, "The record, verified from its first line", "bold")
    show_report(out, report)
    _say(out, "")
    _say(out, f"Done in {seconds:.1f} s. Next: checkrein up", "dim")


def _summary(
    telling: Telling,
    decisions: Sequence[Decision],
    counts: dict[tuple[str, str], int],
    report: Report,
    faults: Sequence[str],
) -> dict[str, Any]:
    return {
        "ok": not faults,
        "faults": list(faults),
        "answer": telling.answer,
        "agent": telling.agent_said,
        "decisions": list(decisions),
        "reached_provider": {
            f"{method} {path}": counts[method, path]
            for method, path in sorted({**counts, _PAYOUT: 0, _REFUND: 0})
        },
        "audit": report.to_json(),
    }


def _say(out: Output, text: str, style: str = "") -> None:
    if not out.as_json:
        out.say(text, style)
