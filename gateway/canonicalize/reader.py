"""Gives the values that a request carries at an address. Lazy: a body is parsed when it is read.

Refuses to give a value that the request states twice, or that stands in a body of another type
than the operation takes. Never picks one of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from gateway.canonicalize import ambiguity
from gateway.canonicalize.ambiguity import AmbiguityError
from gateway.canonicalize.bodies import MediaType, media_type, parse_form, parse_json, parse_xml
from gateway.canonicalize.normalize import Pairs, check_method_keys, parse_pairs
from gateway.canonicalize.operation import Address, Place
from gateway.model.exchange import HttpRequest

_IDENTITY = frozenset({b"", b"identity"})


class RequestReader:
    """One request's values. `captured` are the path variables of the entry now looked at."""

    __slots__ = ("_form", "_json", "_query", "_xml", "captured", "media", "raw_query", "request")

    def __init__(self, request: HttpRequest, raw_query: str) -> None:
        self.request = request
        self.raw_query = raw_query
        self.captured: tuple[str, ...] = ()
        self.media = media_type(request.fields, request.repeated)
        self._query: Pairs | None = None
        self._form: Pairs | None = None
        self._json: object = self
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
            self._form = parse_form(self._body_of(MediaType.FORM))
        return self._form

    @property
    def json(self) -> object:
        if self._json is self:
            body = self._body_of(MediaType.JSON)
            self._json = parse_json(body) if body else {}
        return self._json

    @property
    def xml(self) -> Element | None:
        if self._xml is None:
            body = self._body_of(MediaType.XML)
            self._xml = parse_xml(body) if body else None
        return self._xml

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
        return expected is MediaType.XML and self.media is MediaType.NONE

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

    def check_method(self) -> None:
        """Refuse method overrides in the query and the form, and a GET that carries a body.

        Raises:
            AmbiguityError: `ambiguous_method`, `ambiguous_body`, or of the part that is bad.
        """
        method, body = self.request.method, self.request.body
        if self.raw_query:
            check_method_keys(method, self.query)
        if body == b"":
            return
        if method in ("GET", "HEAD"):
            raise AmbiguityError(ambiguity.BODY, "servers differ on the body of a GET")
        if self.media is MediaType.FORM:
            check_method_keys(method, self.form)

    # --- values -----------------------------------------------------------------------------------

    def value(self, address: Address) -> object:
        """The value at an address: text, an integer, a container, or None where there is none.

        Raises:
            AmbiguityError: it is there twice, or in a body of another type.
        """
        match address.place:
            case Place.FORM:
                return self._pair(self.form, address, ambiguity.BODY)
            case Place.PATH:
                return self.captured[address.index]
            case Place.BODY:
                return _walk_json(self.json, address)
            case Place.QUERY:
                return self._pair(self.query, address, ambiguity.QUERY)
            case Place.HEADER:
                return self._header(address)
            case Place.XML:
                return _walk_xml(self.xml, address)
            case Place.ANY:
                return self._any(address)

    def _header(self, address: Address) -> str | None:
        name = address.name.encode()
        value = self.request.fields.get(name)
        if value is None:
            return None
        if name in self.request.repeated:
            raise AmbiguityError(ambiguity.HEADER, f"the header `{address.name}` is there twice")
        return value.decode("latin-1")

    def _any(self, address: Address) -> object:
        found = self._pair(self.query, address, ambiguity.QUERY) if self.raw_query else None
        if self.request.body == b"":
            return found
        if self.media is MediaType.JSON:
            other = _walk_json(self.json, address)
        else:
            other = self._pair(self.form, address, ambiguity.BODY)
        if found is None:
            return other
        if other is not None and other != found:
            raise AmbiguityError(
                ambiguity.BODY, f"`{address.name}` differs between the query and the body"
            )
        return found

    def _pair(self, pairs: Pairs, address: Address, code: str) -> str | list[str] | None:
        value = pairs.get(address.name)
        if isinstance(value, list):
            raise AmbiguityError(code, f"`{address.name}` is there twice")
        check_look_alikes(pairs, address, code)
        return value

    def has(self, address: Address) -> bool:
        """Whether something stands there, even empty; twice is as good as once."""
        match address.place:
            case Place.QUERY:
                return address.name in self.query
            case Place.FORM:
                return address.name in self.form
            case _:
                return self.value(address) is not None


def check_look_alikes(pairs: Pairs, address: Address, code: str) -> None:
    """Refuse keys that some servers take for the one that is read: `amount[]`, ` amount`,
    `AMOUNT`, `items[][price]` beside `items[0][price]`.

    Raises:
        AmbiguityError: with `code`.
    """
    root = str(address.keys[0])
    folded = root.lower()
    plain = len(address.keys) == 1
    for key in pairs:
        # Most keys differ in length or first letter; `in` is the cheapest sieve.
        if key == root or folded not in key.lower().replace(".", "_").replace(" ", "_"):
            continue
        stem = key.strip().partition("[")[0].partition("]")[0]
        if stem == root and key.startswith(root):
            if plain or not _is_plain_branch(key[len(root) :]):
                raise AmbiguityError(code, f"`{root}` is there in two shapes")
        elif stem.replace(".", "_").replace(" ", "_").lower() == folded:
            raise AmbiguityError(code, f"a key is spelled nearly like `{root}`")


def _is_plain_branch(rest: str) -> bool:
    """`[0][price]`, and neither `[]`, nor an unclosed or trailing piece."""
    if not rest.startswith("[") or not rest.endswith("]"):
        return False
    return all(part and "[" not in part and "]" not in part for part in rest[1:-1].split("]["))


def _walk_json(value: object, address: Address) -> object:
    for key in address.keys:
        if isinstance(key, int):
            if not isinstance(value, list) or key >= len(value):
                return None
            value = value[key]
        elif isinstance(value, Mapping):
            value = _member(value, key)
        else:
            return None
    return value


def _member(mapping: Mapping[str, object], key: str) -> object:
    """Go's JSON reader takes keys in any case, and the last one wins; so a variant is refused."""
    size, folded = len(key), key.lower()
    for other in mapping:
        if len(other) == size and other != key and other.lower() == folded:
            raise AmbiguityError(ambiguity.BODY, f"a key is spelled nearly like `{key}`")
    return mapping.get(key)


def _walk_xml(root: Element | None, address: Address) -> str | None:
    elements = [] if root is None or root.tag != address.keys[0] else [root]
    for key in address.keys[1:]:
        elements = [child for element in elements for child in element if child.tag == key]
    if len(elements) > 1:
        raise AmbiguityError(ambiguity.BODY, f"`{address.keys[-1]}` is there twice")
    return elements[0].text if elements and not len(elements[0]) else None


def xml_texts(root: Element | None, address: Address) -> list[str]:
    """The texts of all elements at an address, in order."""
    elements = [] if root is None or root.tag != address.keys[0] else [root]
    for key in address.keys[1:]:
        elements = [child for element in elements for child in element if child.tag == key]
    return [element.text or "" for element in elements]
