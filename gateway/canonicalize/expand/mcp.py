"""Turns the Model Context Protocol over HTTP into acts: a tool's call is the tool's own act.

Tools are named by whoever wrote the server, so a name is believed to read only where it says
nothing else; what is not known is kind unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.canonicalize.expand.acts import (
    NAME_CHARS_MAX,
    Act,
    Call,
    acting_kind,
    snake,
    verb_first,
)
from gateway.canonicalize.expand.jsonrpc import expand_calls
from gateway.canonicalize.naming.kinds import KIND_BY_VERB, derived_kind
from gateway.canonicalize.naming.words import words_of
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.reader import member
from gateway.model.action import Action, Kind

_METHODS: Mapping[str, tuple[str, Kind]] = {
    "initialize": ("open_session", Kind.READ),
    "ping": ("check_connection", Kind.READ),
    "tools/list": ("list_tool", Kind.READ),
    "resources/list": ("list_resource", Kind.READ),
    "resources/templates/list": ("list_resource_template", Kind.READ),
    "resources/read": ("get_resource", Kind.READ),
    "resources/subscribe": ("subscribe_resource", Kind.UPDATE),
    "resources/unsubscribe": ("unsubscribe_resource", Kind.UPDATE),
    "prompts/list": ("list_prompt", Kind.READ),
    "prompts/get": ("get_prompt", Kind.READ),
    "logging/setLevel": ("set_logging_level", Kind.UPDATE),
    "tasks/get": ("get_task", Kind.READ),
    "tasks/list": ("list_task", Kind.READ),
    "tasks/result": ("get_task_result", Kind.READ),
    "tasks/cancel": ("cancel_task", Kind.EXECUTE),
    "notifications/initialized": ("open_session", Kind.READ),
    "notifications/progress": ("report_progress", Kind.READ),
    "notifications/roots/list_changed": ("report_root", Kind.READ),
    "notifications/cancelled": ("cancel_request", Kind.EXECUTE),
}
"""Methods that a client calls. Handshake and notices change nothing, so they count as reading."""


def expand_mcp(call: Call) -> tuple[Action, ...]:
    """The acts of MCP messages: `tools/call` is `mcp.<tool>`, all else `mcp.<method>`.

    Raises:
        AmbiguityError: no JSON-RPC, or a header names another method or tool.
    """
    actions = expand_calls(call, _act, "mcp.response")
    fields = call.reader.request.fields
    header = fields.get(b"mcp-method")
    if header is not None:
        _check_headers(call, header, fields.get(b"mcp-name"))
    return actions


def _check_headers(call: Call, method: bytes, name: bytes | None) -> None:
    """Newer clients repeat method and name in headers, for routers; both must say the same."""
    body = call.reader.json
    params = body.get("params") if isinstance(body, Mapping) else None
    says = body.get("method") if isinstance(body, Mapping) else None
    inner = params if isinstance(params, Mapping) else {}
    named = inner.get("name", inner.get("uri"))
    if method.decode("latin-1") != says or (
        name is not None and name.decode("latin-1") != named and not name.startswith(b"=?")
    ):
        raise AmbiguityError(ambiguity.HEADER, "a header names another method than the body")


def _act(method: str, params: Mapping[str, object]) -> Act:
    if method != "tools/call":
        action, kind = _METHODS.get(method, ("", Kind.UNKNOWN))
        words = action.split("_") if action else words_of(method)
        return Act(f"mcp.{method}", words, kind, {k: v for k, v in params.items() if k != "_meta"})
    name = member(params, "name")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX or not name.isascii():
        raise AmbiguityError(ambiguity.BODY, "the tool's name is missing, too long or not plain")
    arguments = member(params, "arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise AmbiguityError(ambiguity.BODY, "the tool's arguments are no object")
    words = words_of(name)
    return Act(f"mcp.{name}", words, tool_kind(words), arguments or {}, snake(name))


_ACTING_SECONDS = frozenset(
    {
        "replace", "delete", "remove", "create", "insert", "write", "send", "execute", "apply",
        "upsert", "purge", "drop", "update", "edit", "modify", "rename", "move",
    }
)  # fmt: skip
_JOINTS = frozenset({"and", "or", "then", "plus"})


def tool_kind(words: Sequence[str]) -> Kind:
    """The kind that a tool's name means. It reads only if its first word says so and no other one
    says anything else, or a word behind a prefix does and none acts: `github_list_issues`."""
    if not words:
        return Kind.UNKNOWN
    if words[0] in KIND_BY_VERB:
        kind = derived_kind(words, "POST")
        spoilt = _ACTING_SECONDS.intersection(words[1:])
    else:
        ordered = verb_first("_".join(words))
        kind = derived_kind(ordered, "POST") if ordered[0] in KIND_BY_VERB else Kind.UNKNOWN
        spoilt = frozenset(
            word for word in words if KIND_BY_VERB.get(word, Kind.READ) is not Kind.READ
        )
    if kind is Kind.READ and not _JOINTS.isdisjoint(words):
        # `estimate_and_buy`: whatever follows is an act of its own.
        return Kind.UNKNOWN
    if kind is Kind.READ and spoilt:
        return acting_kind([next(word for word in words if word in spoilt)])
    return kind
