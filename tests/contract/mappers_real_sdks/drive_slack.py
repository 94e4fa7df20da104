"""Drives the Slack SDK: every method of `WebClient`, with what it requires and with everything that
it takes. No network: the last step of the client keeps the request."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import slack_sdk.audit_logs
from slack_sdk import WebClient
from slack_sdk.scim import SCIMClient

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

TEXT = "x1"
COMPOSED = {
    "files.upload.v2": "files.getUploadURLExternal",
    "files.remote.share.v2": "files.remote.share",
    "oauth.v2.access": "oauth.v2.access",
    "oauth.v2.exchange": "oauth.v2.exchange",
}
"""Methods of the client whose name is not their Slack method's with underscores."""
HELPERS = frozenset(
    {"api_call", "chat_stream", "issue_new_temp_session", "validate_slack_signature"}
)
"""Methods that call any method, or none."""


class Kept(Exception):
    """The request is kept; nothing is to be sent."""

    def __init__(self, request: Any) -> None:
        super().__init__("stopped before sending")
        self.request = request


class _Keeping:
    """What stands in for the last step of the smaller clients."""

    def _perform_http_request_internal(self, url: str, req: Any) -> Any:
        raise Kept(as_request(req.get_method(), req.full_url, req.header_items(), req.data))


class ScimClient(_Keeping, SCIMClient):
    """A SCIM client that keeps the request."""


class AuditLogsClient(_Keeping, slack_sdk.audit_logs.AuditLogsClient):
    """A client for audit logs that keeps the request."""


class Client(WebClient):
    """A client whose last step keeps the request."""

    def _perform_urllib_http_request_internal(self, url: str, req: Any) -> Any:
        raise Kept(as_request(req.get_method(), req.full_url, req.header_items(), req.data))


@functools.cache
def names() -> tuple[str, ...]:
    """The methods of the client, as it spells them."""
    return tuple(
        name
        for name, member in inspect.getmembers(WebClient, inspect.isfunction)
        if not name.startswith("_") and name not in HELPERS and "_" in name
    )


def operation_of(name: str) -> str:
    """`chat_postMessage` is `chat.postMessage`."""
    dotted = name.replace("_", ".")
    return COMPOSED.get(dotted, dotted)


def every_call() -> Iterator[Sent]:
    """The requests of every method, without repetition."""
    with warnings.catch_warnings(), tempfile.NamedTemporaryFile() as file:
        warnings.simplefilter("ignore")
        for name in names():
            seen = set()
            for arguments in variants(name, file.name):
                request = call(name, arguments)
                if request is not None and (request.target, request.body) not in seen:
                    seen.add((request.target, request.body))
                    yield Sent(operation_of(name), request)


def every_administrative_call() -> Iterator[Sent]:
    """The requests of the clients for SCIM and the audit logs."""
    for prefix, kind in (("scim", ScimClient), ("audit", AuditLogsClient)):
        for name, member in inspect.getmembers(kind, inspect.isfunction):
            if name.startswith("_") or name == "api_call":
                continue
            required = {
                key: {"id": TEXT, "userName": TEXT} if key.endswith(("user", "group")) else TEXT
                for key, parameter in inspect.signature(member).parameters.items()
                if key != "self" and parameter.default is parameter.empty
            }
            client = kind(token="none")
            try:
                getattr(client, name)(**required)
            except Kept as kept:
                yield Sent(f"{prefix}.{name}", kept.request)


def call(name: str, arguments: Mapping[str, Any]) -> Any:
    """The first request of one method; None where it refuses the arguments."""
    client = Client(token="none")
    # What the client itself refuses was never sent.
    with contextlib.suppress(Exception):
        try:
            getattr(client, name)(**arguments)
        except Kept as kept:
            return kept.request
    return None


def variants(name: str, file: str) -> Iterator[Mapping[str, Any]]:
    """What a method requires; that with one other argument each; and everything at once."""
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(getattr(WebClient, name)).parameters.items()
        if key != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    everything = {key: value_of(key, str(p.annotation), file) for key, p in parameters.items()}
    required = {
        key: everything[key]
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty
    }
    yield required
    yield everything
    for key, value in everything.items():
        if key not in required:
            yield {**required, key: value}


def value_of(key: str, annotation: str, file: str) -> Any:
    """Something of the right shape for an argument."""
    if key in ("file", "image", "preview_image"):
        return file
    if key in ("file_uploads", "files"):
        return [{"id": "F1", "title": TEXT}] if key == "files" else [{"file": file}]
    text = re.sub(r"typing\.|Optional\[", "", annotation)
    if "str" in text.split("[")[0] or (text.startswith("Union[") and "str" in text):
        return TEXT
    if "Sequence" in text or "List" in text:
        return [TEXT] if "str" in text else [{}]
    if "bool" in text:
        return True
    if "int" in text or "float" in text:
        return 5
    return {}
