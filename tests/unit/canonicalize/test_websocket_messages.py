"""The messages of a WebSocket: read where a mapper describes them, and acts of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.authoring.explain import explain
from gateway.authoring.mappers import map_line, run_tests
from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.intercept.message_channel import message_request
from gateway.model.action import Action, Canonical, Kind, action_digest
from gateway.model.errors import ConfigurationError
from gateway.model.exchange import Exchange, HttpRequest, Message, Principal

MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: rooms}
spec:
  provider: rooms
  hosts: [rooms.test]
  defaults: {params: body}
  volatile: [event_id]
  operations:
    WEBSOCKET /rooms/{room}: {action: join_room, kind: execute}
    WEBSOCKET /feed: {action: join_feed, kind: execute}
    MESSAGE /rooms/{room}:
      - when: {type: say}
        action: send_message
        target: {type: room, id: path.room}
        params: {text: text, tenant: header.x-tenant}
      - when: {type: look}
        action: get_room
        kind: read
        target: {type: room, id: path.room}
    MESSAGE /all: {action: send_message, target: {type: room}}
    MESSAGE /rpc: {operation: rooms.call, action: call_method, kind: unknown, expand: jsonrpc}
  tests:
    - {request: 'MESSAGE /rooms/a {"type": "say", "text": "x"}', expect: {action: send_message, target.id: a, params.text: x}}
    - {request: 'MESSAGE wss://rooms.test/rooms/a {"type": "look"}', expect: {kind: read}}
    - {request: 'MESSAGE /rooms/a {"type": "look", "type": "say"}', expect: {refused: ambiguous_body}}
"""  # noqa: E501 - a test of a mapper stands on one line


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Canonicalizer:
    file: Path = tmp_path_factory.mktemp("rooms") / "rooms.yaml"
    file.write_text(MAPPER)
    return Canonicalizer.load([file])


def handshake(path: str, host: str = "rooms.test") -> HttpRequest:
    headers = [("X-Tenant", "t-1"), ("Sec-WebSocket-Protocol", "v1")]
    return build_request("GET", f"wss://{host}{path}", headers)


def message(path: str, data: bytes, how: Message = Message.TEXT) -> HttpRequest:
    return message_request(handshake(path), how, data)


def only(canonical: Canonical) -> Action:
    assert canonical.refused is None
    (action,) = canonical.actions
    return action


