"""Says whether a declared param that could not be read is there: of what is not, `has()` is false.

Asked only for params without a value. In doubt it is there: a rule that is built on an absence must
not be led by a value of the wrong type, a null, or a list that is too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from gateway.canonicalize.authored.operation import EVERY, Address, Place
from gateway.canonicalize.request.bodies import MediaType
from gateway.canonicalize.request.reader import RequestReader, xml_texts


def may_be_there(reader: RequestReader, addresses: Iterable[Address]) -> bool:
    """Whether something stands at one of these addresses, or in the way to it."""
    return any(_may_hold(reader, address) for address in addresses)


def _may_hold(reader: RequestReader, address: Address) -> bool:
    match address.place:
        case Place.PATH:
            return True
        case Place.QUERY:
            return bool(reader.raw_query) and reader.query.may_hold(address.name)
        case Place.HEADER:
            return address.name.encode() in reader.request.fields
        case Place.FORM:
            return reader.form.may_hold(address.name)
        case Place.BODY:
            return _json_may_hold(reader.json, address.keys)
        case Place.XML:
            root = reader.xml
            of_another_kind = root is not None and root.tag != address.keys[0]
            return of_another_kind or bool(xml_texts(root, address))
        case Place.ANY:
            if reader.raw_query and reader.query.may_hold(address.name):
                return True
            if reader.request.body == b"":
                return False
            if reader.media is MediaType.JSON or reader.media is MediaType.CBOR:
                return _json_may_hold(reader.json, address.keys)
            return reader.form.may_hold(address.name)
        case _:
            assert_never(address.place)


def _json_may_hold(value: object, keys: Sequence[str | int]) -> bool:
    """Whether the way leads to something, a null too, or ends at what is no container."""
    for position, key in enumerate(keys):
        if isinstance(key, str) and isinstance(value, Mapping):
            folded = key.removeprefix("~").lower()
            found = next((other for other in value if other.lower() == folded), None)
            if found is None:
                return False
            value = value[found]
        elif key == EVERY and isinstance(value, list):
            rest = keys[position + 1 :]
            return any(_json_may_hold(item, rest) for item in value)
        elif isinstance(key, int) and isinstance(value, list):
            if not 0 <= key < len(value):
                return False
            value = value[key]
        else:
            return True
    return True
