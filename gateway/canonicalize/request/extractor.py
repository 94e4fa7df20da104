"""Turns a matched operation and its request into actions: target, typed params, what is missing.

A declared param that is absent or not of its type goes to `missing`, and to `unreadable` unless it
is certainly absent; nothing is guessed, rounded or cut short.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from gateway.canonicalize.authored.operation import (
    EVERY,
    Address,
    Operation,
    Param,
    ParamType,
    Place,
)
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText, MediaType
from gateway.canonicalize.request.mail import (
    bare_addresses,
    raw_recipients,
    raw_sender,
    raw_subject,
)
from gateway.canonicalize.request.presence import may_be_there
from gateway.canonicalize.request.reader import RequestReader, json_values, reader_at, xml_texts
from gateway.model.action import Action, ParamValue, Target
from gateway.model.codec import INTEGER_MAX
from gateway.model.money import iso_digits

ACTIONS_MAX = 1000
"""Targets of one request, as many as S3 deletes at once; EC2 takes as many instances."""
TEXT_CHARS_MAX = 16_384
"""A longer text is no value that a rule compares; it counts as missing, never cut short."""
ITEMS_MAX = 1000

TARGET_ID = "target.id"
"""In `missing` when a declared target id can't be read."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,8}))?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "True": True, "False": False}


Read = Callable[[RequestReader], ParamValue]


class Extractor:
    """Reads the values of one operation. Made once for an operation, so that a request pays for
    its values and not for the choice of how each is read."""

    __slots__ = ("_each", "_id", "_operation", "_params", "_places")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._params = [(param.name, _param_reader(param)) for param in operation.params]
        target = operation.target
        self._id = None if target.id is None else _id_reader(target.id.parts)
        self._each = target.each
        self._places = {param.name: (param.address, *param.more) for param in operation.params}
        if target.id is not None:
            parts = target.id.parts
            self._places[TARGET_ID] = tuple(part for part in parts if isinstance(part, Address))
        elif target.each is not None:
            self._places[TARGET_ID] = (target.each,)

    def actions(self, reader: RequestReader) -> tuple[Action, ...]:
        """Build the actions of a request that matched the operation.

        Raises:
            AmbiguityError: a value that is read could be read differently elsewhere.
        """
        params: dict[str, ParamValue] = {}
        missing: list[str] = []
        for name, read in self._params:
            value = read(reader)
            if value is not None:
                params[name] = value
            else:
                missing.append(name)
        if self._id is not None:
            one = self._id(reader)
            ids: tuple[str, ...] = (one,)
            is_whole = one != ""
        else:
            ids = self._ids(reader)
            is_whole = all(ids)
        if TARGET_ID in self._places and not is_whole:
            missing.append(TARGET_ID)
        frozen = MappingProxyType(params)
        absent = unreadable = _NOTHING
        if missing:
            absent = frozenset(missing)
            places = self._places
            unreadable = frozenset([name for name in missing if may_be_there(reader, places[name])])
        return tuple([self._action(one, frozen, absent, unreadable) for one in ids])

    def _ids(self, reader: RequestReader) -> tuple[str, ...]:
        if self._each is None:
            return ("",)
        ids = _texts(self._each, reader, None) or [""]
        if len(ids) > ACTIONS_MAX:
            raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the request acts on too many targets")
        return tuple(ids)

    def _action(
        self,
        target_id: str,
        params: Mapping[str, ParamValue],
        missing: frozenset[str],
        unreadable: frozenset[str],
    ) -> Action:
        operation = self._operation
        return Action(
            operation.provider,
            operation.operation,
            operation.action,
            operation.kind,
            Target(operation.target.type, target_id),
            params,
            operation.reversible,
            operation.sensitive,
            missing,
            unreadable,
            operation.witness,
        )


def extract(operation: Operation, reader: RequestReader) -> tuple[Action, ...]:
    """Build the actions of a request that matched `operation`, for one that is seldom met.

    Raises:
        AmbiguityError: as `Extractor.actions`.
    """
    return Extractor(operation).actions(reader)


_NOTHING: frozenset[str] = frozenset()


def _id_reader(parts: Sequence[str | Address]) -> Callable[[RequestReader], str]:
    """How a target's id is put together; empty where a part of it is absent."""
    if len(parts) == 1 and isinstance(parts[0], Address):
        address = parts[0]
        read = reader_at(address.place)
        return lambda reader: _as_text(read(reader, address)) or ""

    if all(isinstance(part, str) or part.place is Place.PATH for part in parts):
        # What a path captures is never empty; this is most ids, on the hot path.
        form = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in parts)
        indexes = [part.index for part in parts if isinstance(part, Address)]

        def fill(reader: RequestReader) -> str:
            captured = reader.captured
            return form % tuple([captured[index] for index in indexes])

        return fill

    def render(reader: RequestReader) -> str:
        texts = []
        for part in parts:
            text = part if isinstance(part, str) else _as_text(reader.value(part))
            if not text:
                return ""
            texts.append(text)
        return "".join(texts)

    return render


def _as_text(value: object) -> str | None:
    """The text of a scalar; None for containers, and for what is too long."""
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX:
            return None
        # A plain str: a DecimalText would be a type of ours in the record.
        return str(value) if isinstance(value, DecimalText) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else None


def _as_boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else _BOOLEANS.get(_as_text(value) or "")


