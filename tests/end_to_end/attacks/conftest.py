"""What every attack is held against: nothing arrived, or exactly what was decided and recorded."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from tests.end_to_end.attacks.payloads import ANSWER_SECONDS_MAX, RECORD_SECONDS_MAX
from tests.end_to_end.attacks.wicked import Wicked, WickedUpstream, make_contexts, write_mapper
from tests.support.oracle import Understood
from tests.support.raw_client import AFTER_ANSWER_SECONDS, RawClient, Reply
from tests.support.readings import CannotReadError, differences, read_with_h11
from tests.support.stack import MAPPERS, Gateway, Stack

AFTER_SECONDS = 0.03
"""A refusal is one answer; what would come behind it, comes with it."""

PAGE = 1_000

HOST = "warehouse.example.test"


@dataclass(slots=True)
class Scene:
    """One hostile agent with a good key, and what became of what it sent."""

    stack: Stack
    gateway: Gateway
    raw: RawClient
    first_request: int
    first_connection: int
    cursor: str
    codes: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    @contextlib.contextmanager
    def nothing_arrives(self) -> Iterator[None]:
        """Hold that the upstream saw neither a request nor garbage meanwhile."""
        mark, faults = self.stack.oracle.mark(), len(self.stack.oracle.faults)
        yield
        assert self.stack.oracle.since(mark) == []
        assert self.stack.oracle.faults[faults:] == []

    def ask(self, payload: bytes, after_seconds: float = AFTER_ANSWER_SECONDS) -> Reply:
        """Send bytes inside a tunnel that will be answered, sooner or later."""
        return self.raw.inside(
            HOST, payload, quiet_seconds=ANSWER_SECONDS_MAX, after_seconds=after_seconds
        )

    def refuse(self, payload: bytes, statuses: frozenset[int], host: str = HOST) -> Reply:
        """Send bytes inside a tunnel that must be refused with one of these, and go no further."""
        with self.nothing_arrives():
            reply = self.raw.inside(
                host, payload, quiet_seconds=ANSWER_SECONDS_MAX, after_seconds=AFTER_SECONDS
            )
        assert reply.status in statuses, reply
        return self.note(reply)

    def refuse_tunnel(self, authority: bytes) -> Reply:
        """Ask for a tunnel that must not be had."""
        with self.nothing_arrives():
            reply = self.raw.connect(authority)
        assert reply.status in {400, 403, 421}, reply
        return self.note(reply)

    def note(self, reply: Reply) -> Reply:
        """Remember a refusal, for `assert_recorded`."""
        code = re.search(rb"checkrein-code: ([^\r]+)", reply.data)
        if code is not None:
            self.codes[code[1].decode()] += 1
        elif reply.status is not None and reply.status >= 400:
            self.refused += 1
        return reply

    # --- the record -------------------------------------------------------------------------------

    def assert_recorded(self) -> None:
        """Every refusal that an agent was told stands in the record, under its code."""
        deadline = time.monotonic() + RECORD_SECONDS_MAX
        while True:
            records = self._records()
            told = Counter(one["code"] for one in records if one["kind"] == "refusal")
            refused = sum(one.get("outcome") == "refused" for one in records)
            missing = self.codes - told
            if not missing and refused >= self.refused:
                return
            assert time.monotonic() < deadline, (missing, refused, self.refused)
            time.sleep(0.1)

    def assert_understood(self) -> None:
        """What arrived since the scene began is what was recorded, one by one, and every server
        would have read the same requests from the same bytes."""
        oracle = self.stack.oracle
        arrived = Counter(
            (
                one.method,
                _host(one.host),
                one.path,
                self.gateway.content_digest(one.body),
                _operations(one),
            )
            for one in oracle.since(self.first_request)
        )
        deadline = time.monotonic() + RECORD_SECONDS_MAX
        while True:
            intents = [one for one in self._records() if one["kind"] == "intent"]
            recorded = Counter(
                (
                    one["method"],
                    one["authority"].removesuffix(":443"),
                    one["path"].partition("?")[0],
                    one["body_digest"],
                    tuple(action["operation"] for action in one["actions"]),
                )
                for one in intents
            )
            if not arrived - recorded:
                break
            assert time.monotonic() < deadline, arrived - recorded
            time.sleep(0.1)
        for data in oracle.streams_since(self.first_connection).values():
            with contextlib.suppress(CannotReadError):  # it is still open, or a body was cut
                assert differences(data, read_with_h11(data)) == []

    def _records(self) -> list[dict[str, Any]]:
        lines, _ = _records_after(self.stack, self.gateway, self.cursor)
        return [json.loads(line) for line in lines]


def _records_after(stack: Stack, gateway: Gateway, cursor: str) -> tuple[list[str], str]:
    found: list[str] = []
    while True:
        page = stack.api.call(
            "GET", "/v1/records", after=cursor, limit=PAGE, gatewayId=gateway.gateway_id
        )
        found += [record["line"] for record in page["records"]]
        cursor = page["nextCursor"]
        if len(page["records"]) < PAGE:
            return found, cursor


@functools.cache
def _canonicalizer() -> Canonicalizer:
    return Canonicalizer.load(MAPPERS)


def _operations(arrived: Understood) -> tuple[str, ...]:
    """What the upstream's reading of a request means to the mappers."""
    url = f"https://{_host(arrived.host)}{arrived.target}"
    request = build_request(arrived.method, url, arrived.headers, arrived.body)
    return tuple(action.operation for action in _canonicalizer().canonicalize(request).actions)


def _host(header: str) -> str:
    """The host that a Host header names, in the one spelling of records."""
    return header.lower().removesuffix(":443").rstrip(".")


def make_scene(stack: Stack, gateway: Gateway) -> Scene:
    """A scene on a running gateway."""
    oracle = stack.oracle
    _, newest = _records_after(stack, gateway, "0")
    raw = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    return Scene(stack, gateway, raw, oracle.mark(), oracle.connections, newest)


@pytest.fixture(scope="module")
def scene(stack: Stack) -> Scene:
    """One scene for all rows of a file."""
    return make_scene(stack, stack.gateway)


@pytest.fixture(scope="module")
def wicked(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wicked]:
    """A gateway whose only upstream lies."""
    folder = tmp_path_factory.mktemp("wicked")
    upstream = WickedUpstream(make_contexts(folder))
    mapper = write_mapper(folder)
    gateway = stack.add_gateway(
        f"wicked-{uuid.uuid4().hex[:6]}",
        {
            "CHECKREIN_CONNECT_TO": f":443:127.0.0.1:{upstream.port}",
            "CHECKREIN_UPSTREAM_CA": str(folder / "ca.pem"),
            "CHECKREIN_MAPPERS": os.pathsep.join(map(str, (*MAPPERS, mapper))),
            "CHECKREIN_UPSTREAM_FIRST_BYTE_SECONDS_MAX": "2",
        },
    )
    try:
        yield Wicked(stack, gateway, upstream)
    finally:
        gateway.process.close()
        upstream.close()
