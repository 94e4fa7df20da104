"""The Slack SDK, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from slack_sdk import WebhookClient

from gateway.authoring.imports.providers.slack import READING_FAMILY, READS
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks import drive_slack
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.sdk import (
    as_request,
    canonicalizer,
    catalog_operations,
    catalog_rows,
)

ACTS = re.compile(
    r"^(?:add|approve|archive|assign|clear|close|complete|create|delete|deny|disable|edit|enable"
    r"|end|invite|join|kick|leave|mark|move|open|post|publish|push|remove|rename|reset|restrict"
    r"|revoke|rotate|send|set|share|start|stop|unarchive|uninstall|update|upload|write)(?![a-z])"
)
"""First words of the last part of a method that does something."""


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    reads = {name for name in catalog_operations("slack") if READING_FAMILY.search(name)}
    return judge(drive_slack.every_call(), reads | READS.keys())


def test_every_method_sends_and_every_operation_is_called() -> None:
    """No method of the client goes untested, and the catalog names nothing beyond them."""
    offered = {drive_slack.operation_of(name) for name in drive_slack.names()}

    assert offered == figures().methods
    assert catalog_operations("slack") == figures().methods


def test_each_call_has_its_own_name() -> None:
    """Every request of every method is recognised exactly."""
    assert (figures().wrong, figures().same) == ([], [])


def test_no_act_is_called_a_read() -> None:
    """Reads are Slack's reading families and a few more, and none of them begins like an act."""
    reads = {row.operation for row in catalog_rows("slack") if row.kind is Kind.READ}

    assert figures().mild == []
    assert [name for name in reads if ACTS.match(name.rpartition(".")[2])] == []


@pytest.mark.parametrize(
    "operation",
    ["rtm.connect", "oauth.v2.access", "apps.connections.open", "tooling.tokens.rotate"],
)
def test_what_mints_credentials_is_no_read(operation: str) -> None:
    """Methods whose answer carries tokens or a socket's address are `admin` and `sensitive`."""
    (row,) = [row for row in catalog_rows("slack") if row.operation == operation]

    assert (row.kind, row.sensitive) == (Kind.ADMIN, "credentials")


def test_identities_and_audit_logs() -> None:
    """Every method of the clients for SCIM and the audit logs is exact; what writes is `admin`."""
    result = judge(drive_slack.every_administrative_call(), reads=())

    assert (result.wrong, result.same, result.mild) == ([], [], [])
    assert result.kinds == {"read": 7, "admin": 8}


@pytest.mark.parametrize("as_json", [True, False], ids=["as JSON", "as a form"])
def test_a_message_is_the_same_in_both_encodings(as_json: bool) -> None:
    """Form and JSON give the same action."""
    arguments = {"channel": "C1", "text": "hello & bye; ü"}
    client = drive_slack.Client(token="none")
    given: dict[str, Any] = {"json": arguments} if as_json else {"data": arguments}
    with pytest.raises(drive_slack.Kept) as kept:
        client.api_call("chat.postMessage", **given)

    (action,) = canonicalizer().canonicalize(kept.value.request).actions

    assert (action.operation, action.kind, action.target.id) == (
        "chat.postMessage",
        Kind.SEND,
        "C1",
    )
    assert action.params["text"] == "hello & bye; ü"


def test_an_incoming_webhook_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook's POST is a message; nothing of its path but the hook's id is read."""

    def keep(_: Any, url: str, req: Any) -> Any:
        raise drive_slack.Kept(as_request("POST", url, req.header_items(), req.data))

    monkeypatch.setattr(WebhookClient, "_perform_http_request_internal", keep)
    with pytest.raises(drive_slack.Kept) as kept:
        WebhookClient("https://hooks.slack.com/services/T1/B1/key").send(text="x")

    (action,) = canonicalizer().canonicalize(kept.value.request).actions

    assert (action.action, action.kind, action.target.id) == ("send_message", Kind.SEND, "B1")
