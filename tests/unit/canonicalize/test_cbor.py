"""CBOR as the values of JSON: what is read, what is refused, and that nothing costs too much."""

from __future__ import annotations

import pytest

from gateway.canonicalize.request import ambiguity, cbor
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText
from gateway.canonicalize.request.cbor import CBOR_DEPTH_MAX, parse_cbor

READ = {
    "an empty object": ("a0", {}),
    "integers": ("83 00 20 19 03e8", [0, -1, 1000]),
    "text": ("63 c3bc62", "üb"),
    "text in pieces": ("7f 61 61 61 62 ff", "ab"),
    "a list until the break": ("9f 01 02 ff", [1, 2]),
    "an object until the break": ("bf 61 61 01 ff", {"a": 1}),
    "an object in a list": ("81 a1 61 61 80", [{"a": []}]),
    "true, false and nothing": ("84 f5 f4 f6 f7", [True, False, None, None]),
    "a float is text": ("fb 3ff8000000000000", DecimalText("1.5")),
    "half a float too": ("f9 3e00", DecimalText("1.5")),
    "bytes are nothing that a rule compares": ("42 0102", None),
    "a time is no plain number": ("c1 1a 6553f100", DecimalText("1700000000")),
}


@pytest.mark.parametrize(("data", "expected"), READ.values(), ids=READ)
def test_values(data: str, expected: object) -> None:
    """Each sort of value, of definite and of indefinite length."""
    value = parse_cbor(bytes.fromhex(data))

    assert value == expected
    assert type(value) is type(expected)


REFUSED = {
    "nothing": "",
    "a key twice": "a2 61 61 01 61 61 02",
    "a key twice, in pieces": "bf 61 61 01 7f 61 61 ff 02 ff",
    "a key that is a number": "a1 01 02",
    "a key that is bytes": "a1 41 61 02",
    "a key with a tag": "a1 c0 61 61 02",
    "something behind it": "a0 a0",
    "a break alone": "ff",
    "a break in a list of one": "81 ff",
    "a break behind a key": "bf 61 61 ff",
    "a tag around a break": "9f c1 ff",
    "text that is not UTF-8": "61 ff",
    "text that ends too early": "65 61",
    "a length that means nothing": "7c 61",
    "pieces of bytes in a text": "7f 41 61 ff",
    "pieces in pieces": "7f 7f 61 61 ff ff",
    "a list that promises more than there is": "9b 00000000ffffffff",
    "an object that promises more than there is": "ba ffffffff",
    "an integer beyond every reader": "1b 0020000000000000",
    "a negative one too": "3b 7fffffffffffffff",
    "a tag around a truth": "c1 f5",
    "tags around tags": "c1 c1 c1 c1 c1 c1 00",
    "a simple value that means nothing": "e0",
    "a number that ends too early": "19 01",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(data: str) -> None:
    """What two readers could take differently, and what is no CBOR."""
    with pytest.raises(AmbiguityError) as caught:
        parse_cbor(bytes.fromhex(data))

    assert caught.value.code == ambiguity.BODY


ITEMS_MAX = 500

BOMBS = {
    "lists in lists": b"\x81" * (CBOR_DEPTH_MAX + 2) + b"\x00",
    "lists without end": b"\x9f" * 1_000_000,
    "tags without end": b"\xc1" * 1_000_000,
    "more values than are counted": b"\x9a" + ITEMS_MAX.to_bytes(4, "big") + b"\x00" * ITEMS_MAX,
    "more pieces than are counted": b"\x7f" + b"\x60" * ITEMS_MAX + b"\xff",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_bombs(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth, counts and pieces are bounded, whatever the lengths say."""
    monkeypatch.setattr(cbor, "CBOR_ITEMS_MAX", ITEMS_MAX)
    with pytest.raises(AmbiguityError):
        parse_cbor(data)
