"""Turns policies and mappers into one signed text, and that text back. Pure.

The signature is over the exact bytes of the payload and is checked before they are read. What is
read must be exactly the canonical form of what it says, so two readers never see two bundles in
one payload. Never opens a file: `loader` says what the documents mean.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.model.codec import INTEGER_MAX, JsonValue, canonical_json
from gateway.model.dataclass import dataclass
from gateway.model.errors import BundleError

VERSION: Final = 1

DOMAIN: Final = b"checkrein.bundle.v1\n"
"""Signed before the payload, so that no signature made for another purpose fits a bundle."""

PAYLOAD_BYTES_MAX: Final = 16 * 1024 * 1024
"""10,000 rules are about 3 MB of YAML; a gateway holds the payload once while it loads it."""

DOCUMENTS_MAX: Final = 500
MAPPERS_MAX: Final = 500

TENANT_CHARS_MAX: Final = 64

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\.(?:ya?ml|json)")
_REVISION: Final = re.compile(r"[0-9a-f]{64}")
_KEYS: Final = frozenset(
    {"v", "tenantId", "sequence", "revision", "createdAt", "documents", "mappers"}
)

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_KEY_ID_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class NamedText:
    """A file of a bundle. `name` is a file name without a folder; problems are reported by it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What a bundle says. `sequence` counts a tenant's bundles from 1; `revision` is the digest
    of what the policies mean; `created_at` is aware UTC."""

    tenant_id: str
    sequence: int
    revision: str
    created_at: datetime
    documents: tuple[NamedText, ...]
    mappers: tuple[NamedText, ...] = ()
    v: int = VERSION


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bundle as it is stored and sent: `signature` is base64, `key_id` names the key."""

    payload: str
    signature: str
    key_id: str


def seal_bundle(content: BundleContent, private_key: Ed25519PrivateKey) -> Sealed:
    """Sign a bundle.

    Raises:
        BundleError: `bundle.malformed`, `bundle.too_large`, `bundle.unknown_version`: it could
            not be opened again.
    """
    payload = _encode(content)
    _parse(payload)
    signature = private_key.sign(DOMAIN + payload)
    return Sealed(
        payload.decode(), base64.b64encode(signature).decode(), key_id_of(private_key.public_key())
    )


def open_bundle(payload: str, signature: str, public_key: Ed25519PublicKey) -> BundleContent:
    """Verify a bundle and read it.

    Whether it is the tenant's own and not an older one is for the gateway to say, which remembers.

    Raises:
        BundleError: `bundle.too_large`, `bundle.signature`, `bundle.malformed`,
            `bundle.unknown_version`.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise _too_large("the bundle", PAYLOAD_BYTES_MAX, "bytes")
    try:
        data = payload.encode()
    except UnicodeEncodeError:
        raise _malformed("it is not valid Unicode") from None
    if len(data) > PAYLOAD_BYTES_MAX:
        raise _too_large("the bundle", PAYLOAD_BYTES_MAX, "bytes")
    raw = _decode_base64(signature, _SIGNATURE_BYTES)
    try:
        if raw is None:
            raise InvalidSignature
        public_key.verify(raw, DOMAIN + data)
    except InvalidSignature:
        raise BundleError(
            "bundle.signature", "the bundle is not signed by the key that is trusted"
        ) from None
    return _parse(data)


def parse_public_key(text: str) -> Ed25519PublicKey:
    """Read a public key: base64 of its 32 bytes.

    Raises:
        BundleError: `bundle.key`.
    """
    raw = _decode_base64(text.strip(), _KEY_BYTES)
    if raw is None:
        raise BundleError("bundle.key", "the key is not an Ed25519 public key in base64")
    return Ed25519PublicKey.from_public_bytes(raw)


def public_key_text(public_key: Ed25519PublicKey) -> str:
    """Write a public key as `parse_public_key` reads it."""
    return base64.b64encode(public_key.public_bytes_raw()).decode()


def key_id_of(public_key: Ed25519PublicKey) -> str:
    """Name a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:_KEY_ID_LENGTH]


