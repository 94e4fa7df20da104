"""Writes conditions at random: mostly of types that fit, over params whose types nobody promises.

With decimals, whole numbers stay below 2^53: beyond it the reference compares the two by rounding
the whole one, where CEL (and ours) says by value. Times are spelt as RFC 3339 spells them, which
the reference reads more leniently. Zones are such as all versions of the database agree on: `EST`
was a fixed offset until 2024, and the reference takes the machine's database.
"""

from __future__ import annotations

import random
from typing import Any

from tests.property.condition_params import (
    MOMENTS_THAT_ARE,
    SPANS_THAT_ARE,
    TEXTS,
    Values,
)

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "+05:30",
    "-11:00", "02:00", "Etc/GMT+3", "Africa/Monrovia",
)  # fmt: skip
PATTERNS = (
    "a", "^a", "b$", "^[a-z]+$", "", ".", "^.$", r"\d+", "(?i)AB", r"^[^@]+@example\.com$",
    "(a|b)*1", "x.y", "(?s)x.y", r"\pL", "a{2,3}",
)  # fmt: skip
DATE_PARTS = (
    "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
)  # fmt: skip
CLOCK_PARTS = ("getHours", "getMinutes", "getSeconds", "getMilliseconds")
NAMES = ("a", "a", "b", "b", "c", "c", "d", "t", "u", "n", "f", "nope")
ORDERS = ("<", "<=", ">", ">=", "==", "!=")


def condition_text(source: random.Random, *, with_decimals: bool) -> str:
    """A condition, most often one that all checkers take."""
    writer = _Writer(source, with_decimals)
    return writer.bare(writer.truth(source.randint(1, 4)))


