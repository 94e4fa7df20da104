"""The handshake of a WebSocket is an act of its own, never the read that it is written as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.authoring.mappers import request_of_test
from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.model.action import Canonical, Kind, action_digest
from gateway.model.exchange import Exchange, HttpRequest, Principal

MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: rooms}
spec:
  provider: rooms
  hosts: [rooms.test]
  operations:
    GET /v1/rooms/{room}: get_room
    GET /v1/rooms: list_room
    WEBSOCKET /v1/rooms/{room}:
      action: join_room
      kind: execute
      target: {type: room, id: path.room}
    WEBSOCKET /v1/lobby: {action: join_lobby, kind: execute}
"""


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Canonicalizer:
    file: Path = tmp_path_factory.mktemp("rooms") / "rooms.yaml"
    file.write_text(MAPPER)
    return Canonicalizer.load([file])


def handshake(url: str) -> HttpRequest:
    return build_request("GET", url.replace("https://", "wss://"))


def read(rooms: Canonicalizer, request: HttpRequest) -> Canonical:
    return rooms.canonicalize(request)


SEEN = {
    "an entry of its own": ("https://rooms.test/v1/rooms/r1", "join_room", Kind.EXECUTE, "r1"),
    "one without a variable": ("https://rooms.test/v1/lobby", "join_lobby", Kind.EXECUTE, ""),
    "the path of a read": (
        "https://rooms.test/v1/rooms", "open_websocket", Kind.UNKNOWN, "rooms.test/v1/rooms",
    ),
    "an unknown host": (
        "https://else.test/live?x=1", "open_websocket", Kind.UNKNOWN, "else.test/live",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SEEN)
def test_what_a_handshake_is(rooms: Canonicalizer, case: str) -> None:
    """Described by its own entry, or unknown under a name that rules can have."""
    url, name, kind, target = SEEN[case]
    (action,) = read(rooms, handshake(url)).actions
    assert (action.action, action.kind, action.target.id) == (name, kind, target)


def test_a_plain_read_is_still_one(rooms: Canonicalizer) -> None:
    """And the entry of a handshake does not take it."""
    (action,) = read(rooms, build_request("GET", "https://rooms.test/v1/rooms/r1")).actions
    assert (action.action, action.kind) == ("get_room", Kind.READ)
    assert read(rooms, build_request("GET", "https://rooms.test/v1/lobby")).actions[0].kind is (
        Kind.UNKNOWN
    )


def test_no_method_stands_for_a_handshake(rooms: Canonicalizer) -> None:
    """A request whose method is spelled like the entry's key is refused."""
    plain = replace(build_request("GET", "https://rooms.test/v1/lobby"), method="WEBSOCKET")
    assert read(rooms, plain).refused == "ambiguous_method"


def test_a_read_and_a_handshake_share_no_approval() -> None:
    """Not even where their actions had one name."""
    plain = build_request("GET", "https://else.test/live")
    digests = {
        action_digest(Exchange("req_1", Principal("a"), request, 0), Canonical((), "x", "problem"))
        for request in (plain, replace(plain, is_websocket=True))
    }
    assert len(digests) == 2


WRITTEN = {
    "as recorded by a browser": ("wss://rooms.test/v1/lobby", []),
    "with the headers of a handshake": (
        "https://rooms.test/v1/lobby", [("Upgrade", "WebSocket"), ("Connection", "Upgrade")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRITTEN)
def test_authors_see_what_the_gateway_sees(rooms: Canonicalizer, case: str) -> None:
    """A handshake that is written down is read as one on the wire is."""
    url, headers = WRITTEN[case]
    request = build_request("GET", url, headers)
    assert (request.scheme, request.is_websocket) == ("https", True)
    assert b"upgrade" not in request.fields
    assert read(rooms, request).actions[0].action == "join_lobby"
    winner = rooms.examine(request).winner
    assert winner is not None
    assert winner.operation.action == "join_lobby"


def test_a_mapper_tests_its_handshakes(tmp_path: Path) -> None:
    """`WEBSOCKET /path` in a mapper's own tests, as in its entries."""
    file = tmp_path / "rooms.yaml"
    test = "{request: WEBSOCKET /v1/rooms/r1, expect: {action: join_room, target.id: r1}}"
    file.write_text(f"{MAPPER}  tests:\n    - {test}\n")
    canonicalizer = Canonicalizer.load([file])
    (mapper,) = canonicalizer.mappers
    request = request_of_test(mapper, mapper.tests[0])
    assert read(canonicalizer, request).actions[0].action == "join_room"


def test_policies_can_name_it(rooms: Canonicalizer) -> None:
    """A rule about `open_websocket` is no misspelling."""
    words = rooms.vocabulary()
    assert "open_websocket" in words.actions
    assert "open_websocket" in words.operations
