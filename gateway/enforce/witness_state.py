"""An answer to a look at a target -> its state: the fields that count, and their digest. Pure.

Whatever doesn't read in exactly one way is no state. JSON has each key once; XML has no document
type, hence no entities; where an element comes several times its texts are sorted, because servers
list such things in no order that they promise.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree.ElementTree import ParseError, XMLParser

from gateway.model.action import WitnessRead
from gateway.model.approval import Witness
from gateway.model.codec import INTEGER_MAX, JsonValue, canonical_json
from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError

XML_ELEMENTS_MAX: Final = 20_000
XML_DEPTH_MAX: Final = 32
"""As of requests: more than any single object of an API."""

HEADER: Final = "header."
NOTHING_THERE: Final[Mapping[str, JsonValue]] = {"exists": False}
"""The state of a target that there isn't."""

_DOMAIN: Final = b"checkrein.witness.v1\n"
_ABSENT: Final = object()
_XML_TYPE: Final = re.compile(rb"[a-z]+/(?:[a-z0-9.+-]+\+)?xml(?:;|$)")
_OTHER_CHARSET: Final = re.compile(
    rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"'](?!utf-?8[\"'])", re.IGNORECASE
)


class WitnessError(CheckreinError):
    """The target's state can't be read, so nobody can say that it is unchanged."""

    retryable = True


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came back. `fields` are its headers by lower-case name."""

    status: int
    fields: Mapping[bytes, bytes]
    body: bytes


def state_of(read: WitnessRead, answer: Answer) -> Witness:
    """The state that an answer tells.

    Raises:
        WitnessError: it is no success, or doesn't read in exactly one way.
    """
    if answer.status == 404 and read.may_be_absent:
        return _witness(NOTHING_THERE)
    encoding = answer.fields.get(b"content-encoding", b"").strip().lower()
    if answer.status != 200 or encoding not in (b"", b"identity"):
        raise WitnessError(
            "witness.refused", f"the target's state was answered with {answer.status}"
        )
    try:
        picks = _picks(read, answer)
        if read.success and picks(read.success) is not True:
            raise WitnessError("witness.refused", "the provider did not tell the target's state")
        names = read.names or read.fields
        state = {name: picks(place) for name, place in zip(names, read.fields, strict=True)}
        found = {name: part for name, part in state.items() if part is not _ABSENT}
        if not found:
            raise WitnessError("witness.empty", "the answer has none of the fields that count")
        return _witness(found)
    except (ValueError, ParseError, RecursionError) as error:
        raise WitnessError("witness.unreadable", "the target's state can't be read") from error


def _witness(state: Mapping[str, Any]) -> Witness:
    return Witness(hashlib.sha256(_DOMAIN + canonical_json(state)).hexdigest(), state)


class _Picks:
    """Gives a field of an answer by its place, `_ABSENT` where it isn't there."""

    def __init__(self, headers: Mapping[bytes, bytes], body: Any, is_xml: bool) -> None:
        self._headers = headers
        self._body = body
        self._is_xml = is_xml

    def __call__(self, place: str) -> Any:
        if place.startswith(HEADER):
            value = self._headers.get(place.removeprefix(HEADER).encode())
            return _ABSENT if value is None else value.decode("latin-1")
        names = place.split(".")
        return _pick_xml(self._body, names) if self._is_xml else _pick(self._body, names)


def _picks(read: WitnessRead, answer: Answer) -> _Picks:
    body: Any = None
    is_xml = _XML_TYPE.match(answer.fields.get(b"content-type", b"").lower()) is not None
    if not all(field.startswith(HEADER) for field in read.fields):
        body = _parse_xml(answer.body) if is_xml else _parse_json(answer.body)
    return _Picks(answer.fields, body, is_xml)


# --- JSON -----------------------------------------------------------------------------------------


def _parse_json(body: bytes) -> Any:
    value = json.loads(
        body.decode(),
        parse_float=_Decimal,
        parse_int=_whole,
        parse_constant=_refuse,
        object_pairs_hook=_unique,
    )
    if not isinstance(value, dict):
        raise ValueError("no object")
    return value


class _Decimal(str):
    """A number that is not whole: kept as it is written."""

    __slots__ = ()


def _whole(text: str) -> int | str:
    if len(text) <= 16 and abs(value := int(text)) <= INTEGER_MAX:
        return value
    return _Decimal(text)


def _refuse(_: str) -> None:
    raise ValueError("no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _pick(value: object, names: list[str]) -> Any:
    """A field; of a list on the way, that of each element, in their order."""
    for position, name in enumerate(names):
        if isinstance(value, list):
            each = [_pick(item, names[position:]) for item in value]
            return [part for part in each if part is not _ABSENT] or _ABSENT
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return _plain(value)


def _plain(value: object) -> JsonValue:
    """The same with decimals as objects of their own, so that 1.5 is not "1.5"."""
    match value:
        case _Decimal():
            return {"decimal": str(value)}
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case None | bool() | int() | str():
            return value
        case _:
            raise ValueError("not JSON")


# --- XML ------------------------------------------------------------------------------------------

Element = dict[str, list[Any]]
"""Children by their names without namespaces; a leaf is its text."""


class _Builder:
    """Builds elements, counted, and refuses a document type."""

    def __init__(self) -> None:
        self._open: list[tuple[Element, list[str]]] = [({}, [])]
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > XML_ELEMENTS_MAX or len(self._open) > XML_DEPTH_MAX:
            raise ValueError("too large or too deep")
        self._open.append(({}, []))

    def end(self, tag: str) -> None:
        children, texts = self._open.pop()
        text = "".join(texts)
        if children and text.strip():
            raise ValueError("text between elements")
        self._open[-1][0].setdefault(tag.rpartition("}")[2], []).append(children or text)

    def data(self, text: str) -> None:
        self._open[-1][1].append(text)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError("a document type")

    def close(self) -> Any:
        ((root,),) = self._open[0][0].values()
        return root


def _parse_xml(body: bytes) -> Any:
    """The root element's content. No document types, no encodings other than UTF-8."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or _OTHER_CHARSET.match(body):
        raise ValueError("a document type or another encoding")
    parser = XMLParser(target=_Builder(), encoding="utf-8")  # noqa: S314 - no document type passes
    parser.feed(body)
    return parser.close()


def _pick_xml(root: object, names: list[str]) -> Any:
    found = [root]
    for name in names:
        found = [child for one in found if isinstance(one, dict) for child in one.get(name, ())]
    if not found:
        return _ABSENT
    return found[0] if len(found) == 1 else sorted(found, key=canonical_json)
