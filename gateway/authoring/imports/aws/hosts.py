"""Finds at which hosts a service answers, and by which names it signs, from its endpoint rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from gateway.authoring.imports.aws.models import Model
from gateway.canonicalize.selectors.aws_hosts import read_host

_MORE_HOSTS: Mapping[str, tuple[str, ...]] = {
    "sqs": ("queue",),
    "application-autoscaling": ("autoscaling",),
    "autoscaling-plans": ("autoscaling",),
    "iot-data": ("*.iot",),
    "iot-jobs-data": ("*.jobs.iot",),
    "kinesisvideo": ("*.kinesisvideo",),
    "kinesis-video-archived-media": ("*.kinesisvideo",),
    "kinesis-video-media": ("*.kinesisvideo",),
    "kinesis-video-signaling": ("*.kinesisvideo",),
    "kinesis-video-webrtc-storage": ("*.kinesisvideo",),
    "mediastore-data": ("*.data.mediastore",),
    "mediaconvert": ("*.mediaconvert",),
    "cloudsearchdomain": ("*.cloudsearch",),
    "neptunedata": ("*.neptune",),
    "machinelearning": ("realtime.machinelearning",),
    "timestream-query": ("*.timestream",),
    "timestream-write": ("*.timestream",),
}
"""Hosts that no rule has: a service gives them to its callers, or they are its older name."""

_VARIABLE = re.compile(r"\{[^{}]*\}")
_REGIONAL = re.compile(r"\{[^{}]*[Rr]egion\}")
_OPERATION_TYPES = ("control", "data")
_ANY = "qqq"
"""Stands for a variable while its host is read; no host has it."""
_DOMAIN = re.compile(r"\{[^{}]*[dD]nsSuffix\}")


def host_keys(model: Model) -> tuple[str, ...]:
    """The keys of `aws_hosts.read_host` under which a service is found; `*.` stands for any labels.

    S3 and its control API have styles instead of keys.
    """
    if model.name in ("s3", "s3control"):
        return ()
    bases = {model.metadata["endpointPrefix"]}
    for url in _urls(model.rules):
        bases |= _keys_of(url)
    prefixes = {""} | {
        operation.raw["endpoint"]["hostPrefix"]
        for operation in model.operations
        if "hostPrefix" in operation.raw.get("endpoint", {})
    }
    keys = {_starred(prefix + key) for prefix, key in product(prefixes, bases)}
    return tuple(sorted(keys | set(_MORE_HOSTS.get(model.name, ()))))


def signing_names(model: Model) -> tuple[str, ...]:
    """The names in the credential scopes of a service's requests, in its rules' words too."""
    names = {model.signing_name}
    for properties in _properties(model.rules):
        for scheme in properties.get("authSchemes", ()):
            name = scheme.get("signingName", "")
            if name and "{" not in name:
                names.add(name)
    return tuple(sorted(names))


def _urls(node: object) -> Iterator[str]:
    for endpoint in _endpoints(node):
        if isinstance(endpoint.get("url"), str):
            yield endpoint["url"]


def _properties(node: object) -> Iterator[Mapping[str, Any]]:
    for endpoint in _endpoints(node):
        yield endpoint.get("properties", {})


def _endpoints(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        endpoint = node.get("endpoint")
        if isinstance(endpoint, Mapping):
            yield endpoint
        for value in node.values():
            yield from _endpoints(value)
    elif isinstance(node, list):
        for value in node:
            yield from _endpoints(value)


def _keys_of(url: str) -> set[str]:
    """`https://{AccountId}.ddb.{Region}.{...#dnsSuffix}` has the key `*.ddb`."""
    host = url.partition("://")[2].partition("/")[0]
    host = _DOMAIN.sub("amazonaws.com", _REGIONAL.sub("us-east-1", host))
    keys = set()
    for kind in _OPERATION_TYPES if "{OperationType}" in host else ("",):
        text = host.replace("{OperationType}", kind)
        read = read_host(_VARIABLE.sub(_ANY, text))
        labels = read.key.split(".") if read is not None else [""]
        # A variable that is only a part of a label belongs to an endpoint of the customer's own.
        if all(labels) and all(_ANY not in label or label == _ANY for label in labels):
            keys.add(".".join("{}" if label == _ANY else label for label in labels))
    return keys


def _starred(key: str) -> str:
    """`{}.ddb` or `{AccountId}.ddb` as `*.ddb`: any labels, however many."""
    labels = [label for label in key.split(".") if label]
    while labels and labels[0].startswith("{"):
        labels.pop(0)
        if not labels or not labels[0].startswith("{"):
            return "*." + ".".join(labels)
    return ".".join(labels)
