"""Shows decisions and record lines as rows that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli.moments import clock_time
from gateway.cli.output import EFFECT_STYLES, OUTCOME_STYLES, Column, Output, plain, styled

NAMES_MAX = 10_000
"""How many decisions a follower remembers, to name them when their outcome comes."""

WIDE_COLUMNS_MIN = 110
"""A narrower terminal is spared the column of reasons; `--json` has them."""

_MONEY = ("amount", "amount_minor", "value")


def show_decisions(out: Output, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Write a table of decisions in the order given."""
    if not decisions:
        out.say("Nothing was decided yet. Run `checkrein run -- python agent.py`.", "dim")
        return
    is_wide = out.console.width >= WIDE_COLUMNS_MIN
    out.table(
        (
            Column("TIME", is_fixed=True),
            Column("AGENT"),
            Column("EFFECT", EFFECT_STYLES, is_fixed=True),
            Column("WHAT"),
            Column("AMOUNT", justify="right", is_fixed=True),
            Column("OUTCOME", OUTCOME_STYLES, is_fixed=True),
            *((Column("REASON"),) if is_wide else ()),
        ),
        (
            (
                clock_time(d["at"]),
                d["agent"],
                d["effect"],
                f"{d['action'] or d['operation'] or 'unknown'} {target_text(d['target'])}".strip(),
                amount_text(d["params"]),
                d["outcome"] or "open",
                *((d["reasonCode"],) if is_wide else ()),
            )
            for d in decisions
        ),
    )


def show_record_line(out: Output, line: Mapping[str, Any], names: dict[str, str]) -> None:
    """Write one record as one line; `names` carries from a decision to its outcome."""
    text, style = _told(line, names)
    out.console.print(
        styled(clock_time(line.get("at")), "dim"), styled(text, style), soft_wrap=True
    )


def _told(line: Mapping[str, Any], names: dict[str, str]) -> tuple[str, str]:
    match line.get("kind"):
        case "intent" | "decision" as kind:
            actions = line.get("actions") or [{}]
            name = f"{line.get('agent')} {_act(actions[0])}"
            if len(names) >= NAMES_MAX:
                names.clear()
            names[str(line.get("decision_id"))] = name
            effect = str(line.get("effect"))
            sends = "is sent" if kind == "intent" else "is not sent"
            why = line.get("reason_code")
            return f"{effect:<16} {name} ({why}; {sends})", EFFECT_STYLES.get(effect, "")
        case "outcome":
            outcome = str(line.get("outcome"))
            name = names.pop(str(line.get("decision_id")), str(line.get("decision_id")))
            detail = line.get("status") or line.get("code") or ""
            return f"{outcome:<16} {name} {detail}".rstrip(), OUTCOME_STYLES.get(outcome, "")
        case "refusal":
            who = line.get("agent") or "somebody"
            return f"{'refused':<16} bytes of {who}: {line.get('message')}", "red"
        case "tunnel":
            state = "closed" if line.get("closed") else "opened"
            return f"{'tunnel ' + state:<16} {line.get('agent')} {line.get('authority')}", ""
        case _:
            return f"{'gateway':<16} {line.get('event')} {line.get('detail', '')}".rstrip(), "dim"


def _act(action: Mapping[str, Any]) -> str:
    words = (
        str(action.get("action") or "unknown"),
        target_text(action.get("target")),
        amount_text(action.get("params")),
    )
    return " ".join(word for word in words if word)


def target_text(target: Mapping[str, Any] | None) -> str:
    """`charge ch_1`; only the type where no one thing is named."""
    if not target:
        return ""
    return plain(f"{target.get('type', '')} {target.get('id', '')}".strip())


def amount_text(params: Mapping[str, Any] | None) -> str:
    """The amount in the units that the action carries it in, with its currency beside it."""
    for name in _MONEY:
        value = (params or {}).get(name)
        if isinstance(value, int | str) and not isinstance(value, bool):
            currency = (params or {}).get("currency")
            return plain(f"{value} {currency}" if currency else str(value))
    return ""
