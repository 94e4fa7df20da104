"""Turns `a=1&b=2`, of a query or a form, into decoded values; refuses what is ambiguous.

Frameworks fold keys in many ways: PHP turns spaces and dots into underscores, Rack reads brackets,
some ignore case. So a key that only nearly is the one that is read refuses the request.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import unquote_to_bytes

from gateway.canonicalize.authored.operation import Address
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.model.dataclass import dataclass

PAIRS_MAX = 10_000
"""Pairs of a query or a form. The largest honest forms (bulk invoices) have some hundreds."""

SHAPES_MAX = 1_024
SHAPE_CHARS_MAX = 2_000
"""Sets of keys that are remembered: agents repeat theirs, and a hostile one can only fill this."""

METHOD_KEYS = frozenset(
    {
        "_method", "x-http-method-override", "x_http_method_override", "$httpmethod",
        "x-http-method", "x_http_method", "x-method-override", "x_method_override",
        "_httpmethod",
    }
)  # fmt: skip
"""Keys that frameworks take for the method, Google and Salesforce among them."""
HEADER_KEYS = {
    "$httpheaders": ambiguity.METHOD,
    "$ct": ambiguity.CONTENT_TYPE,
}
"""Keys that Google takes for header fields, the method's override and the content type among
them."""

_ASKING_KEYS = METHOD_KEYS | HEADER_KEYS.keys()
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_FORBIDDEN = re.compile("[^!-:<-~]")
"""Everything but printable ASCII without space and `;`, which some servers take for `&`."""
_ALL_PLAIN = re.compile("[a-z0-9_]*")
_NO_BRACKETS = re.compile("[A-Za-z0-9_.\n-]*")


class _Shape:
    """What the keys of a form say, whatever its values: worked out once for all forms with them."""

    __slots__ = ("asks_method", "index", "is_plain", "lists", "safe")

    def __init__(self, keys: Collection[str]) -> None:
        # Where no key has capitals, brackets or signs, no two can look alike.
        self.is_plain = _ALL_PLAIN.fullmatch("".join(keys)) is not None
        self.index = {} if self.is_plain else _index_by_stem(keys)
        self.asks_method = any(key.strip().lower() in _ASKING_KEYS for key in keys)
        self.safe: set[str] = set()
        """Keys that were found to have no look-alike."""
        self.lists: dict[str, _ListKeys] = {}


@dataclass(frozen=True, slots=True)
class _ListKeys:
    """The keys of a list's elements, in order. `is_repeated`: one key stands for all of them."""

    keys: tuple[str, ...]
    is_repeated: bool


_shapes: dict[str, _Shape] = {}


def _shape_of(keys: Collection[str]) -> _Shape:
    # No key has a control character, so a newline separates them safely.
    text = "\n".join(keys)
    shape = _shapes.get(text)
    if shape is None:
        shape = _Shape(keys)
        if len(text) <= SHAPE_CHARS_MAX:
            if len(_shapes) >= SHAPES_MAX:
                _shapes.clear()
            _shapes[text] = shape
    return shape


class Pairs:
    """Decoded pairs. A key that came more than once maps to the list of its values, in order.

    `code` is the refusal's code: of a query or of a body.
    """

    __slots__ = ("_shape", "code", "values")

    def __init__(self, values: Mapping[str, str | list[str]], code: str) -> None:
        self.values = values
        self.code = code
        self._shape = _shape_of(values)

    def value(self, address: Address) -> str | None:
        """The one value at an address, or None.

        Raises:
            AmbiguityError: it is there twice, or a key looks like its key.
        """
        value = self.values.get(address.name)
        if isinstance(value, list):
            raise AmbiguityError(self.code, f"`{address.name}` is there twice")
        shape = self._shape
        if not shape.is_plain and address.name not in shape.safe:
            self._check_look_alikes(address)
            shape.safe.add(address.name)
        return value

    def texts(self, name: str) -> list[str] | None:
        """The elements of a list: `name`, `name[]`, `name[0]`, `name.1` or `name.member.1`, one
        notation only; None where there is none.

        Raises:
            AmbiguityError: two notations, or one element twice.
        """
        found = self._shape.lists.get(name)
        if found is None:
            found = self._shape.lists[name] = self._list_keys(name)
        texts: list[str] = []
        for key in found.keys:
            value = self.values[key]
            if isinstance(value, str):
                texts.append(value)
            elif found.is_repeated:
                texts += value
            else:
                raise AmbiguityError(self.code, f"an element of `{name}` is there twice")
        return texts if found.keys else None

    def may_hold(self, name: str) -> bool:
        """Whether anything is called so, or like an element or a part of it."""
        return name in self.values or (
            not self._shape.is_plain
            and any(key.startswith((f"{name}[", f"{name}.")) for key in self.values)
        )

    def _list_keys(self, name: str) -> _ListKeys:
        notations: dict[str, list[tuple[int, str]]] = {}
        for key in self.values:
            if key.startswith(name):
                notation, index = _list_notation(key[len(name) :])
                if notation is not None:
                    notations.setdefault(notation, []).append((index, key))
        if len(notations) > 1:
            raise AmbiguityError(self.code, f"`{name}` is there in two notations")
        for notation, items in notations.items():
            return _ListKeys(tuple(key for _, key in sorted(items)), notation in ("", "[]"))
        return _ListKeys((), is_repeated=False)

    def check_method(self, method: str) -> None:
        """Refuse `_method=` that names another method, and keys that stand for header fields.

        Raises:
            AmbiguityError: `ambiguous_method`, `ambiguous_content_type`.
        """
        if not self._shape.asks_method:
            return
        for key, value in self.values.items():
            name = key.strip().lower()
            if name in HEADER_KEYS:
                raise AmbiguityError(HEADER_KEYS[name], "a parameter stands for header fields")
            if name in METHOD_KEYS and (
                not isinstance(value, str) or value.strip().upper() != method
            ):
                raise AmbiguityError(ambiguity.METHOD, "a parameter asks for another method")

    def _check_look_alikes(self, address: Address) -> None:
        """`amount[]`, ` amount`, `AMOUNT`, or `items[][price]` beside `items[0][price]`."""
        root = address.root
        is_nested = address.name != root
        for key in self._shape.index.get(address.folded_root, ()):
            if key == root and not is_nested:
                continue
            if not (is_nested and key.startswith(root) and _is_plain_branch(key[len(root) :])):
                raise AmbiguityError(self.code, f"a key is spelled nearly like `{root}`")


