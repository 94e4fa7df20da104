"""What JSON-RPC and MCP messages do."""

from __future__ import annotations

import pytest

from tests.unit.canonicalize.expand.calls import acts, refusal, shown


def call(method: str, params: object = None, **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **more}


def tool(name: str, arguments: object = None) -> dict[str, object]:
    return call("tools/call", {"name": name, "arguments": arguments or {}})


def test_a_tool_call_is_the_tool() -> None:
    """Operation, action, kind, target and params come from the tool's name and arguments."""
    arguments = {
        "owner": "a", "repo": "b", "pullNumber": 7, "options": {"force": True, "deep": {"x": 1}},
        "labels": ["x", "y"], "ratio": 1.5, "token": "t", "nothing": None,
    }  # fmt: skip
    (action,) = acts("mcp", tool("merge-pullRequest", arguments))

    assert (action.operation, action.action) == ("mcp.merge-pullRequest", "merge_pull_request")
    assert (action.kind.value, action.target.type, action.target.id) == (
        "update", "pull_request", "a/b/7",
    )  # fmt: skip
    assert dict(action.params) == {
        "owner": "a", "repo": "b", "pull_number": 7, "options_force": True, "labels": ["x", "y"],
        "ratio": "1.5",
    }  # fmt: skip


KINDS: dict[str, str] = {
    "get_weather": "read",
    "list_issues": "read",
    "github_list_issues": "read",
    "mcp__files__read_file": "read",
    "create_issue": "create",
    "delete_repo": "delete",
    "slack_post_message": "send",
    "invite_user": "admin",
    "query": "unknown",
    "run_query": "execute",
    "fetch": "unknown",
    "get_or_create_page": "create",
    "list_and_delete": "delete",
    "search_replace": "update",
    "read_write": "update",
    "estimate_and_buy": "unknown",
    "preview_then_ship": "unknown",
    "browser_click": "unknown",
    "github_get_and_delete": "delete",
    "notion-update-page": "update",
    "x": "unknown",
    "check_out": "unknown",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items(), ids=KINDS)
def test_a_tool_reads_only_if_its_name_says_nothing_else(name: str, kind: str) -> None:
    """The kind comes from the verb; what also acts, or says nothing, is no read."""
    (action,) = acts("mcp", tool(name))

    assert action.kind.value == kind


METHODS: dict[str, str] = {
    "initialize": "read",
    "ping": "read",
    "tools/list": "read",
    "resources/list": "read",
    "resources/read": "read",
    "prompts/get": "read",
    "notifications/initialized": "read",
    "notifications/cancelled": "execute",
    "resources/subscribe": "update",
    "logging/setLevel": "update",
    "tasks/cancel": "execute",
    "sampling/createMessage": "unknown",
    "completion/complete": "unknown",
    "elicitation/create": "unknown",
    "tools/Call": "unknown",
    "something/new": "unknown",
}


@pytest.mark.parametrize(("method", "kind"), METHODS.items(), ids=METHODS)
def test_a_method_of_the_protocol_has_its_kind(method: str, kind: str) -> None:
    """Handshake and lists read; what acts, or isn't known, does not."""
    (action,) = acts("mcp", call(method))

    assert (action.operation, action.kind.value) == (f"mcp.{method}", kind)


def test_a_batch_is_all_its_calls() -> None:
    """Calls, notices and answers of one body are an act each."""
    batch = [
        call("ping"),
        tool("delete_issue", {"id": "i"}),
        {"jsonrpc": "2.0", "id": 2, "result": {}},
    ]

    assert shown(acts("mcp", batch)) == [
        ("mcp.ping", "read", ""), ("mcp.delete_issue", "delete", "i"), ("mcp.response", "send", ""),
    ]  # fmt: skip


REFUSED: dict[str, tuple[object, str]] = {
    "no message": ("[1]", "ambiguous_body"),
    "another protocol": (call("ping") | {"jsonrpc": "1.0"}, "ambiguous_body"),
    "a call that is an answer": (call("ping") | {"result": 1}, "ambiguous_body"),
    "neither call nor answer": ({"jsonrpc": "2.0", "id": 1}, "ambiguous_body"),
    "a method in another case beside it": (
        call("ping") | {"Method": "tools/call"}, "ambiguous_body",
    ),
    "a method twice": ('{"method": "ping", "method": "tools/call"}', "ambiguous_body"),
    "a method that is no text": (call("ping") | {"method": 1}, "ambiguous_body"),
    "a method of another alphabet": (call("pi\u043dg"), "ambiguous_body"),
    "a tool without a name": (call("tools/call", {"arguments": {}}), "ambiguous_body"),
    "a tool's name in two spellings": (
        call("tools/call", {"name": "get_x", "Name": "delete_x"}), "ambiguous_body",
    ),
    "arguments that are a list": (
        call("tools/call", {"name": "a", "arguments": [1]}), "ambiguous_body",
    ),
    "an empty batch": ([], "ambiguous_body"),
    "a large batch": ([call("ping")] * 101, "too_many_actions"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_clear_message_is_refused(body: object, code: str) -> None:
    """A message that servers could read in two ways is refused."""
    assert refusal("mcp", body) == code


def test_headers_say_what_the_body_says() -> None:
    """A router that believes the header must not see another tool than the server."""
    same = {"mcp-method": "tools/call", "mcp-name": "get_x"}
    other = {"mcp-method": "tools/call", "mcp-name": "delete_x"}

    assert refusal("mcp", tool("get_x"), headers=same) == ""
    assert refusal("mcp", tool("get_x"), headers=other) == "ambiguous_header"
    assert refusal("mcp", tool("get_x"), headers={"mcp-method": "ping"}) == "ambiguous_header"


def test_other_services_methods_never_read() -> None:
    """Where nobody mapped the service, a name can act, and can't promise to read."""
    batch = [call("eth_sendRawTransaction", ["0x"]), call("eth_getBalance"), call("wallet.delete")]

    assert shown(acts("jsonrpc", batch)) == [
        ("shop.eth_sendRawTransaction", "send", ""),
        ("shop.eth_getBalance", "unknown", ""),
        ("shop.wallet.delete", "delete", ""),
    ]
