"""What of a provider's answer counts as its target's state: JSON, XML, headers, nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.enforce.witness_state import (
    XML_DEPTH_MAX,
    XML_ELEMENTS_MAX,
    Answer,
    WitnessError,
    state_of,
)
from gateway.model.action import WitnessRead

XML, JSON = {b"content-type": b"text/xml;charset=UTF-8"}, {b"content-type": b"application/json"}
NS = b' xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
INSTANCE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<R%b><set><item><id>i-1</id>'
    b"<state><code>16</code><name>running</name></state></item>%b</set></R>"
)
TWO = b"<item><id>%b</id><state><name>stopped</name></state></item>"
ETAG = {b"etag": b'"abc"', b"content-type": b"binary/octet-stream"}


def read(*fields: str, names: tuple[str, ...] = (), **more: Any) -> WitnessRead:
    return WitnessRead("GET /x", fields, names, **more)


STATES: dict[str, tuple[WitnessRead, Answer, dict[str, Any]]] = {
    "JSON inside": (
        read("head.sha", "state"),
        Answer(200, JSON, b'{"head": {"sha": "a1", "x": 1}, "state": "open"}'),
        {"head.sha": "a1", "state": "open"},
    ),
    "names for people": (
        read("a.b", names=("sha",)), Answer(200, {}, b'{"a": {"b": 1}}'), {"sha": 1},
    ),
    "of each element of a list": (
        read("items.data.price.id"),
        Answer(200, {}, b'{"items": {"data": [{"price": {"id": "p2"}}, {"price": {"id": "p1"}}]}}'),
        {"items.data.price.id": ["p2", "p1"]},
    ),
    "an empty list says nothing": (
        read("items.id", "n"), Answer(200, {}, b'{"items": [], "n": 0}'), {"n": 0},
    ),
    "success is said": (
        read("a", success="ok"), Answer(200, {}, b'{"ok": true, "a": 1}'), {"a": 1},
    ),
    "XML, with a namespace": (
        read("set.item.state.name"), Answer(200, XML, INSTANCE % (NS, b"")),
        {"set.item.state.name": "running"},
    ),
    "XML with several, in any order": (
        read("set.item.id"), Answer(200, XML, INSTANCE % (b"", TWO % b"a-9" + TWO % b"z-1")),
        {"set.item.id": ["a-9", "i-1", "z-1"]},
    ),
    "an element with others inside": (
        read("set.item.state"), Answer(200, XML, INSTANCE % (b"", b"")),
        {"set.item.state": {"code": ["16"], "name": ["running"]}},
    ),
    "an empty element": (read("a"), Answer(200, XML, b"<R><a/></R>"), {"a": ""}),
    "headers alone": (
        read("header.etag", "header.x-amz-version-id"), Answer(200, ETAG, b""),
        {"header.etag": '"abc"'},
    ),
    "nothing is there": (
        read("a", may_be_absent=True), Answer(404, XML, b"<Error/>"), {"exists": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "answer", "state"), STATES.values(), ids=STATES.keys())
def test_what_an_answer_tells(wanted: WitnessRead, answer: Answer, state: dict[str, Any]) -> None:
    """The fields that count, under the names that people read."""
    assert state_of(wanted, answer).state == state


def test_the_order_of_repeated_elements_is_no_change() -> None:
    """Servers list them as it suits them; another element is a change."""
    wanted = read("set.item.id")
    digests = [
        state_of(wanted, Answer(200, XML, INSTANCE % (b"", more))).digest
        for more in (TWO % b"a" + TWO % b"b", TWO % b"b" + TWO % b"a", TWO % b"a" + TWO % b"c")
    ]
    assert digests[0] == digests[1] != digests[2]


BOMB = b'<!DOCTYPE R [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><R><a>&b;</a></R>'
NONE: dict[str, tuple[WitnessRead, Answer]] = {
    "success is denied": (
        read("a", success="ok"), Answer(200, {}, b'{"ok": false, "a": 1, "error": "not_authed"}'),
    ),
    "success is not said": (read("a", success="ok"), Answer(200, {}, b'{"a": 1}')),
    "success is a text": (read("a", success="ok"), Answer(200, {}, b'{"ok": "true", "a": 1}')),
    "nothing there, which is not foreseen": (read("a"), Answer(404, {}, b"{}")),
    "gone": (read("a", may_be_absent=True), Answer(410, {}, b"{}")),
    "forbidden": (read("a", may_be_absent=True), Answer(403, XML, b"<Error/>")),
    "a redirect": (read("a"), Answer(301, {}, b'{"a": 1}')),
    "a list": (read("a"), Answer(200, {}, b'[{"a": 1}]')),
    "no header that counts": (read("header.etag"), Answer(200, JSON, b"")),
    "an empty XML": (read("a"), Answer(200, XML, b"")),
    "two roots": (read("a"), Answer(200, XML, b"<R><a>1</a></R><R/>")),
    "entities": (read("a"), Answer(200, XML, BOMB)),
    "an entity from elsewhere": (
        read("a"),
        Answer(200, XML, b'<!DOCTYPE R SYSTEM "file:///etc/passwd"><R><a>&x;</a></R>'),
    ),
    "an entity that is not known": (read("a"), Answer(200, XML, b"<R><a>&x;</a></R>")),
    "another encoding": (
        read("a"), Answer(200, XML, b'<?xml version="1.0" encoding="utf-7"?><R><a>1</a></R>'),
    ),
    "another encoding by its bytes": (
        read("a"), Answer(200, XML, "<!DOCTYPE R><R><a>1</a></R>".encode("utf-16")),
    ),
    "text between elements": (read("a"), Answer(200, XML, b"<R>x<a>1</a></R>")),
    "too deep": (read("a"), Answer(200, XML, b"<R>" * (XML_DEPTH_MAX + 2))),
    "too many": (
        read("a"), Answer(200, XML, b"<R>" + b"<a></a>" * XML_ELEMENTS_MAX + b"</R>"),
    ),
    "cut off": (read("a"), Answer(200, XML, b"<R><a>1</a>")),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "answer"), NONE.values(), ids=NONE.keys())
def test_what_tells_no_state(wanted: WitnessRead, answer: Answer) -> None:
    """Then nobody can say that it is unchanged."""
    with pytest.raises(WitnessError) as raised:
        state_of(wanted, answer)
    assert raised.value.code in ("witness.refused", "witness.unreadable", "witness.empty")
