"""Turns JSON-RPC 2.0 into acts: one for each call of a batch.

A method's name says what it does, but never that it only reads: who maps the service may say so.
What a client posts in answer to a server is an act too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.canonicalize.expand.acts import (
    NAME_CHARS_MAX,
    Act,
    Call,
    acting_kind,
    actions_of,
    check_count,
    verb_first,
)
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.reader import member
from gateway.model.action import Action, Kind

CALLS_MAX = 100
"""Calls of one batch. Ethereum nodes take 100 to 1,000; MCP has given batches up."""

Named = Callable[[str, Mapping[str, object]], Act]
"""Makes the act of one method with its params."""


def expand_jsonrpc(call: Call) -> tuple[Action, ...]:
    """The acts of JSON-RPC calls; operations are `<provider>.<method>`.

    Raises:
        AmbiguityError: no JSON-RPC, or a member is there in two spellings.
    """
    provider = call.operation.provider

    def named(method: str, params: Mapping[str, object]) -> Act:
        words = verb_first(method)
        return Act(f"{provider}.{method}", words, acting_kind(words), params)

    return expand_calls(call, named, f"{provider}.response")


def expand_calls(call: Call, named: Named, response: str) -> tuple[Action, ...]:
    """The acts of all calls, each named by `named`; `response` is the operation of an answer.

    Raises:
        AmbiguityError: no JSON-RPC, or a member is there in two spellings.
    """
    body = call.reader.json
    messages = body if isinstance(body, list) else [body]
    if len(messages) > CALLS_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the JSON-RPC batch is too large")
    if not messages:
        raise AmbiguityError(ambiguity.BODY, "the JSON-RPC batch is empty")
    actions: list[Action] = []
    for message in messages:
        actions += actions_of(call, _act(message, named, response))
        check_count(actions)
    return tuple(actions)


def _act(message: object, named: Named, response: str) -> Act:
    if not isinstance(message, Mapping) or member(message, "jsonrpc") not in (None, "2.0"):
        raise AmbiguityError(ambiguity.BODY, "the body is no JSON-RPC message")
    method = member(message, "method")
    is_answer = member(message, "result") is not None or member(message, "error") is not None
    if isinstance(method, str) == is_answer or not isinstance(method, str | None):
        raise AmbiguityError(ambiguity.BODY, "a JSON-RPC message is a call or an answer")
    if not isinstance(method, str):
        return Act(response, ["send", "response"], Kind.SEND)
    if not 0 < len(method) <= NAME_CHARS_MAX or not method.isascii() or not method.isprintable():
        raise AmbiguityError(ambiguity.BODY, "a JSON-RPC method's name is too long or not plain")
    params = member(message, "params")
    return named(method, params if isinstance(params, Mapping) else {})