READ = {
    "by its type": ("/rooms/a", b'{"type": "say", "text": "x"}', "send_message", Kind.SEND, "a"),
    "one that reads": ("/rooms/a", b'{"type": "look"}', "get_room", Kind.READ, "a"),
    "of a type that nobody describes": (
        "/rooms/a", b'{"type": "else"}', "send_websocket_message", Kind.UNKNOWN,
        "rooms.test/rooms/a",
    ),
    "of no type": (
        "/rooms/a", b"[1]", "send_websocket_message", Kind.UNKNOWN, "rooms.test/rooms/a",
    ),
    "whatever it says, where it is not looked into": (
        "/all", b"hello", "send_message", Kind.SEND, "",
    ),
    "a call within it": (
        "/rpc", b'{"jsonrpc": "2.0", "method": "room.delete"}', "delete_room", Kind.DELETE, "",
    ),
    "where none is described": (
        "/feed", b"{}", "send_websocket_message", Kind.UNKNOWN, "rooms.test/feed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_what_a_message_is(rooms: Canonicalizer, case: str) -> None:
    """Described by an entry with its conditions, or unknown under a name that rules can have."""
    path, data, name, kind, target = READ[case]
    action = only(rooms.canonicalize(message(path, data)))
    assert (action.action, action.kind, action.target.id) == (name, kind, target)


def test_headers_of_the_handshake_can_be_read(rooms: Canonicalizer) -> None:
    """They say whom it is for, as in a request."""
    action = only(rooms.canonicalize(message("/rooms/a", b'{"type": "say", "text": "x"}')))
    assert action.params == {"text": "x", "tenant": "t-1"}


@pytest.mark.parametrize("path", ["/rooms/a", "/all", "/rpc"])
def test_bytes_are_unknown(rooms: Canonicalizer, path: str) -> None:
    """Even where an entry takes any text: nobody says what they are."""
    action = only(rooms.canonicalize(message(path, b'{"type": "look"}', Message.BINARY)))
    assert (action.action, action.kind) == ("send_websocket_message", Kind.UNKNOWN)


REFUSED = {
    "no JSON": (b"hello", "ambiguous_body"),
    "a key twice": (b'{"type": "look", "type": "say"}', "ambiguous_body"),
    "a key twice in other letters": (b'{"type": "look", "Type": "say"}', "ambiguous_body"),
    "nothing": (b"", None),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_two_servers_could_read_differently(rooms: Canonicalizer, case: str) -> None:
    """Is refused, as in a request."""
    data, code = REFUSED[case]
    canonical = rooms.canonicalize(message("/rooms/a", data))
    assert canonical.refused == code
    if code is None:
        assert only(canonical).kind is Kind.UNKNOWN


ASKS = {
    "a room": (handshake("/rooms/a"), True),
    "a room with a query and a slash": (handshake("/rooms/a/?x=1"), True),
    "a room in other letters, which some servers take for it": (handshake("/Rooms/a"), True),
    "a path of messages alone": (handshake("/all"), True),
    "a path without": (handshake("/feed"), False),
    "an unknown path": (handshake("/else"), False),
    "an unknown host": (handshake("/rooms/a", "else.test"), False),
}


@pytest.mark.parametrize("case", ASKS)
def test_which_handshakes_open_what_is_read(rooms: Canonicalizer, case: str) -> None:
    """Those at whose path a mapper describes messages."""
    request, expected = ASKS[case]
    assert rooms.reads_messages(request) is expected


def test_a_room_in_other_letters_is_refused(rooms: Canonicalizer) -> None:
    """Message by message, where a rule let its handshake pass."""
    canonical = rooms.canonicalize(message("/Rooms/a", b'{"type": "look"}'))
    assert canonical.refused == "ambiguous_path"


def test_no_method_stands_for_a_message(rooms: Canonicalizer) -> None:
    """A request whose method is spelled like the entry's key is refused."""
    plain = replace(build_request("POST", "https://rooms.test/all", [], b"{}"), method="MESSAGE")
    assert rooms.canonicalize(plain).refused == "ambiguous_method"


def test_a_message_and_a_request_share_no_approval() -> None:
    """Nor do the same bytes as text and not; whatever a client renews doesn't count."""
    data = b'{"type": "say"}'
    plain = build_request("POST", "https://rooms.test/rooms/a", [("X-Tenant", "t-1")], data)
    canonical = Canonical((), "rooms", "problem")
    requests = (
        plain, message("/rooms/a", data), message("/rooms/a", data, Message.BINARY),
        message("/rooms/b", data),
    )  # fmt: skip
    digests = {
        action_digest(Exchange("req_1", Principal("a"), request, 0), canonical)
        for request in requests
    }
    assert len(digests) == len(requests)


def test_what_a_client_makes_up_for_each_message_is_no_part_of_it(rooms: Canonicalizer) -> None:
    """Sent again under another id it is the same act."""
    digests = set()
    for event_id in ("e-1", "e-2"):
        data = b'{"event_id": "%b", "type": "say"}' % event_id.encode()
        exchange = Exchange("req_1", Principal("a"), message("/rooms/a", data), 0)
        digests.add(action_digest(exchange, rooms.canonicalize(exchange.request)))
    assert len(digests) == 1


def test_authors_see_what_the_gateway_sees(rooms: Canonicalizer) -> None:
    """In a mapper's own tests, in `explain`, and as a line for `map`."""
    results = run_tests(rooms)
    assert len(results) == 3
    assert [result.differences for result in results] == [()] * 3
    request = build_request("MESSAGE", "wss://rooms.test/rooms/a", [], b'{"type": "look"}')
    told = explain(rooms, request)
    assert told["won"] is not None
    assert (told["method"], told["why"]) == (
        "MESSAGE", "all of its conditions hold, and no entry with more does",
    )  # fmt: skip
    line = b'{"method": "MESSAGE", "url": "wss://rooms.test/all", "body_b64": "e30="}'
    assert map_line(rooms, line)["actions"] == [
        {
            "provider": "rooms", "operation": "rooms.send_message", "action": "send_message",
            "kind": "send", "target": {"type": "room", "id": ""}, "params": {}, "reversible": True,
            "sensitive": None, "missing": [], "unreadable": [],
        }
    ]  # fmt: skip


def test_policies_can_name_it(rooms: Canonicalizer) -> None:
    """A rule about `send_websocket_message` is no misspelling."""
    words = rooms.vocabulary()
    assert "send_websocket_message" in words.actions
    assert "send_websocket_message" in words.operations


def test_an_entry_that_reads_says_so(tmp_path: Path) -> None:
    """A message acts, unless its author says that it doesn't."""
    file = tmp_path / "rooms.yaml"
    file.write_text(MAPPER.replace("        kind: read\n", ""))
    with pytest.raises(ConfigurationError) as caught:
        Canonicalizer.load([file])
    (problem,) = caught.value.problems
    assert "disagree on whether this reads" in problem.message
