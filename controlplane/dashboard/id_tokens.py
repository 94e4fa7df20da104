"""An ID token of OpenID Connect -> whom it names. Pure: keys and time are given.

Only signatures that a public key can check are taken (RS256, ES256): `none` is no signature, and
with HS256 who knows a public text could sign. Everything that OpenID Connect Core 3.1.3.7 asks to
be checked is checked; whatever is missing or of the wrong type refuses the token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

TOKEN_LENGTH_MAX: Final = 16 * 1024
SKEW_SECONDS: Final = 60
"""How far two clocks may be apart."""

RSA_BITS_MIN: Final = 2_048
RSA_BITS_MAX: Final = 8_192
KEY_COUNT_MAX: Final = 50

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class TokenError(Exception):
    """The token is not to be believed; why, for the log."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say of itself. `now` is seconds since the Unix epoch."""

    issuer: str
    client_id: str
    nonce: str
    now: float


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`algorithm` is what the key is for: RS256 or ES256."""

    key_id: str | None
    algorithm: str
    key: PublicKey


def read_keys(document: object) -> Sequence[SigningKey]:
    """The usable signing keys of a JWKS; those of other kinds are left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return []
    keys = (_read_key(one) for one in listed[:KEY_COUNT_MAX] if isinstance(one, dict))
    return [key for key in keys if key is not None]


def key_id_of(token: str) -> str | None:
    """Which key signed it, as it says itself.

    Raises:
        TokenError: it can't be read.
    """
    value = _json(_parts(token)[0]).get("kid")
    return value if isinstance(value, str) else None


def verify(token: str, keys: Sequence[SigningKey], expected: Expected) -> Mapping[str, Any]:
    """The claims of a token that is good.

    Raises:
        TokenError: it is not.
    """
    head, body, signature = _parts(token)
    header = _json(head)
    if "crit" in header:
        raise TokenError("it wants something that is not understood")
    key_id, algorithm = header.get("kid"), header.get("alg")
    usable = [
        key
        for key in keys
        if key.algorithm == algorithm and (key_id is None or key.key_id in (None, key_id))
    ]
    signed = f"{head}.{body}".encode()
    if not any(_is_signed(key.key, signed, _bytes(signature)) for key in usable):
        raise TokenError("no known key signed it")
    claims = _json(body)
    _check(claims, expected)
    return claims


def verified_email(claims: Mapping[str, Any]) -> str:
    """The e-mail address that the issuer vouches for.

    Raises:
        TokenError: it vouches for none.
    """
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        raise TokenError("it names no verified e-mail address")
    if not 3 <= len(email) <= 254 or not email.isprintable() or "@" not in email or " " in email:
        raise TokenError("its e-mail address can't be one")
    return email


def _check(claims: Mapping[str, Any], expected: Expected) -> None:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if claims.get("iss") != expected.issuer:
        raise TokenError("it is of another issuer")
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise TokenError("it is for another client")
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise TokenError("it was given to another client")
    expires, issued = _number(claims, "exp"), _number(claims, "iat")
    if expires <= expected.now - SKEW_SECONDS or issued > expected.now + SKEW_SECONDS:
        raise TokenError("its time is over, or to come")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "replace"), expected.nonce.encode()
    ):
        raise TokenError("it is of another sign-in")


def _read_key(one: Mapping[str, Any]) -> SigningKey | None:
    key_id = one.get("kid")
    key_id = key_id if isinstance(key_id, str) else None
    if one.get("use", "sig") != "sig":
        return None
    try:
        if one.get("kty") == "RSA" and one.get("alg", "RS256") == "RS256":
            modulus, exponent = _integer(one["n"]), _integer(one["e"])
            if not RSA_BITS_MIN <= modulus.bit_length() <= RSA_BITS_MAX:
                return None
            return SigningKey(key_id, "RS256", rsa.RSAPublicNumbers(exponent, modulus).public_key())
        if one.get("kty") == "EC" and one.get("crv") == "P-256":
            point = ec.EllipticCurvePublicNumbers(
                _integer(one["x"]), _integer(one["y"]), ec.SECP256R1()
            )
            return SigningKey(key_id, "ES256", point.public_key())
    except (KeyError, ValueError, TypeError, TokenError):
        return None
    return None


def _is_signed(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
        else:
            if len(signature) != 64:
                return False
            halves = (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
            key.verify(encode_dss_signature(*halves), signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _parts(token: str) -> tuple[str, str, str]:
    parts = token.split(".") if len(token) <= TOKEN_LENGTH_MAX and token.isascii() else []
    if len(parts) != 3:
        raise TokenError("it is no signed token")
    return parts[0], parts[1], parts[2]


def _json(part: str) -> Mapping[str, Any]:
    try:
        value = json.loads(_bytes(part), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise TokenError("it can't be read") from None
    if not isinstance(value, dict):
        raise TokenError("it can't be read")
    return value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice could be read differently by two readers."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _bytes(part: str) -> bytes:
    try:
        if not set(part).isdisjoint("+/="):
            raise TokenError("it can't be read")
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("it can't be read") from None


def _integer(text: object) -> int:
    if not isinstance(text, str) or len(text) > 2_048:
        raise TokenError("a key can't be read")
    return int.from_bytes(_bytes(text))


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(f"it has no `{name}`")
    return float(value)