def is_bundle_name(name: str) -> bool:
    """Whether a file of a bundle may be named so: a plain file name, `.yaml`, `.yml` or `.json`."""
    return _NAME.fullmatch(name) is not None


def _encode(content: BundleContent) -> bytes:
    try:
        return canonical_json(
            {
                "v": content.v,
                "tenantId": content.tenant_id,
                "sequence": content.sequence,
                "revision": content.revision,
                "createdAt": content.created_at.astimezone(UTC).strftime(_TIME_FORMAT),
                "documents": _encode_texts(content.documents),
                "mappers": _encode_texts(content.mappers),
            }
        )
    except ValueError:
        raise _malformed("it holds what has no canonical form") from None


def _encode_texts(texts: Sequence[NamedText]) -> JsonValue:
    return [{"name": one.name, "text": one.text} for one in texts]


def _parse(data: bytes) -> BundleContent:
    if len(data) > PAYLOAD_BYTES_MAX:
        raise _too_large("the bundle", PAYLOAD_BYTES_MAX, "bytes")
    try:
        value = json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise _malformed("it is not JSON") from None
    if not isinstance(value, Mapping):
        raise _malformed("it is not an object")
    version = value.get("v")
    if type(version) is not int or version != VERSION:
        raise BundleError(
            "bundle.unknown_version", "the bundle is of a version that is not known here"
        )
    if value.keys() != _KEYS:
        raise _malformed("its fields are not those of a bundle")
    content = BundleContent(
        _text(value["tenantId"], "tenantId", TENANT_CHARS_MAX),
        _sequence(value["sequence"]),
        _revision(value["revision"]),
        _time(value["createdAt"]),
        _texts(value["documents"], "documents", DOCUMENTS_MAX),
        _texts(value["mappers"], "mappers", MAPPERS_MAX),
    )
    if _encode(content) != data:
        raise _malformed("it is not in canonical form")
    return content


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _malformed("a key stands twice")
    return found


def _text(value: object, field: str, chars_max: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= chars_max:
        raise _malformed(f"`{field}` is not text of 1 to {chars_max} characters")
    return value


def _sequence(value: object) -> int:
    if type(value) is not int or not 1 <= value <= INTEGER_MAX:
        raise _malformed("`sequence` is not a number from 1 on")
    return value


def _revision(value: object) -> str:
    if not isinstance(value, str) or _REVISION.fullmatch(value) is None:
        raise _malformed("`revision` is not 64 hexadecimal digits")
    return value


def _time(value: object) -> datetime:
    try:
        return datetime.strptime(str(value), _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise _malformed("`createdAt` is not a time in UTC") from None


def _texts(value: object, field: str, count_max: int) -> tuple[NamedText, ...]:
    if not isinstance(value, list):
        raise _malformed(f"`{field}` is not a list")
    if len(value) > count_max:
        raise _too_large(f"`{field}`", count_max, "files")
    texts: list[NamedText] = []
    # Two names that differ in case alone are one file on some disks.
    taken: set[str] = set()
    for item in value:
        if not isinstance(item, Mapping) or item.keys() != {"name", "text"}:
            raise _malformed(f"`{field}` holds what is not a name with a text")
        name, text = item["name"], item["text"]
        if not isinstance(name, str) or not isinstance(text, str) or not is_bundle_name(name):
            raise _malformed(f"`{field}` holds a name that is not a plain file name")
        if name.casefold() in taken:
            raise _malformed(f"`{field}` holds two files with the name `{name}`")
        taken.add(name.casefold())
        texts.append(NamedText(name, text))
    return tuple(texts)


def _decode_base64(text: str, length: int) -> bytes | None:
    """The bytes, None unless there are `length` of them, in the one right spelling."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if len(raw) == length and base64.b64encode(raw).decode() == text else None


def _malformed(why: str) -> BundleError:
    return BundleError("bundle.malformed", f"the bundle can't be read: {why}")


def _too_large(what: str, count_max: int, unit: str) -> BundleError:
    return BundleError("bundle.too_large", f"{what} is larger than {count_max} {unit}")
