"""Text signed by named keys, in the form of C2SP `signed-note`, with Ed25519 only. Pure.

A note is trusted by its keys alone: who opens one brings them. Text comes out of here only after
a signature of a key that was brought has verified.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = b"\x01"
"""The identifier of the only kind of signature that is made or taken here."""

NOTE_BYTES_MAX: Final = 256 * 1024
"""Room for 16 signatures of any kind, post-quantum ones too, beside a text."""
SIGNATURES_MAX: Final = 100

_KEY_BYTES: Final = 32
_HASH_BYTES: Final = 4
_FIELD: Final = 2**255 - 19
_Y_BITS: Final = 2**255 - 1
_EIGHTH: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _FIELD - 1, _EIGHTH, _FIELD - _EIGHTH})
"""The y of the eight points of small order. Under such a "key" there are signatures that fit any
text, or every eighth, and nobody needs a private half to make them."""

_DASH: Final = "\N{EM DASH} "


class NoteError(CheckreinError):
    """A note, key or checkpoint that can't be trusted: `note.malformed`, `note.untrusted` (no
    signature of a known key) or `note.forged` (one of a known key that does not verify)."""

    @classmethod
    def malformed(cls, message: str) -> NoteError:
        """The text is not of the form."""
        return cls("note.malformed", message)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under the name that it signs as."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise NoteError.malformed("a key's name has no spaces, no `+` and is not empty")
        if len(self.public) != _KEY_BYTES:
            raise NoteError.malformed("an Ed25519 key has 32 bytes")
        if _is_weak(self.public):
            raise NoteError.malformed(
                "this Ed25519 key proves nothing: it is a point of small order, or not written "
                "in its one form; make a key with an Ed25519 library"
            )

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `<name>+<key hash>+<key>`.

        Raises:
            NoteError: `note.malformed`, also for a key of another kind.
        """
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteError.malformed("a verifier key is `<name>+<8 hex digits>+<base64>`")
        encoded = decode_base64(parts[2])
        if encoded[:1] != ED25519:
            raise NoteError.malformed("the verifier key is not of an Ed25519 key")
        key = cls(parts[0], encoded[1:])
        if key.key_hash.hex() != parts[1]:
            raise NoteError.malformed("the verifier key's hash is not that of its name and key")
        return key

    @property
    def key_hash(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return _key_hash(self.name, self.public)

    def __str__(self) -> str:
        """The text that `parse` reads."""
        key = base64.b64encode(ED25519 + self.public).decode("ascii")
        return f"{self.name}+{self.key_hash.hex()}+{key}"

    def is_signature(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed the message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key under the name that it signs as. Its `repr` says nothing of the key."""

    __slots__ = ("_key", "_public", "name")

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.name = name
        self._key = key
        self._public = VerifierKey(name, key.public_key().public_bytes_raw())

    @classmethod
    def from_private_bytes(cls, name: str, seed: bytes) -> Signer:
        """The signer of a seed of 32 raw bytes.

        Raises:
            NoteError: `note.malformed`.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != _KEY_BYTES:
            raise NoteError.malformed("the seed of an Ed25519 key has 32 bytes")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def verifier_key(self) -> str:
        """The public half, as `VerifierKey.parse` reads it."""
        return str(self._public)

    def signature_line(self, text: str) -> str:
        """The line by which this key signs the text."""
        signature = self._public.key_hash + self._key.sign(text.encode("utf-8"))
        return f"{_DASH}{self.name} {base64.b64encode(signature).decode('ascii')}\n"


def sign(text: str, *signers: Signer) -> str:
    """The note of a text, signed by each signer in turn.

    Raises:
        NoteError: `note.malformed`, the text can't be one of a note.
    """
    if not signers:
        raise NoteError.malformed("a note needs a signer")
    _check_characters(text)
    if not text.endswith("\n") or text == "\n":
        raise NoteError.malformed("the text of a note ends in a newline")
    note = text + "\n" + "".join(signer.signature_line(text) for signer in signers)
    if len(note.encode("utf-8")) > NOTE_BYTES_MAX:
        raise NoteError.malformed("the note is too long")
    return note


def open_note(note: str, keys: Iterable[VerifierKey]) -> str:
    """The text of a note that at least one of the keys signed, and none of them wrongly.

    Raises:
        NoteError: `note.malformed`, `note.untrusted` or `note.forged`.
    """
    text, lines = split_note(note)
    known = {(key.name, key.key_hash): key for key in keys}
    message = text.encode("utf-8")
    has_verified = False
    for name, signature in lines:
        key = known.get((name, signature[:_HASH_BYTES]))
        if key is None:
            continue
        if not key.is_signature(signature[_HASH_BYTES:], message):
            raise NoteError("note.forged", f"the signature of `{name}` does not fit the note")
        has_verified = True
    if not has_verified:
        raise NoteError("note.untrusted", "the note has no signature of a key that is trusted")
    return text


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text of a note, NOT verified, and its signatures: names, and key hashes before bytes.

    Raises:
        NoteError: `note.malformed`.
    """
    if len(note) > NOTE_BYTES_MAX or len(note.encode("utf-8", "replace")) > NOTE_BYTES_MAX:
        raise NoteError.malformed("the note is too long")
    _check_characters(note)
    text, gap, signed = note.rpartition("\n\n")
    if not gap or not text or not signed.endswith("\n"):
        raise NoteError.malformed("a note is a text, an empty line and signatures")
    lines = signed[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteError.malformed("the note has too many signatures")
    return text + "\n", [_parse_signature(line) for line in lines]


def _parse_signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not is_key_name(name):
        raise NoteError.malformed("a signature is an em dash, a key's name and base64")
    signature = decode_base64(encoded)
    if len(signature) <= _HASH_BYTES:
        raise NoteError.malformed("a signature has a key hash of four bytes before it")
    return name, signature


def is_key_name(name: str) -> bool:
    """Whether a key may have this name."""
    if not name or "+" in name or any(each.isspace() for each in name):
        return False
    return _is_clean(name)


def decode_base64(text: str) -> bytes:
    """The bytes of RFC 4648 base64, padded, in the one spelling that they have.

    Raises:
        NoteError: `note.malformed`.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError.malformed("this is not base64") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise NoteError.malformed("this base64 has more than one spelling")
    return data


def _is_weak(public: bytes) -> bool:
    """Whether a point is of small order, or not in the one encoding of RFC 8032, section 5.1.3."""
    y = int.from_bytes(public, "little") & _Y_BITS
    return y >= _FIELD or y in _SMALL_ORDER_Y


def _key_hash(name: str, public: bytes) -> bytes:
    return sha256(name.encode("utf-8") + b"\n" + ED25519 + public).digest()[:_HASH_BYTES]


def _check_characters(text: str) -> None:
    if not _is_clean(text.replace("\n", "")):
        raise NoteError.malformed("a note is UTF-8 without control characters but the newline")


def _is_clean(text: str) -> bool:
    return not any(each < " " or "\ud800" <= each <= "\udfff" for each in text)
