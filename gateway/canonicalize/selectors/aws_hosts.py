"""Tells from a host's name which part of AWS it is: `monitoring`, `data.iot`, or a bucket of S3.

Pure text: regions, partitions, FIPS, dual stack and VPC endpoints are peeled off, and what is left
is the key by which services are found. What has none of the known shapes has no key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from gateway.model.dataclass import dataclass

SUFFIXES = (
    "amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "on.aws",
    "api.amazonwebservices.com.cn", "api.amazonwebservices.eu", "c2s.ic.gov", "sc2s.sgov.gov",
    "cloud.adc-e.uk", "csp.hci.ic.gov", "api.aws.ic.gov", "api.aws.scloud",
    "api.cloud-aws.adc-e.uk", "api.aws.hci.ic.gov", "aws.amazon.com", "amazonaws-us-gov.com",
    "amazonaws.cn", "amazonaws-eusc.eu", "c2shome.ic.gov", "sc2shome.sgov.gov",
    "csphome.adc-e.uk", "csphome.hci.ic.gov", "signin.aws",
)  # fmt: skip
"""The domains of all partitions, of dual stack, and of sign-in. A test holds them equal to the
hosts of the mapper."""

_LOCAL = ".localhost.localstack.cloud"
"""A name of this machine, with the host styles of AWS in front."""
_BY_LENGTH = tuple(f".{suffix}" for suffix in sorted(SUFFIXES, key=len, reverse=True))
_REGION_TEXT = r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}"
_REGION = re.compile(_REGION_TEXT)
_PLACES = frozenset({"global", "us-gov", "dualstack", "fips"})
"""Labels that say where or how, and not what."""

_S3 = re.compile(rf"s3(?:-fips)?(?:-{_REGION_TEXT}|-external-1|-us-gov)?")
_EXPRESS = re.compile(r"s3express(?:-fips)?-[a-z0-9]+-az[0-9]+")


class Style(Enum):
    """How a host of S3 is to be read."""

    BUCKETS = "buckets"
    CONTROL = "control"
    EXPRESS_CONTROL = "express-control"
    OBJECT_LAMBDA = "object-lambda"
    OUTPOSTS_CONTROL = "outposts-control"


@dataclass(frozen=True, slots=True)
class AwsHost:
    """`key` is the name without regions (`data.iot`), empty for a host of S3, which has a `style`.
    `bucket` is empty where the path names it."""

    key: str
    style: Style | None = None
    bucket: str = ""


def read_host(host: str) -> AwsHost | None:
    """Take a host apart; None for one that is not AWS's."""
    for suffix in _BY_LENGTH:
        if host.endswith(suffix):
            labels = host[: -len(suffix)].split(".")
            break
    else:
        return None
    if labels[-1] == "vpce":
        return _endpoint_host(labels[:-1])
    found = _s3_host(labels)
    return found if found is not None else AwsHost(_key(labels))


def read_bucket_host(host: str) -> str:
    """The bucket that a LocalStack host names, empty where the path does."""
    if not host.endswith(_LOCAL):
        return ""
    found = _s3_host(host[: -len(_LOCAL)].split("."))
    return found.bucket if found is not None and found.style is Style.BUCKETS else ""


def _key(labels: Sequence[str]) -> str:
    kept = []
    for label in labels:
        if _REGION.fullmatch(label) or label in _PLACES:
            continue
        kept.append(label.removesuffix("-fips").removeprefix("fips-"))
    return ".".join(kept)


def _endpoint_host(labels: Sequence[str]) -> AwsHost:
    """`[bucket.]vpce-1a2b-3c4d.s3.eu-west-1.vpce...`, private endpoints inside a network."""
    for position, label in enumerate(labels):
        if label.startswith("vpce-"):
            before, after = labels[:position], labels[position + 1 :]
            break
    else:
        return AwsHost("")
    service = _key(after)
    if service != "s3":
        return AwsHost("" if before else service)
    match before:
        case [*names, "bucket"]:
            return AwsHost("", Style.BUCKETS, ".".join(names))
        case [name, "accesspoint"]:
            return AwsHost("", Style.BUCKETS, name)
        case ["control"] | [_, "control"]:
            return AwsHost("", Style.CONTROL)
        case _:
            return AwsHost("")


def _s3_host(labels: Sequence[str]) -> AwsHost | None:
    """S3 in all its host styles, read from the right; None where this is no host of S3."""
    rest = list(labels)
    while len(rest) > 1 and (_REGION.fullmatch(rest[-1]) or rest[-1] == "dualstack"):
        rest.pop()
    last = rest.pop()
    name = last.removesuffix("-fips")
    if _S3.fullmatch(last):
        return AwsHost("", Style.BUCKETS, ".".join(rest))
    if not name.startswith("s3"):
        return None
    if _EXPRESS.fullmatch(last) and len(rest) <= 1:
        return AwsHost("", Style.BUCKETS, ".".join(rest))
    match name, rest:
        case "s3-accelerate", [_, *_]:
            return AwsHost("", Style.BUCKETS, ".".join(rest))
        case "s3-accesspoint", [bucket]:
            return AwsHost("", Style.BUCKETS, bucket)
        case "s3-global", [bucket, "accesspoint"]:
            return AwsHost("", Style.BUCKETS, bucket)
        case "s3-object-lambda", [bucket]:
            return AwsHost("", Style.OBJECT_LAMBDA, bucket)
        case "s3-outposts", []:
            return AwsHost("", Style.OUTPOSTS_CONTROL)
        case "s3-outposts", [bucket, _]:
            return AwsHost("", Style.BUCKETS, bucket)
        case "s3-control", [] | [_]:
            return AwsHost("", Style.CONTROL)
        case "s3express-control", []:
            return AwsHost("", Style.EXPRESS_CONTROL)
        case _:
            return None
