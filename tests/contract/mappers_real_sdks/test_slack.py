"""The Slack SDK, driven without a network, against the shipped mapper."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from slack_sdk import WebClient, WebhookClient

from gateway.canonicalize.operation import Operation
from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, operations_of

READING_VERBS = (
    "list", "info", "get", "history", "replies", "members", "search", "test", "identity", "lookup",
    "conversations", "presence", "permalink", "logs", "messages", "files", "all",
)  # fmt: skip
"""Last words of Slack methods that read; anything else called a read would be a mistake."""


EXAMPLES: dict[str, object] = {
    "users": ["x1"],
    "user_ids": ["x1"],
    "channel_ids": ["x1"],
    "files": [{"id": "F1"}],
}


class Kept(Exception):
    """The request is kept; nothing is to be sent."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__("stopped before sending")
        self.request = request


class Client(WebClient):
    """A client whose last step keeps the request."""

    def _perform_urllib_http_request_internal(self, url: str, req: Any) -> Any:
        raise Kept(as_request(req.get_method(), req.full_url, req.header_items(), req.data))


def call(method_name: str, **more: object) -> HttpRequest | None:
    """Call one method of the SDK with made-up arguments."""
    target = getattr(Client(token="none"), method_name)
    given: dict[str, object] = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.default is parameter.empty:
            given[name] = EXAMPLES.get(name, "x1")
    try:
        target(**{**given, **more})
    except Kept as kept:
        return kept.request
    except Exception:
        return None
    return None


def sdk_name(operation: str) -> str:
    """`chat.postMessage` is `chat_postMessage` in the SDK."""
    return operation.replace(".", "_")


OFFERED = [
    entry for entry in operations_of("slack") if hasattr(WebClient, sdk_name(entry.operation))
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("entry", OFFERED, ids=lambda entry: entry.operation)
def test_each_call_has_its_own_name(entry: Operation) -> None:
    """Every mapped method that the SDK offers is recognised exactly, with its kind."""
    more: dict[str, dict[str, object]] = {
        "chat.update": {"text": "x"},
        "views.open": {"view": {}, "trigger_id": "t"},
        "conversations.open": {"users": ["U1"]},
        "conversations.inviteShared": {"emails": ["a@b.test"]},
    }
    request = call(sdk_name(entry.operation), **more.get(entry.operation, {}))
    assert request is not None, "the SDK sent nothing"

    canonical = canonicalizer().canonicalize(request)

    assert canonical.refused is None, canonical.detail
    assert [action.operation for action in canonical.actions] == [entry.operation]
    assert canonical.actions[0].kind is entry.kind


def test_enough_methods_are_mapped() -> None:
    """At least forty methods of the SDK are named."""
    assert len(OFFERED) >= 40


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_no_method_of_the_whole_sdk_is_wrongly_a_read() -> None:
    """Every method of the SDK, mapped or not: only methods with a reading name are reads."""
    wrong, called = [], 0
    for name in dir(WebClient):
        if name.startswith("_") or "_" not in name or name.isupper():
            continue
        request = call(name)
        if request is None:
            continue
        called += 1
        for action in canonicalizer().canonicalize(request).actions:
            last = name.rpartition("_")[2].lower()
            if action.kind is Kind.READ and not any(verb in last for verb in READING_VERBS):
                wrong.append(name)

    assert called > 150
    assert wrong == []


@pytest.mark.parametrize("as_json", [True, False], ids=["as JSON", "as a form"])
def test_a_message_is_the_same_in_both_encodings(as_json: bool) -> None:
    """Form and JSON give the same action."""
    arguments = {"channel": "C1", "text": "hello & bye; ü"}
    client = Client(token="none")
    given: dict[str, Any] = {"json": arguments} if as_json else {"data": arguments}
    with pytest.raises(Kept) as kept:
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
        raise Kept(as_request("POST", url, req.header_items(), req.data))

    monkeypatch.setattr(WebhookClient, "_perform_http_request_internal", keep)
    with pytest.raises(Kept) as kept:
        WebhookClient("https://hooks.slack.com/services/T1/B1/key").send(text="x")

    (action,) = canonicalizer().canonicalize(kept.value.request).actions

    assert (action.action, action.kind, action.target.id) == ("send_message", Kind.SEND, "B1")