class _Writer:
    """Writes expressions of a wanted type, in parentheses where they are more than one word.
    `variables` of loops may hold anything; `depth` is how much deeper it may go."""

    def __init__(self, source: random.Random, with_decimals: bool) -> None:
        self.source = source
        self.with_decimals = with_decimals
        self.values = Values(source, with_decimals)
        self.variables: list[str] = []

    def quoted(self, text: str) -> str:
        """A text in one of the ways to write it."""
        quote = self.source.choice(("'", '"', '"""', "'''"))
        if self.source.random() < 0.3 and "\n" not in text:
            return f"{self.source.choice('rR')}{quote}{text}{quote}"
        return quote + "".join(map(self._sign, text)) + quote

    def _sign(self, sign: str) -> str:
        code = ord(sign)
        ways = [f"\\U{code:08x}"]
        if code < 0x10000:
            ways.append(f"\\u{code:04X}")
        if code < 0x100:
            ways += [f"\\x{code:02x}", f"\\X{code:02X}", f"\\{code:03o}"]
        if sign != "\n":
            ways += [sign if sign != "\\" else "\\\\"] * 5
        return self.source.choice(ways)

    def number(self) -> str:
        """A whole number, sometimes in hexadecimal."""
        value = self.values.whole()
        if self.source.random() < 0.8:
            return str(value)
        return f"{'-' if value < 0 else ''}0x{abs(value):x}"

    def bare(self, text: str) -> str:
        """Without the parentheses around it, some of the time: what binds stronger shows then."""
        if self.source.random() < 0.5 or not text.startswith("("):
            return text
        depth = 0
        for position, sign in enumerate(text):
            depth += (sign == "(") - (sign == ")")
            if depth == 0:
                return text[1:-1] if position == len(text) - 1 else text
        return text

    def one_of(self, *ways: Any) -> str:
        return self.source.choice(ways)()

    def path(self, fitting: str = "") -> str:
        """A value of the request, or a variable: of whatever type it turns out to be, most often
        one of the `fitting` params."""
        if self.variables and self.source.random() < 0.4:
            return self.source.choice(self.variables)
        if fitting and self.source.random() < 0.8:
            return f"params.{self.source.choice(fitting)}"
        name = self.source.choice(NAMES)
        kind = self.source.randrange(8)
        if kind == 0:
            return f"params.{name}.{self.source.choice('ab')}"
        if kind == 1:
            return f"params.{name}[{self.source.randint(-1, 2)}]"
        return f'params["{name}"]' if kind == 2 else f"params.{name}"

    # --- truth ------------------------------------------------------------------------------------

    def truth(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(self._flat, self._has, lambda: self.path("f"), lambda: "reversible")
        below = depth - 1
        return self.one_of(
            lambda: self._compared(below),
            lambda: self._compared(below),
            lambda: self._compared(below),
            lambda: self._joined(below),
            lambda: self._joined(below),
            lambda: f"!{self.truth(below)}",
            lambda: f"({self.truth(below)} ? {self.truth(below)} : {self.truth(below)})",
            lambda: self._looped(below, self.source.choice(("all", "exists", "exists_one"))),
            lambda: self._looped(below, self.source.choice(("all", "exists"))),
            lambda: self._member(below),
            lambda: self._of_text(below),
            self._has,
            self._flat,
            lambda: f"bool({self.path('f')})",
        )

    def _joined(self, depth: int) -> str:
        sign = self.source.choice((" && ", " || "))
        operands = [self.bare(self.truth(depth)) for _ in range(self.source.randint(2, 3))]
        if self.source.random() < 0.1:
            sign = f" // {self.source.choice(TEXTS[:6])}\n{sign}"
        return f"({sign.join(operands)})"

    def _flat(self) -> str:
        """A comparison of a path with a literal, as policies have them."""
        literal = self.one_of(
            self.number,
            lambda: self.quoted(self.values.text()),
            lambda: self.source.choice(("true", "false", "null")),
        )
        pair = [self.path(), literal]
        self.source.shuffle(pair)
        return f"({pair[0]} {self.source.choice(ORDERS)} {pair[1]})"

    def _compared(self, depth: int) -> str:
        kinds = [self.whole, self.whole, self.text, self.moment, self.span, self.items]
        if self.with_decimals:
            kinds += [self.decimal, self.decimal]
        kind = self.source.choice(kinds)
        left = kind(depth)
        right = kind(depth)
        if self.source.random() < 0.15 and kind in (self.whole, self.text, self.items):
            right = self.path()
        if self.with_decimals and kind == self.decimal and self.source.random() < 0.3:
            right = f"params.{self.source.choice('acd')}"
        signs = ORDERS if kind != self.items else ("==", "!=")
        return f"({left} {self.source.choice(signs)} {right})"

    def _member(self, depth: int) -> str:
        kind = self.source.randrange(4)
        if kind == 0:
            return f"({self.text(depth)} in {self.one_of(self.path, lambda: 'target.labels')})"
        if kind == 1:
            items = ", ".join(
                self.quoted(self.values.text()) for _ in range(self.source.randint(1, 5))
            )
            return f"({self.text(depth)} in [{items}])"
        return f"({self.one_of(self.path, lambda: self.whole(depth))} in {self.items(depth)})"

    def _of_text(self, depth: int) -> str:
        kind = self.source.randrange(4)
        if kind == 0:
            return f"{self.text(depth)}.matches({self.quoted(self.source.choice(PATTERNS))})"
        name = self.source.choice(("startsWith", "endsWith", "contains"))
        return f"{self.text(depth)}.{name}({self.text(depth)})"

    def _has(self) -> str:
        name = self.source.choice(NAMES)
        kind = self.source.randrange(4)
        if kind == 0:
            return f"has(params.{name}.{self.source.choice('ab')})"
        return "has(agent.labels.team)" if kind == 1 else f"has(params.{name})"

    # --- lists ------------------------------------------------------------------------------------

    def _looped(self, depth: int, name: str) -> str:
        items = self.one_of(
            lambda: f"params.{self.source.choice('ccd')}", lambda: self.items(depth)
        )
        variable = f"x{len(self.variables)}"
        self.variables.append(variable)
        inner = self.truth(depth)
        self.variables.pop()
        return f"{items}.{name}({variable}, {self.bare(inner)})"

    def items(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(lambda: "params.c", self._written)
        below = depth - 1
        return self.one_of(
            lambda: "params.c",
            self._written,
            self._written,
            lambda: f"({self.items(below)} + {self.items(below)})",
            lambda: self._looped(below, "filter"),
            lambda: self._mapped(below),
        )

    def _written(self) -> str:
        kind = self.source.randrange(4)
        if kind == 0:
            return f"[{', '.join(self.quoted(self.values.text()) for _ in range(2))}]"
        if kind == 1:
            return f"[{', '.join(self.number() for _ in range(3))}]"
        if kind == 2:
            return f"[{', '.join(self.path() for _ in range(self.source.randint(1, 3)))}]"
        mixed = ["1", '"a"', "now", 'duration("1s")', "true", "null", "[1]", self.path()]
        if self.with_decimals:
            mixed += ["1.0", "1.5"]
        return f"[{', '.join(self.source.sample(mixed, 3))}]"

    def _mapped(self, depth: int) -> str:
        items = self.items(depth)
        variable = f"x{len(self.variables)}"
        self.variables.append(variable)
        made = self.one_of(lambda: self.whole(depth), lambda: self.text(depth), self.path)
        test = f"{self.truth(depth)}, " if self.source.random() < 0.3 else ""
        self.variables.pop()
        return f"{items}.map({variable}, {test}{made})"

    # --- numbers and texts ------------------------------------------------------------------------

    def whole(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(
                self.number,
                self._number,
                self._number,
                lambda: "risk.score",
                lambda: "risk.operation",
                lambda: 'risk.factors["context.amount"]',
            )
        below = depth - 1
        return self.one_of(
            self.number,
            self._number,
            self._number,
            lambda: self._computed(self.whole, "+-*/%", below),
            lambda: self._computed(self.whole, "+-*/%", below),
            lambda: f"-{self._number()}",
            lambda: f"size({self.one_of(self.path, lambda: self.items(below))})",
            lambda: f"int({self._convertible(below)})",
            lambda: self._part(below),
            lambda: f"({self.truth(below)} ? {self.whole(below)} : {self.whole(below)})",
        )

    def _convertible(self, depth: int) -> str:
        ways = [lambda: self.path("na"), lambda: self.whole(depth), lambda: self.moment(depth)]
        if self.with_decimals:
            ways.append(lambda: self.decimal(depth))
        return self.one_of(*ways)

    def _computed(self, kind: Any, signs: str, depth: int) -> str:
        text = f"({kind(depth)} {self.source.choice(signs)} {kind(depth)})"
        return self.bare(text) if kind in (self.whole, self.decimal) else text

    def decimal(self, depth: int) -> str:
        if depth <= 0:
            return self.source.choice(("1.0", "0.5", "-2.5", ".25", "1e3", "0.0", "1e-3"))
        below = depth - 1
        return self.one_of(
            lambda: self.decimal(0),
            lambda: f"double({self.path('na')})",
            lambda: f"double({self.whole(below)})",
            lambda: self._computed(self.decimal, "+-*/", below),
            lambda: f"-{self.decimal(0).removeprefix('-')}",
        )

    def text(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(
                lambda: self.quoted(self.values.text()), self._text, self._text, lambda: "action"
            )
        below = depth - 1
        return self.one_of(
            lambda: self.quoted(self.values.text()),
            self._text,
            self._text,
            lambda: self._computed(self.text, "+", below),
            lambda: f"string({self.moment(below)})",
            lambda: f"string({self.span(below)})",
            lambda: f"string(params.{self.source.choice('abcfn')})",
            lambda: f"({self.truth(below)} ? {self.text(below)} : {self.text(below)})",
        )

    def _number(self) -> str:
        return self.path("a")

    def _text(self) -> str:
        return self.path("bbbtn")

    # --- times ------------------------------------------------------------------------------------

    def moment(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(
                lambda: "now",
                lambda: f"timestamp({self.quoted(self.source.choice(MOMENTS_THAT_ARE))})",
                lambda: "timestamp(params.t)",
            )
        below = depth - 1
        return self.one_of(
            lambda: self.moment(0),
            lambda: f"timestamp({self.path('t')})",
            lambda: f"timestamp({self.whole(below)})",
            lambda: f"({self.moment(below)} + {self.span(below)})",
            lambda: f"({self.span(below)} + {self.moment(below)})",
            lambda: f"({self.moment(below)} - {self.span(below)})",
        )

    def span(self, depth: int) -> str:
        if depth <= 0:
            return self.one_of(
                lambda: f"duration({self.quoted(self.source.choice(SPANS_THAT_ARE))})",
                lambda: "duration(params.u)",
            )
        below = depth - 1
        return self.one_of(
            lambda: self.span(0),
            lambda: f"duration({self.path('u')})",
            lambda: f"({self.moment(below)} - {self.moment(below)})",
            lambda: f"({self.span(below)} {self.source.choice('+-')} {self.span(below)})",
        )

    def _part(self, depth: int) -> str:
        if self.source.random() < 0.3:
            return f"{self.span(depth)}.{self.source.choice(CLOCK_PARTS)}()"
        zone = self.quoted(self.source.choice(ZONES)) if self.source.random() < 0.6 else ""
        return f"{self.moment(depth)}.{self.source.choice(DATE_PARTS + CLOCK_PARTS)}({zone})"
