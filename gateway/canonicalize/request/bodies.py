"""Turns a request body into forms, JSON values or XML elements, strictly, and in bounded time.

Every body that two parsers could read differently is refused: duplicate keys however they are
escaped, NaN, numbers beyond every reader, lone surrogates, byte order marks, document types.
Numbers that are not integers stay text. Never guesses a type that the headers don't say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from xml.etree.ElementTree import Element, ParseError, XMLParser

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.pairs import Pairs, parse_pairs
from gateway.model.codec import INTEGER_MAX

JSON_DEPTH_MAX = 64
"""Honest API bodies nest some ten deep; parsers give up anywhere between 100 and 10,000."""
XML_DEPTH_MAX = 32
XML_ELEMENTS_MAX = 20_000
"""S3's largest body, a deletion of 1,000 objects, has 4,000."""
NUMBER_DIGITS_MAX = 40
"""Longer numbers overflow or lose digits in most readers."""


class MediaType(StrEnum):
    """What a body is, as its content type says. MULTIPART is a form with files; OTHER covers what
    is no form, other kinds of multipart included."""

    NONE = "none"
    FORM = "form"
    JSON = "json"
    XML = "xml"
    CBOR = "cbor"
    MULTIPART = "multipart"
    OTHER = "other"


_MEDIA_TYPES = {
    b"": MediaType.NONE,
    b"application/x-www-form-urlencoded": MediaType.FORM,
    b"application/x-www-form-urlencoded; charset=utf-8": MediaType.FORM,
    b"application/json": MediaType.JSON,
    b"application/x-amz-json-1.0": MediaType.JSON,
    b"application/x-amz-json-1.1": MediaType.JSON,
    b"application/cbor": MediaType.CBOR,
    b"application/json; charset=utf-8": MediaType.JSON,
    b"application/json;charset=utf-8": MediaType.JSON,
    b"application/xml": MediaType.XML,
    b"text/xml": MediaType.XML,
    b"multipart/form-data": MediaType.MULTIPART,
}
_CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii"})


class DecimalText(str):
    """A JSON number that is not an integer, as it was written."""

    __slots__ = ()


def media_type(fields: Mapping[bytes, bytes], repeated: frozenset[bytes]) -> MediaType:
    """Tell what the content type says.

    Raises:
        AmbiguityError: two content types, or a charset other than UTF-8.
    """
    value = fields.get(b"content-type", b"")
    known = _MEDIA_TYPES.get(value)
    if known is not None:
        return known
    if b"content-type" in repeated or b"," in value:
        raise AmbiguityError(ambiguity.CONTENT_TYPE, "more than one content type")
    name, *parameters = value.lower().split(b";")
    for parameter in parameters:
        key, _, charset = parameter.strip().partition(b"=")
        if key.strip() == b"charset" and charset.strip(b' "') not in _CHARSETS:
            raise AmbiguityError(ambiguity.CONTENT_TYPE, "a charset other than UTF-8")
    name = name.strip()
    if name.startswith((b"application/", b"text/")) and name.endswith(b"+json"):
        return MediaType.JSON
    return _MEDIA_TYPES.get(name, MediaType.OTHER)


def parse_form(body: bytes) -> Pairs:
    """Read a form; bracketed keys stay as they are written (`items[0][price]`).

    Raises:
        AmbiguityError: `ambiguous_body`.
    """
    try:
        return parse_pairs(body.decode("ascii"), ambiguity.BODY)
    except UnicodeDecodeError:
        raise AmbiguityError(ambiguity.BODY, "the form has bytes outside ASCII") from None


# --- JSON -----------------------------------------------------------------------------------------


