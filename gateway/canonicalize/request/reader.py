"""Gives the values that a request carries at an address. Lazy: a body is parsed when it is read.

Refuses to give a value that the request states twice, or that stands in a body of another type
than the operation takes. Never picks one of two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element

from gateway.canonicalize.authored.operation import EVERY, Address, Place
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import (
    MediaType,
    media_type,
    parse_form,
    parse_json,
    parse_xml,
)
from gateway.canonicalize.request.cbor import parse_cbor
from gateway.canonicalize.request.multipart import Part, form_of_parts, parse_multipart
from gateway.canonicalize.request.pairs import Pairs, parse_pairs
from gateway.model.exchange import HttpRequest

_METHOD_FIELD = re.compile(rb"(?i)_method|method.override|x.http.method|_httpmethod")
_IDENTITY = frozenset({b"", b"identity"})

_UNREAD = object()
"""Stands for a body that was not parsed yet."""

# Looking up a member on its enum costs as much as a call in Python 3.11.
_NONE, _JSON, _CBOR = MediaType.NONE, MediaType.JSON, MediaType.CBOR
_FORM, _MULTIPART = MediaType.FORM, MediaType.MULTIPART


class RequestReader:
    """One request's values. `captured` are the path variables of the entry now looked at.
    `untyped_json`: a body without a content type is JSON, as the server takes it. `headers_read`
    are those of which a value was asked for."""

    __slots__ = (
        "_form", "_json", "_query", "_xml", "captured", "headers_read", "media", "raw_query",
        "request",
    )  # fmt: skip

    def __init__(self, request: HttpRequest, raw_query: str, *, untyped_json: bool = False) -> None:
        self.request = request
        self.raw_query = raw_query
        self.captured: tuple[str, ...] = ()
        self.headers_read: set[bytes] = set()
        self.media = media_type(request.fields, request.repeated)
        if untyped_json and self.media is _NONE:
            self.media = MediaType.JSON
        self._query: Pairs | None = None
        self._form: Pairs | None = None
        self._json: object = _UNREAD
        self._xml: Element | None = None

    # --- the parts, parsed once -------------------------------------------------------------------

    @property
    def query(self) -> Pairs:
        if self._query is None:
            self._query = parse_pairs(self.raw_query, ambiguity.QUERY)
        return self._query

    @property
    def form(self) -> Pairs:
        if self._form is None:
            if self.media is _MULTIPART:
                self._form = form_of_parts(self.parts())
            else:
                self._form = parse_form(self._body_of(MediaType.FORM))
        return self._form

    @property
    def json(self) -> object:
        if self._json is _UNREAD and self.media is _CBOR:
            # The values are JSON's, and no bytes are an object in both.
            body = self.whole_body()
            self._json = parse_cbor(body) if body else {}
        elif self._json is _UNREAD:
            body = self._body_of(MediaType.JSON)
            self._json = parse_json(body) if body else {}
        return self._json

    @property
    def xml(self) -> Element | None:
        if self._xml is None:
            body = self._body_of(MediaType.XML)
            self._xml = parse_xml(body) if body else None
        return self._xml

    def parts(self) -> list[Part]:
        """The parts of a multipart body, of whatever kind.

        Raises:
            AmbiguityError: of what is ambiguous in it.
        """
        return parse_multipart(self.whole_body(), self.request.fields.get(b"content-type", b""))

    def within(self, value: object) -> RequestReader:
        """A reader of something inside this request as if it were the whole JSON body."""
        inner = RequestReader(self.request, "")
        inner.headers_read = self.headers_read
        inner.media = MediaType.JSON
        inner._json = value
        return inner

    def _body_of(self, expected: MediaType) -> bytes:
        """The complete body, if it is of this type or empty."""
        body = self.whole_body()
        if body and self.media is not expected and not self._is_untyped_xml(expected):
            raise AmbiguityError(
                ambiguity.CONTENT_TYPE, f"this operation takes {expected}, the body says otherwise"
            )
        return body

    def _is_untyped_xml(self, expected: MediaType) -> bool:
        """S3 clients send XML without a content type; nothing else begins with `<`."""
        return expected is MediaType.XML and self.media is _NONE

    def whole_body(self) -> bytes:
        """The complete, uncompressed body.

        Raises:
            AmbiguityError: `body_too_large` or `ambiguous_encoding`.
        """
        if self.request.body is None:
            raise AmbiguityError(
                ambiguity.BODY_TOO_LARGE, "this operation's body must be read, and is too large"
            )
        encoding = self.request.fields.get(b"content-encoding")
        if encoding is not None and encoding.strip().lower() not in _IDENTITY:
            raise AmbiguityError(ambiguity.ENCODING, "the body is compressed")
        return self.request.body

    def check_method(self, *, is_text: bool = False) -> None:
        """Refuse method overrides in the query and the form, and a GET that carries a body.
        `is_text`: the server takes the body for text, whatever its content type.

        Raises:
            AmbiguityError: `ambiguous_method`, `ambiguous_body`, or of the part that is bad.
        """
        method, body = self.request.method, self.request.body
        if self.raw_query:
            self.query.check_method(method)
        if body == b"":
            return
        if method in ("GET", "HEAD"):
            raise AmbiguityError(ambiguity.BODY, "servers differ on the body of a GET")
        if is_text:
            return
        if self.media is _FORM or (self.media is _MULTIPART and _names_method(body)):
            self.form.check_method(method)

    # --- values -----------------------------------------------------------------------------------

    def value(self, address: Address) -> object:
        """The value at an address: text, an integer, a container, or None where there is none.

        Raises:
            AmbiguityError: it is there twice, or in a body of another type.
        """
        return _READ[address.place](self, address)

    def has(self, address: Address) -> bool:
        """Whether something stands there, even empty; twice is as good as once."""
        if address.place is Place.QUERY and address.name in self.query.values:
            return True
        if address.place is Place.FORM and address.name in self.form.values:
            return True
        return self.value(address) is not None


def _names_method(body: bytes | None) -> bool:
    """Whether a multipart body may have a field that frameworks take for the method; only then is
    it taken apart."""
    return body is not None and _METHOD_FIELD.search(body) is not None


def _read_path(reader: RequestReader, address: Address) -> str:
    return reader.captured[address.index]


def _read_query(reader: RequestReader, address: Address) -> str | None:
    return reader.query.value(address) if reader.raw_query else None


def _read_form(reader: RequestReader, address: Address) -> str | None:
    return reader.form.value(address)


def _read_body(reader: RequestReader, address: Address) -> object:
    return _walk_json(reader.json, address)


def _read_xml(reader: RequestReader, address: Address) -> str | None:
    texts = xml_texts(reader.xml, address)
    if len(texts) > 1:
        raise AmbiguityError(ambiguity.BODY, f"`{address.keys[-1]}` is there twice")
    return texts[0] if texts else None


def _read_header(reader: RequestReader, address: Address) -> str | None:
    name = address.name.encode()
    reader.headers_read.add(name)
    value = reader.request.fields.get(name)
    if value is None:
        return None
    if name in reader.request.repeated:
        raise AmbiguityError(ambiguity.HEADER, f"the header `{address.name}` is there twice")
    return value.decode("latin-1")


def _read_any(reader: RequestReader, address: Address) -> object:
    found = reader.query.value(address) if reader.raw_query else None
    if reader.request.body == b"":
        return found
    if reader.media is _JSON or reader.media is _CBOR:
        other = _walk_json(reader.json, address)
    else:
        other = reader.form.value(address)
    if found is None:
        return other
    if other is not None and other != found:
        raise AmbiguityError(
            ambiguity.BODY, f"`{address.name}` differs between the query and the body"
        )
    return found


_READ: Mapping[Place, Callable[[RequestReader, Address], object]] = {
    Place.PATH: _read_path,
    Place.QUERY: _read_query,
    Place.HEADER: _read_header,
    Place.FORM: _read_form,
    Place.BODY: _read_body,
    Place.XML: _read_xml,
    Place.ANY: _read_any,
}
"""A table, because a chain of comparisons costs more than most reads."""


def reader_at(place: Place) -> Callable[[RequestReader, Address], object]:
    """What reads the values of a place: `RequestReader.value` with its choice already made."""
    return _READ[place]


def _walk_json(value: object, address: Address) -> object:
    for key in address.keys:
        if isinstance(key, int):
            if not isinstance(value, list) or not 0 <= key < len(value):
                return None
            value = value[key]
        elif isinstance(value, Mapping):
            value = member(value, key)
        else:
            return None
    return value


NO_TEXT = object()
"""Stands for a value that is there and is not what its address expects."""


def json_values(root: object, address: Address) -> list[object]:
    """Everything at an address with `[*]` in it, in order; what is absent or null is left out."""
    values = [root]
    for key in address.keys:
        found: list[object] = []
        for value in values:
            if key == EVERY and isinstance(value, list):
                found += value
            elif isinstance(key, int) and isinstance(value, list):
                found += value[key : key + 1]
            elif isinstance(key, str) and isinstance(value, Mapping):
                found.append(member(value, key))
            else:
                found.append(NO_TEXT)
        values = [value for value in found if value is not None]
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def member(mapping: Mapping[str, object], key: str) -> object:
    """The value of a key. Go's JSON reader takes keys in any case, and the last one wins; so a
    variant is refused. `~key` is for servers that are known to take any case: there it is taken."""
    if key.startswith("~"):
        return _member_in_any_case(mapping, key[1:])
    size, folded = len(key), key.lower()
    for other in mapping:
        if len(other) == size and other != key and other.lower() == folded:
            raise AmbiguityError(ambiguity.BODY, f"a key is spelled nearly like `{key}`")
    return mapping.get(key)


def _member_in_any_case(mapping: Mapping[str, object], key: str) -> object:
    folded = key.lower()
    found = [other for other in mapping if other.lower() == folded]
    if len(found) > 1:
        raise AmbiguityError(ambiguity.BODY, f"`{key}` is there in two spellings")
    return mapping[found[0]] if found else None


def xml_texts(root: Element | None, address: Address) -> list[str]:
    """The texts of all elements at an address, in order."""
    elements = [] if root is None or root.tag != address.keys[0] else [root]
    for key in address.keys[1:]:
        elements = [child for element in elements for child in element if child.tag == key]
    return [element.text or "" for element in elements]
