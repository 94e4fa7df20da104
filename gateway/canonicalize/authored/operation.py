"""What a mapper says about one operation, compiled: how it is told apart, and what is read from it.

Frozen values, made once by `mapper` when files are loaded; `matcher` and `extractor` only read
them.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import Enum, StrEnum

from gateway.model.action import Kind, WitnessRead
from gateway.model.dataclass import dataclass


class Place(StrEnum):
    """Where a value stands in a request. ANY: in the query, the form or the JSON, wherever the
    client put it; in two of them with different values it is ambiguous."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    FORM = "form"
    BODY = "body"
    XML = "xml"
    ANY = "any"

    @property
    def is_in_body(self) -> bool:
        return self in _BODY_PLACES


_BODY_PLACES = frozenset({Place.FORM, Place.BODY, Place.XML, Place.ANY})


EVERY = -1
"""The index that stands for every element of a list: `[*]`."""


@dataclass(frozen=True, slots=True)
class Address:
    """One value of a request. `keys` is the way to it: names, and indexes into lists; EVERY makes
    it the way to many, which only a list can take.

    `index` is the position of a path variable among the captured ones; `name` is the key as the
    wire spells it (`items[0][price]` in a form, `a.b` in one of AWS, a lower-case header).
    `folded_root` is what a server that folds case and dots would take the first key for.
    """

    place: Place
    keys: tuple[str | int, ...]
    name: str
    index: int = -1
    root: str = field(init=False)
    folded_root: str = field(init=False)

    def __post_init__(self) -> None:
        root = self.name if self.place is Place.ANY else str(self.keys[0])
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "folded_root", root.lower().replace(".", "_"))

    def __str__(self) -> str:
        text = ""
        for key in self.keys:
            text += f"[{'*' if key == EVERY else key}]" if isinstance(key, int) else f".{key}"
        return f"{self.place}{text}"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with addresses between: `{path.owner}/{path.repo}`. Empty if one of them is absent."""

    parts: tuple[str | Address, ...]

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(part for part in self.parts if isinstance(part, Address))


class ParamType(StrEnum):
    """How a value is read. MONEY_DECIMAL becomes minor units of its currency. MAIL_ADDRESSES is a
    list of bare addresses; the other MAIL_ ones read the headers of a whole mail in base64, and
    MAIL_RECIPIENTS adds the addresses of its other places."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    MONEY_MINOR = "money_minor"
    MONEY_DECIMAL = "money_decimal"
    CURRENCY = "currency"
    LIST = "list"
    MAIL_ADDRESSES = "mail_addresses"
    MAIL_RECIPIENTS = "mail_recipients"
    MAIL_SUBJECT = "mail_subject"
    MAIL_SENDER = "mail_sender"

    @property
    def is_list(self) -> bool:
        """Whether it takes the texts of several places."""
        return self in (ParamType.LIST, ParamType.MAIL_ADDRESSES, ParamType.MAIL_RECIPIENTS)


@dataclass(frozen=True, slots=True)
class Param:
    """`currency` is where MONEY_DECIMAL finds its currency. `separator` splits a LIST's text;
    `more` are the other places of a list, whose texts follow."""

    name: str
    address: Address
    type: ParamType = ParamType.TEXT
    currency: Address | str | None = None
    separator: str | None = None
    more: tuple[Address, ...] = ()


class Presence(Enum):
    PRESENT = True
    ABSENT = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A `when` entry: equality with a text, or presence or absence."""

    address: Address
    expected: str | Presence


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """`each` makes one action for every element of a list; otherwise `id` gives the one target."""

    type: str
    id: Template | None = None
    each: Address | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One entry of a mapper. `template` is `POST /v1/refunds`, or the operation's own name under a
    selector; `origin` is its file and line, for `explain`."""

    provider: str
    operation: str
    action: str
    kind: Kind
    target: TargetSpec
    template: str
    origin: str
    errors: str
    method: str = ""
    segments: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    when: tuple[Condition, ...] = ()
    reversible: bool = True
    sensitive: str | None = None
    witness: WitnessRead | None = None
    expand: str = ""
    """The family of bodies that carry other acts (`graphql`, `sql`, ...), read by `expand`."""
    reads_body: bool = field(default=False)
    """Whether `when`, target or params look into the body."""


def reads_body(operation: Operation) -> Operation:
    """The same operation, which knows whether it looks into the body."""
    addresses = [param.address for param in operation.params]
    addresses += [address for param in operation.params for address in param.more]
    addresses += [condition.address for condition in operation.when]
    if operation.target.id is not None:
        addresses += operation.target.id.addresses
    if operation.target.each is not None:
        addresses.append(operation.target.each)
    reads = bool(operation.expand) or any(address.place.is_in_body for address in addresses)
    return replace(operation, reads_body=reads)