def _param_reader(param: Param) -> Read:
    """How a param's value is read: chosen by its type and place."""
    kind = param.type
    if kind is ParamType.MAIL_RECIPIENTS:
        return lambda reader: _mail_recipients(param, reader)
    if kind.is_list:
        is_mail = kind is ParamType.MAIL_ADDRESSES

        def read_list(reader: RequestReader) -> ParamValue:
            texts = _all_texts(param, reader)
            return bare_addresses(texts) if texts and is_mail else texts

        return read_list
    address = param.address
    read = reader_at(address.place)
    if kind is ParamType.MONEY_DECIMAL:

        def read_money(reader: RequestReader) -> ParamValue:
            value = read(reader, address)
            return None if value is None else _as_minor_units(value, _currency_of(param, reader))

        return read_money
    convert = _READ_AS[kind]

    def read_value(reader: RequestReader) -> ParamValue:
        value = read(reader, address)
        return None if value is None else convert(value)

    return read_value


def _as_integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        return None
    number = int(value)
    return number if -INTEGER_MAX <= number <= INTEGER_MAX else None


def _as_currency(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def _currency_of(param: Param, reader: RequestReader) -> str | None:
    if isinstance(param.currency, Address):
        return _as_currency(reader.value(param.currency))
    return param.currency


def _as_minor_units(value: object, currency: str | None) -> int | None:
    """`12.5` of usd is 1250. More decimals than the currency has is no amount."""
    text = _as_text(value)
    found = _DECIMAL.fullmatch(text) if text is not None and not isinstance(value, bool) else None
    if found is None or currency is None:
        return None
    digits = iso_digits(currency)
    sign, whole, fraction = found.group(1), found.group(2), (found.group(3) or "").rstrip("0")
    if len(fraction) > digits:
        return None
    number = int(whole + fraction.ljust(digits, "0"))
    if number > INTEGER_MAX:
        return None
    return -number if sign else number


def _as_sender(value: object) -> str | None:
    return raw_sender(value) if isinstance(value, str) else None


def _as_subject(value: object) -> str | None:
    return _as_text(raw_subject(value)) if isinstance(value, str) else None


_READ_AS: Mapping[ParamType, Callable[[object], ParamValue]] = {
    ParamType.TEXT: _as_text,
    ParamType.INTEGER: _as_integer,
    ParamType.MONEY_MINOR: _as_integer,
    ParamType.BOOLEAN: _as_boolean,
    ParamType.CURRENCY: _as_currency,
    ParamType.MAIL_SENDER: _as_sender,
    ParamType.MAIL_SUBJECT: _as_subject,
}


# --- lists ----------------------------------------------------------------------------------------


def _all_texts(param: Param, reader: RequestReader) -> list[str] | None:
    """The texts of all places of a list. A place that is there and can't be read spoils all."""
    texts: list[str] = []
    is_there = False
    for address in (param.address, *param.more):
        found = _list_at(address, reader)
        if found is None:
            continue
        part = _as_texts(found, param.separator)
        if part is None:
            return None
        is_there = True
        texts += part
    return texts if is_there and len(texts) <= ITEMS_MAX else None


def _mail_recipients(param: Param, reader: RequestReader) -> list[str] | None:
    """Everybody named in a whole mail and in the lists beside it: a server may use either."""
    raw = reader.value(param.address)
    found = [] if raw is None else raw_recipients(raw) if isinstance(raw, str) else None
    for address in param.more:
        texts = _as_texts(_list_at(address, reader) or [], None)
        more = None if texts is None else bare_addresses(texts)
        found = None if found is None or more is None else found + more
    return found if found and len(found) <= ITEMS_MAX else None


def _texts(address: Address, reader: RequestReader, separator: str | None) -> list[str] | None:
    """All texts of a list, whatever its notation; None where there is none or one is no text."""
    return _as_texts(_list_at(address, reader), separator)


def _list_at(address: Address, reader: RequestReader) -> object:
    """What stands at the address of a list; None where there is nothing."""
    match address.place:
        case Place.XML:
            found: object = xml_texts(reader.xml, address) or None
        case Place.BODY:
            found = _json_list(address, reader)
        case Place.FORM:
            found = reader.form.texts(address.name)
        case Place.QUERY:
            found = reader.query.texts(address.name)
        case Place.ANY:
            found = _any_list(address, reader)
        case _:
            found = reader.value(address)
    return found


def _as_texts(found: object, separator: str | None) -> list[str] | None:
    """A list of texts, or the one text that stands for it."""
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return None
    texts: list[str] = []
    for item in found:
        text = _as_text(item)
        if text is None:
            return None
        texts += [part.strip() for part in text.split(separator)] if separator else [text]
    return texts if len(texts) <= ITEMS_MAX else None


def _json_list(address: Address, reader: RequestReader) -> object:
    if EVERY not in address.keys:
        return reader.value(address)
    return json_values(reader.json, address) or None


def _any_list(address: Address, reader: RequestReader) -> object:
    found = reader.query.texts(address.name) if reader.raw_query else None
    if reader.request.body == b"":
        return found
    if reader.media is MediaType.JSON or reader.media is MediaType.CBOR:
        other = _json_list(address, reader)
    else:
        other = reader.form.texts(address.name)
    if found is not None and other is not None and found != other:
        raise AmbiguityError(
            ambiguity.BODY, f"`{address.name}` differs between the query and the body"
        )
    return found if other is None else other
