"""Signs a look at a target of AWS with keys of the gateway's own: Signature Version 4, for requests
without a body. Pure: keys and time come in.

An agent that signs its requests can't be lent a signature for another request. These keys are for
looking, and for nothing else: they sign a GET or HEAD to an endpoint of the very service that the
held request goes to, and nothing that is forwarded. They are in no log, error or record.

Follows AWS's "Create a signed AWS API request"; a test holds it against botocore, byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from gateway.model.aws_signature import AwsKeys, Scope, authorize, moment_of
from gateway.model.exchange import Authority, Header

_NO_BODY: Final = hashlib.sha256(b"").hexdigest()
_SCOPE: Final = re.compile(
    rb"AWS4-HMAC-SHA256\s+(?:.*,\s*)?Credential=[^/,\s]+/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/"
    rb"aws4_request(?:,.*)?",
    re.DOTALL,
)
_DOMAINS: Final = r"(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws|amazonaws\.eu)"
"""Of AWS itself: what customers run there (load balancers, gateways, machines, web sites) has
other labels in front, which `is_endpoint` doesn't let pass."""
_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}")


def scope_of(authorization: bytes) -> Scope | None:
    """The scope that a signed request names; None where it is signed in no such way."""
    found = _SCOPE.fullmatch(authorization.strip())
    return None if found is None else Scope(found[1].decode(), found[2].decode())


def is_endpoint(authority: Authority, scope: Scope) -> bool:
    """Whether a service itself answers there, in the region of the scope or in all of them."""
    if authority.port != 443 or not _REGION.fullmatch(scope.region):
        return False
    service, region = re.escape(scope.service), re.escape(scope.region)
    bucket = r"(?:[a-z0-9][a-z0-9.-]*\.)?" if scope.service == "s3" else ""
    pattern = rf"{bucket}{service}(?:-fips)?(?:\.dualstack)?(?:\.{region})?\.{_DOMAINS}"
    return re.fullmatch(pattern, authority.host) is not None


def sign_read(
    method: str, host: str, target: bytes, scope: Scope, keys: AwsKeys, at: datetime
) -> tuple[bytes, tuple[Header, ...]]:
    """The target as it is to be spelled, and the headers that go with it, Host first.

    `at` is aware, UTC. The path is spelled as S3 wants it: every character that may be encoded is.
    """
    raw_path, _, raw_query = target.partition(b"?")
    path = quote(unquote_to_bytes(raw_path), safe="/~")
    query = _canonical_query(raw_query)
    signed = {"host": host, "x-amz-date": moment_of(at)}
    if scope.service == "s3":
        signed["x-amz-content-sha256"] = _NO_BODY
    if keys.session_token:
        signed["x-amz-security-token"] = keys.session_token
    # S3 takes the path as it is sent, everybody else encodes it once more.
    canonical_path = path if scope.service == "s3" else quote(path, safe="/~")
    authorization = authorize(method, canonical_path, query, signed, _NO_BODY, scope, keys)
    headers = {"Host": host, **{_header(name): signed[name] for name in signed if name != "host"}}
    headers["Authorization"] = authorization
    spelled = path + (f"?{query}" if query else "")
    pairs = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return spelled.encode(), pairs


def _canonical_query(raw: bytes) -> str:
    """The query with its pairs sorted and spelled anew; it is sent so too."""
    pairs = []
    for piece in raw.split(b"&") if raw else ():
        name, _, value = piece.partition(b"=")
        pairs.append((_respelled(name), _respelled(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _respelled(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _header(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