def parse_json(body: bytes) -> object:
    """Read JSON strictly. The standard library's scanner is used because a fast reader such as
    orjson drops duplicate keys in silence and turns big integers into floats.

    Raises:
        AmbiguityError: `ambiguous_body`.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguityError(ambiguity.BODY, "the JSON is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise AmbiguityError(ambiguity.BODY, "the JSON begins with a byte order mark")
    if text.count("[") + text.count("{") > JSON_DEPTH_MAX:
        _check_depth(text)
    try:
        value: object = _DECODER.decode(text)
    except AmbiguityError:
        raise
    except (ValueError, RecursionError):
        raise AmbiguityError(ambiguity.BODY, "the body is not well-formed JSON") from None
    if "\\u" in text and _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def _check_depth(text: str) -> None:
    """Peel innermost bracket pairs, one level a round: linear in C, whatever the body holds."""
    brackets = _NOT_BRACKETS.sub("", _STRING.sub("", text))
    for _ in range(JSON_DEPTH_MAX):
        if not brackets:
            return
        peeled = brackets.replace("[]", "").replace("{}", "")
        if len(peeled) == len(brackets):
            break
        brackets = peeled
    if brackets:
        raise AmbiguityError(ambiguity.BODY, "the JSON is nested too deeply or never closed")


def _check_surrogates(value: object) -> None:
    """Refuse text that no UTF-8 encoder can write, keys included."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        raise AmbiguityError(ambiguity.BODY, "the JSON has a lone surrogate") from None


def _unique_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise AmbiguityError(ambiguity.BODY, "a JSON key is there twice")
    return value


def _parse_integer(text: str) -> int:
    if len(text) > NUMBER_DIGITS_MAX or not -INTEGER_MAX <= (number := int(text)) <= INTEGER_MAX:
        raise AmbiguityError(ambiguity.BODY, "a JSON integer beyond 2^53-1")
    return number


def _parse_decimal(text: str) -> DecimalText:
    if len(text) > NUMBER_DIGITS_MAX or float(text) in (float("inf"), float("-inf")):
        raise AmbiguityError(ambiguity.BODY, "a JSON number that readers round or overflow")
    return DecimalText(text)


def _refuse_constant(_name: str) -> object:
    raise AmbiguityError(ambiguity.BODY, "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_object,
    parse_int=_parse_integer,
    parse_float=_parse_decimal,
    parse_constant=_refuse_constant,
)


# --- XML ------------------------------------------------------------------------------------------


class _BoundedBuilder:
    """Builds elements without namespaces; counts them, and refuses a document type."""

    def __init__(self) -> None:
        self._root: Element | None = None
        self._open: list[Element] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> Element:
        self._count += 1
        if self._count > XML_ELEMENTS_MAX or len(self._open) >= XML_DEPTH_MAX:
            raise AmbiguityError(ambiguity.BODY, "the XML is too large or too deep")
        element = Element(tag.rpartition("}")[2])
        if self._open:
            self._open[-1].append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])
        return element

    def end(self, tag: str) -> Element:
        element, text = self._open.pop(), "".join(self._texts.pop())
        if len(element) and text.strip():
            raise AmbiguityError(ambiguity.BODY, "the XML mixes text and elements")
        element.text = text
        return element

    def data(self, text: str) -> None:
        self._texts[-1].append(text)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise AmbiguityError(ambiguity.BODY, "the XML has a document type")

    def close(self) -> Element | None:
        return self._root


_XML_HEADER = re.compile(rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


def parse_xml(body: bytes) -> Element:
    """Read XML without document types, entities or encodings other than UTF-8.

    Raises:
        AmbiguityError: `ambiguous_body`.
    """
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise AmbiguityError(ambiguity.BODY, "the XML has a document type or another encoding")
    declared = _XML_HEADER.match(body)
    if declared and declared.group(1).lower() not in _CHARSETS:
        raise AmbiguityError(ambiguity.BODY, "the XML has another encoding than UTF-8")
    parser = XMLParser(target=_BoundedBuilder(), encoding="utf-8")  # noqa: S314 - no DTD passes
    try:
        parser.feed(body)
        root: Element | None = parser.close()
    except (ParseError, ValueError):
        raise AmbiguityError(ambiguity.BODY, "the body is not well-formed XML") from None
    if root is None:
        raise AmbiguityError(ambiguity.BODY, "the XML has no element")
    return root