def _index_by_stem(keys: Collection[str]) -> dict[str, list[str]]:
    """Keys by what a server that folds would take them for."""
    # No key has a control character, so a newline separates them safely.
    joined = "\n".join(keys)
    stems: Iterable[str]
    if _NO_BRACKETS.fullmatch(joined):
        # All at once: AWS keys have capitals and dots, and this is on the hot path.
        stems = joined.lower().replace(".", "_").split("\n")
    else:
        stems = map(_folded_stem, keys)
    index: dict[str, list[str]] = {}
    for stem, key in zip(stems, keys, strict=True):
        index.setdefault(stem, []).append(key)
    return index


_INDEXED = re.compile(r"(\[|\.|\.[A-Za-z][A-Za-z0-9]{0,63}\.)([0-9]{1,5})\]?")
"""AWS puts `member` between name and number, or the name of the list's elements."""


def _list_notation(rest: str) -> tuple[str | None, int]:
    if rest in ("", "[]"):
        return rest, -1
    found = _INDEXED.fullmatch(rest)
    return (found.group(1), int(found.group(2))) if found else (None, -1)


def _folded_stem(key: str) -> str:
    stem = key.strip().partition("[")[0].partition("]")[0]
    return stem.replace(".", "_").replace(" ", "_").lower()


def _is_plain_branch(rest: str) -> bool:
    """`[0][price]`, and neither `[]`, nor an unclosed or trailing piece."""
    if not rest.startswith("[") or not rest.endswith("]"):
        return False
    return all(part and "[" not in part and "]" not in part for part in rest[1:-1].split("]["))


def parse_pairs(text: str, code: str) -> Pairs:
    """Split and decode strictly.

    Raises:
        AmbiguityError: with `code`.
    """
    if _FORBIDDEN.search(text):
        raise AmbiguityError(code, "a `;`, space, control or non-ASCII byte among the pairs")
    if text.count("&") >= PAIRS_MAX:
        raise AmbiguityError(code, "too many pairs")
    has_percent = "%" in text
    if has_percent and _BROKEN_PERCENT.search(text):
        raise AmbiguityError(code, "broken percent encoding")
    is_encoded = has_percent or "+" in text
    pairs: dict[str, str | list[str]] = {}
    for part in text.split("&"):
        if not part:
            continue
        key, _, value = part.partition("=")
        if is_encoded and ("%" in part or "+" in part):
            key, value = _decode(key, code), _decode(value, code)
            if _CONTROL.search(key) or "\x00" in value:
                raise AmbiguityError(code, "a key or value with control characters")
        earlier = pairs.get(key)
        if earlier is None:
            pairs[key] = value
        elif isinstance(earlier, list):
            # Grows in place, so that 10,000 equal keys stay linear.
            earlier.append(value)
        else:
            pairs[key] = [earlier, value]
    return Pairs(pairs, code)


def _decode(part: str, code: str) -> str:
    if "+" in part:
        part = part.replace("+", " ")
    if "%" not in part:
        return part
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguityError(code, "a key or value is not UTF-8") from None
