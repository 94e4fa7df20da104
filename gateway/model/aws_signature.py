"""Signs a request to AWS, or to what speaks like it: Signature Version 4. Pure.

Follows AWS's "Create a signed AWS API request"; a test holds it against botocore, byte for byte.
Keys and time come in; keys are in no log, error or record.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Final

from gateway.model.dataclass import dataclass

ALGORITHM: Final = b"AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys of one identity. `session_token` is empty for keys that don't expire."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """For where and what a signature holds."""

    region: str
    service: str


def authorize(
    method: str,
    canonical_path: str,
    canonical_query: str,
    signed: Mapping[str, str],
    payload_hash: str,
    scope: Scope,
    keys: AwsKeys,
) -> str:
    """The `Authorization` of a request. `signed` are the headers that it vouches for by their
    names in lower case, `host` and `x-amz-date` among them."""
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            method,
            canonical_path,
            canonical_query,
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            payload_hash,
        )
    )
    moment = signed["x-amz-date"]
    place = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join(
        (ALGORITHM.decode(), moment, place, hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (moment[:8], scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"Credential={keys.access_key_id}/{place}"
    return f"{ALGORITHM.decode()} {credential}, SignedHeaders={names}, Signature={signature}"


def moment_of(at: datetime) -> str:
    """A time, aware and in UTC, as `x-amz-date` has it."""
    return at.strftime("%Y%m%dT%H%M%SZ")
