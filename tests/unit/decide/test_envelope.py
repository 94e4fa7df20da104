"""The signed form of a bundle: what opens, and how each kind of tampering is named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.decide.envelope import (
    DOCUMENTS_MAX,
    DOMAIN,
    PAYLOAD_BYTES_MAX,
    BundleContent,
    NamedText,
    Sealed,
    is_bundle_name,
    key_id_of,
    open_bundle,
    parse_public_key,
    public_key_text,
    seal_bundle,
)
from gateway.model.errors import BundleError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))

CONTENT = BundleContent(
    "0b6f6a56-8a6c-4f0e-9df0-2f6a0d3b8f11",
    7,
    "ab" * 32,
    datetime(2026, 11, 21, 15, 10, 21, 123456, UTC),
    (NamedText("starter.yaml", 'kind: Policy\n# "ü" \u2028\n'), NamedText("b.yml", "")),
    (NamedText("garden.yaml", "kind: Mapper\n"),),
)
SEALED = seal_bundle(CONTENT, KEY)
FIELDS: dict[str, Any] = json.loads(SEALED.payload)


def signed(payload: str | bytes, key: Ed25519PrivateKey = KEY) -> Sealed:
    """Any payload with a right signature: what a faulty or hostile signer could send."""
    data = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")
    signature = base64.b64encode(key.sign(DOMAIN + data)).decode()
    return Sealed(data.decode("utf-8", "surrogatepass"), signature, key_id_of(key.public_key()))


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def having(**changes: object) -> Sealed:
    """Canonical and rightly signed, with other fields; `...` takes a field away."""
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not ...}
    return signed(canonical(fields))


def file(name: object = "a.yaml", text: object = "x", **more: object) -> dict[str, object]:
    return {"name": name, "text": text, **more}


def test_a_sealed_bundle_opens_as_what_it_was():
    """Every field comes back; the key is named by its digest."""
    assert open_bundle(SEALED.payload, SEALED.signature, KEY.public_key()) == CONTENT
    assert SEALED.key_id == key_id_of(KEY.public_key()) == "56475aa75463474c"
    assert SEALED.payload == canonical(FIELDS)


def test_the_same_bundle_has_the_same_bytes():
    """Signing again, and another zone for the same moment, change nothing."""
    berlin = CONTENT.created_at.astimezone(timezone(timedelta(hours=1)))
    assert seal_bundle(replace(CONTENT, created_at=berlin), KEY) == SEALED


def flipped(text: str, place: int) -> str:
    return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]


Tamper = Callable[[Sealed], Sealed]
TAMPERED: dict[str, Tamper] = {
    "a bit of the payload is flipped": lambda s: replace(s, payload=flipped(s.payload, 40)),
    "the last byte is cut": lambda s: replace(s, payload=s.payload[:-1]),
    "half of it is cut": lambda s: replace(s, payload=s.payload[: len(s.payload) // 2]),
    "nothing is left": lambda s: replace(s, payload=""),
    "a newline is added": lambda s: replace(s, payload=s.payload + "\n"),
    "a rule is turned round": lambda s: replace(s, payload=s.payload.replace("Policy", "Palicy")),
    "the number is raised": lambda s: replace(
        s, payload=s.payload.replace('"sequence":7', '"sequence":8')
    ),
    "another key signed it": lambda s: signed(s.payload, OTHER_KEY),
    "the payload alone was signed": lambda s: replace(
        s, signature=base64.b64encode(KEY.sign(s.payload.encode())).decode()
    ),
    "the signature is of another bundle": lambda s: replace(
        s, signature=seal_bundle(replace(CONTENT, sequence=8), KEY).signature
    ),
    "a bit of the signature is flipped": lambda s: replace(s, signature=flipped(s.signature, 3)),
    "the signature is empty": lambda s: replace(s, signature=""),
    "the signature is cut": lambda s: replace(s, signature=s.signature[:40]),
    "the signature is not base64": lambda s: replace(s, signature="?" * 88),
    "the signature has a newline": lambda s: replace(s, signature=s.signature + "\n"),
    "the signature is not ASCII": lambda s: replace(s, signature="ü" * 88),
    "the signature is all zero": lambda s: replace(
        s, signature=base64.b64encode(bytes(64)).decode()
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_has_no_valid_signature(name: str):
    """`bundle.signature`, before anything of the payload is read."""
    sealed = TAMPERED[name](SEALED)
    with pytest.raises(BundleError) as caught:
        open_bundle(sealed.payload, sealed.signature, KEY.public_key())
    assert caught.value.code == "bundle.signature"


def test_no_byte_of_the_payload_can_change():
    """Each character in turn, one bit of it."""
    for place in range(len(SEALED.payload)):
        with pytest.raises(BundleError):
            open_bundle(flipped(SEALED.payload, place), SEALED.signature, KEY.public_key())


MALFORMED: dict[str, tuple[Sealed, str, str]] = {
    "no JSON": (signed("{"), "bundle.malformed", "not JSON"),
    "not UTF-8 text": (signed("\ud800"), "bundle.malformed", "not valid Unicode"),
    "a list": (signed("[]"), "bundle.malformed", "not an object"),
    "a deep nest": (signed("[" * 200_000), "bundle.malformed", "not JSON"),
    "a number that is a book": (signed("1" * 50_000), "bundle.malformed", "not JSON"),
    "a key twice": (
        signed(SEALED.payload.replace("{", '{"v":1,', 1)), "bundle.malformed", "stands twice",
    ),
    "a key twice within a file": (
        signed(SEALED.payload.replace('{"name"', '{"name":"a.yaml","name"', 1)),
        "bundle.malformed", "stands twice",
    ),
    "spaces": (signed(json.dumps(FIELDS, sort_keys=True)), "bundle.malformed", "canonical"),
    "another order": (
        signed(json.dumps(dict(reversed(FIELDS.items())), separators=(",", ":"))),
        "bundle.malformed", "canonical",
    ),
    "escapes for plain letters": (
        signed(SEALED.payload.replace("Policy", "\\u0050olicy")), "bundle.malformed", "canonical",
    ),
    "half a surrogate": (
        signed(SEALED.payload.replace("Policy", "\\ud800")), "bundle.malformed", "canonical",
    ),
    "a field that is not known": (having(note="x"), "bundle.malformed", "its fields"),
    "a field that is missing": (having(mappers=...), "bundle.malformed", "its fields"),
    "the next version": (having(v=2), "bundle.unknown_version", "version"),
    "no version": (having(v=...), "bundle.unknown_version", "version"),
    "a version that is true": (having(v=True), "bundle.unknown_version", "version"),
    "a version that is text": (having(v="1"), "bundle.unknown_version", "version"),
    "number nought": (having(sequence=0), "bundle.malformed", "`sequence`"),
    "a number that is true": (having(sequence=True), "bundle.malformed", "`sequence`"),
    "a number that is text": (having(sequence="7"), "bundle.malformed", "`sequence`"),
    "a number beyond 2^53": (having(sequence=2**53), "bundle.malformed", "`sequence`"),
    "a fraction": (
        signed(SEALED.payload.replace('"sequence":7', '"sequence":7.0')),
        "bundle.malformed", "`sequence`",
    ),
    "no tenant": (having(tenantId=""), "bundle.malformed", "`tenantId`"),
    "a tenant that is a book": (having(tenantId="x" * 65), "bundle.malformed", "`tenantId`"),
    "a tenant that is null": (having(tenantId=None), "bundle.malformed", "`tenantId`"),
    "a revision in capitals": (having(revision="AB" * 32), "bundle.malformed", "`revision`"),
    "a revision with a newline": (
        having(revision="ab" * 32 + "\n"), "bundle.malformed", "`revision`",
    ),
    "no time": (having(createdAt=None), "bundle.malformed", "`createdAt`"),
    "a time in another zone": (
        having(createdAt="2026-11-21T15:10:21.123456+01:00"), "bundle.malformed", "`createdAt`",
    ),
    "a time without microseconds": (
        having(createdAt="2026-11-21T15:10:21.1Z"), "bundle.malformed", "canonical",
    ),
    "a day that isn't": (
        having(createdAt="2026-02-30T00:00:00.000000Z"), "bundle.malformed", "`createdAt`",
    ),
    "documents that are no list": (having(documents={}), "bundle.malformed", "not a list"),
    "a document that is text": (having(documents=["x"]), "bundle.malformed", "name with a text"),
    "a document with more": (
        having(documents=[file(mode="0777")]), "bundle.malformed", "name with a text",
    ),
    "a text that is a number": (having(documents=[file(text=1)]), "bundle.malformed", "a name"),
    "a name that climbs": (
        having(mappers=[file("../a.yaml")]), "bundle.malformed", "plain file name",
    ),
    "a name twice": (having(documents=[file(), file()]), "bundle.malformed", "two files"),
    "a name twice but for its case": (
        having(documents=[file("a.yaml"), file("A.yaml")]), "bundle.malformed", "two files",
    ),
    "too many documents": (
        having(documents=[file(f"{n}.yaml", "") for n in range(DOCUMENTS_MAX + 1)]),
        "bundle.too_large", "500 files",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_right_signature_does_not_make_a_bad_payload_good(name: str):
    """Whatever the signer did, there is one way to write a bundle."""
    sealed, code, words = MALFORMED[name]
    with pytest.raises(BundleError) as caught:
        open_bundle(sealed.payload, sealed.signature, KEY.public_key())
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_huge_payload_is_refused_before_it_is_hashed():
    """By its characters, and by its bytes where those are more."""
    for payload in ("x" * (PAYLOAD_BYTES_MAX + 1), "ü" * (PAYLOAD_BYTES_MAX // 2 + 1)):
        with pytest.raises(BundleError) as caught:
            open_bundle(payload, "", KEY.public_key())
        assert caught.value.code == "bundle.too_large"


UNSEALABLE: dict[str, tuple[BundleContent, str]] = {
    "a bad name": (replace(CONTENT, documents=(NamedText("a/b.yaml", ""),)), "bundle.malformed"),
    "half a surrogate": (
        replace(CONTENT, documents=(NamedText("a.yaml", "\ud800"),)), "bundle.malformed",
    ),
    "number nought": (replace(CONTENT, sequence=0), "bundle.malformed"),
    "another version": (replace(CONTENT, v=2), "bundle.unknown_version"),
    "too much text": (
        replace(CONTENT, documents=(NamedText("a.yaml", "x" * PAYLOAD_BYTES_MAX),)),
        "bundle.too_large",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSEALABLE)
def test_what_could_not_be_opened_is_not_sealed(name: str):
    """The signer finds out, not every gateway."""
    content, code = UNSEALABLE[name]
    with pytest.raises(BundleError) as caught:
        seal_bundle(content, KEY)
    assert caught.value.code == code


def test_a_public_key_is_read_as_it_is_written():
    """Spaces around it, as a file or a variable has them, don't matter."""
    text = public_key_text(KEY.public_key())
    assert key_id_of(parse_public_key(f" {text}\n")) == SEALED.key_id


@pytest.mark.parametrize(
    "text", ["", "x", "ü", "A" * 43, base64.b64encode(bytes(31)).decode(), "-----BEGIN PUBLIC KEY"]
)
def test_what_is_no_public_key_is_refused(text: str):
    """`bundle.key`; the text is not repeated, it may be the private one."""
    with pytest.raises(BundleError) as caught:
        parse_public_key(text)
    assert caught.value.code == "bundle.key"


NAMES = {
    "starter.yaml": True, "A-b_c.1.yml": True, "0.yaml": True, "x" * 115 + ".yaml": True,
    "": False, ".yaml": False, ".a.yaml": False, "a.json": True, "a.txt": False,
    "a.yaml.txt": False,
    "a/b.yaml": False, "..\\a.yaml": False, "a b.yaml": False, "a.yaml\n": False, "ä.yaml": False,
    "a\0.yaml": False, "C:a.yaml": False, "x" * 121 + ".yaml": False, "a.YAML": False,
}  # fmt: skip


def test_names_are_plain_file_names():
    """No folder, nothing hidden, nothing that a terminal or a disk reads otherwise."""
    assert {name: is_bundle_name(name) for name in NAMES} == NAMES
