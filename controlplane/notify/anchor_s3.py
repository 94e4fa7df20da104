"""A checkpoint -> an object that nobody can delete before its time: S3 and what speaks like it,
with Object Lock in compliance mode."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from controlplane.notify.notice import NotSent, Outcome, Sent
from controlplane.notify.outbound import OutboundError, post
from gateway.model.aws_signature import AwsKeys, Scope, authorize, moment_of

SERVICE: Final = "s3"


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket that has Object Lock. `endpoint` has neither a path nor a slash at its end; the
    bucket stands in the path, which every such service understands."""

    endpoint: str
    region: str
    bucket: str
    prefix: str
    keys: AwsKeys
    retain_days: int


async def keep_in_s3(
    place: S3Place, tenant_id: str, size: int, note: str, now: datetime
) -> Outcome:
    """Put it once. Tried again it is one more version of the same object; the first one stays."""
    body = note.encode()
    name = f"{place.prefix}{tenant_id}/{size:012d}.checkpoint"
    path = "/" + quote(f"{place.bucket}/{name}", safe="/~")
    headers = signed_headers(place, path, body, now)
    try:
        reply = await post(None, place.endpoint + path, body, headers, method="PUT")
    except OutboundError as error:
        return NotSent(error.message, is_final=False)
    if reply.status == 200:
        return Sent(f"s3://{place.bucket}/{name}")
    return NotSent(f"the storage answered {reply.status}", is_final=False)


def signed_headers(place: S3Place, path: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of a PUT that keeps the object locked."""
    until = now + timedelta(days=place.retain_days)
    digest = hashlib.sha256(body)
    headers = {
        "host": urlsplit(place.endpoint).netloc,
        "content-type": "text/plain; charset=utf-8",
        "x-amz-content-sha256": digest.hexdigest(),
        # A lock is taken only with a checksum of what is locked, which has to be announced.
        "x-amz-sdk-checksum-algorithm": "SHA256",
        "x-amz-checksum-sha256": base64.b64encode(digest.digest()).decode(),
        "x-amz-date": moment_of(now),
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if place.keys.session_token:
        headers["x-amz-security-token"] = place.keys.session_token
    scope = Scope(place.region, SERVICE)
    headers["authorization"] = authorize(
        "PUT", path, "", headers, digest.hexdigest(), scope, place.keys
    )
    return headers
