"""What a person adds to a yes so that it holds for a while: options -> the body of a grant."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.model.dataclass import dataclass

F = TypeVar("F", bound=Callable[..., Any])

_SPAN: Final = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?")


@dataclass(frozen=True, slots=True)
class GrantOptions:
    """As they were given; None where they were not."""

    span: str | None
    uses: int | None
    up_to: str | None
    this_run: bool
    same_target: bool | None
    risk_max: int | None

    @property
    def are_given(self) -> bool:
        return self != _NONE


_NONE: Final = GrantOptions(None, None, None, False, None, None)


def grant_options(command: F) -> F:
    """Add the options; the command takes them as `**grant` for `GrantOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--for",
        "span",
        metavar="SPAN",
        help="Let the like through for so long: 2h. [default, with any of these: 30m]",
    ),
    click.option(
        "--times",
        "uses",
        type=click.IntRange(2, 1000),
        help="So often, this one included. [default, with any of these: 10]",
    ),
    click.option("--up-to", "up_to", metavar="AMOUNT", help="Up to so much in all: 500.00."),
    click.option("--this-run", is_flag=True, help="Only in the run that asks."),
    click.option(
        "--same-target/--any-target",
        default=None,
        help="Only for the same target, or for any. What can't be undone is only for the same.",
    ),
    click.option(
        "--risk-max",
        type=click.IntRange(0, 69),
        help="What is riskier asks again. [default: 5 above the risk of this one]",
    ),
)


def grant_body(options: GrantOptions, approval: Mapping[str, Any]) -> dict[str, object]:
    """The grant to ask for with a yes to this approval.

    Raises:
        CommandError: a span or an amount can't be read, or not for this act.
    """
    body: dict[str, object] = {}
    if options.span is not None:
        body["seconds"] = _seconds(options.span)
    if options.uses is not None:
        body["uses"] = options.uses
    if options.this_run:
        body["run"] = True
    if options.same_target is not None:
        body["sameTarget"] = options.same_target
    if options.risk_max is not None:
        body["riskMax"] = options.risk_max
    if options.up_to is not None:
        body["amount"] = _amount(options.up_to, approval)
    return body


def _seconds(text: str) -> int:
    found = _SPAN.fullmatch(text)
    seconds = 0
    if found is not None:
        hours, minutes, rest = (int(part or 0) for part in found.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    if not seconds:
        raise CommandError(
            f"`{text}` is no span of time", "write it as 30m, 2h or 1h30m", status=EXIT_USAGE
        )
    return seconds


def _amount(text: str, approval: Mapping[str, Any]) -> dict[str, object]:
    """Of the act's own currency, or written in that of its target; else in minor units."""
    from gateway.model.money import money_example, parse_money, unit_text

    currency = _currency(approval.get("params"))
    written_in = currency or _currency((approval.get("witness") or {}).get("state"))
    provider = str(approval.get("provider") or "")
    amount = parse_money(text, written_in, provider)
    if amount is None:
        told = (
            "this act names no currency: write its minor units, 50000 for 500.00"
            if written_in is None
            else f"write it as {money_example(written_in, provider)} "
            f"{unit_text(written_in, provider)}"
        )
        raise CommandError(f"`{text}` is no amount of this act", told, status=EXIT_USAGE)
    return {"currency": currency, "max": amount}


def _currency(named: Mapping[str, Any] | None) -> str | None:
    found = (named or {}).get("currency")
    return found.lower() if isinstance(found, str) else None


def grant_sentence(grant: Mapping[str, Any]) -> str:
    """What is left of a grant: `7 of 10 uses left, 410.00 of 500.00 USD used, for 28 min`."""
    from gateway.cli.moments import time_left

    left = max(grant["usesMax"] - grant["usesCount"], 0)
    parts = [f"{left} of {grant['usesMax']} uses left"]
    if grant["amount"] is not None:
        parts.append(f"{amount_sentence(grant['amount'], grant['provider'])} used")
    if grant["runId"] is not None:
        parts.append(f'in run "{grant["runId"]}"')
    if grant["target"]["id"] is not None:
        parts.append(f"for {grant['target']['type']} {grant['target']['id']}")
    if grant["sameAct"]:
        parts.append("for the very same act")
    if grant["status"] == "ACTIVE":
        parts.append(f"for {time_left(grant['expiresAt'])} more")
    return ", ".join(parts)


def amount_sentence(amount: Mapping[str, Any], provider: str) -> str:
    """What is used of it: `90.00 USD of 500.00 USD`."""
    from gateway.model.money import money_text

    def said(units: int) -> str:
        return money_text(units, amount["currency"], provider)

    text, each = f"{said(amount['used'])} of {said(amount['max'])}", amount["eachMax"]
    return text if each is None else f"{text} (at most {said(each)} each)"
