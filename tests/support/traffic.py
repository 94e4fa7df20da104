"""Agents that keep calling while something is killed, and the check of what they left behind.

Each call carries a tag of its own and is never repeated by us, so that a tag seen twice upstream
was executed twice, and a tag seen there without an intent was executed unrecorded.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.support.control_api import StoredRecord
from tests.support.oracle import Understood
from tests.support.raw_client import RawClient, request

HOST = "warehouse.example.test"
ANSWER_SECONDS_MAX = 5.0
PAUSE_SECONDS = 0.01


@dataclass
class Traffic:
    """Threads that add notes to orders (a mutation that policy allows) until `stop`.

    `told` holds, by tag, the status that the agent read, or None where the connection broke.
    """

    client: RawClient
    prefix: str
    threads: int = 3
    told: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._running = [
            threading.Thread(target=self._call_on, name="traffic", daemon=True)
            for _ in range(self.threads)
        ]

    def start(self) -> None:
        """Begin calling."""
        for thread in self._running:
            thread.start()

    def stop(self) -> None:
        """Let each thread finish its call, and wait for them."""
        self._stopping.set()
        for thread in self._running:
            thread.join(ANSWER_SECONDS_MAX * 3)
            assert not thread.is_alive()

    def wait_told(self, status: int, count: int, seconds: float = 20.0) -> None:
        """Wait until `count` calls more than now were answered with this status."""
        goal = self.count(status) + count
        deadline = time.monotonic() + seconds
        while self.count(status) < goal:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.count(status)} of {goal} answers {status}: {self.told}"
                )
            time.sleep(PAUSE_SECONDS)

    def count(self, status: int | None) -> int:
        """How many calls were answered with this status."""
        return Counter(list(self.told.values()))[status]

    def _call_on(self) -> None:
        while not self._stopping.is_set():
            tag = f"{self.prefix}n{next(self._numbers)}n"
            self.told[tag] = self._call(tag)
            if self.told[tag] is None:
                time.sleep(PAUSE_SECONDS * 5)

    def _call(self, tag: str) -> int | None:
        payload = request(
            "POST", f"/v1/orders/{tag}/note", {"Content-Type": "application/json"}, b'{"note":1}'
        )
        try:
            with self.client.open_tls(HOST) as sock:
                sock.settimeout(ANSWER_SECONDS_MAX)
                sock.sendall(payload)
                return _read_status(sock)
        except (OSError, ssl.SSLError, AssertionError):
            return None


def _read_status(sock: socket.socket) -> int | None:
    """The status of an answer that came complete; None when it broke off."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65_536)
        if not piece:
            return None
        data += piece
    return int(data.split(b" ", 2)[1])


@dataclass(frozen=True, slots=True)
class Chain:
    """One gateway's records in order of their sequence."""

    lines: tuple[str, ...]
    fields: tuple[Mapping[str, Any], ...]


def verify_chain(records: Iterable[StoredRecord], gateway_id: str) -> Chain:
    """Recompute the chain of one gateway with nothing of the product's own code.

    Raises:
        AssertionError: a gap, a repeated number, or a link that does not hold.
    """
    own = sorted((r for r in records if r.gateway_id == gateway_id), key=lambda r: r.seq)
    previous = "0" * 64
    for expected, record in enumerate(own, 1):
        fields = json.loads(record.line)
        assert record.seq == expected == fields["seq"], f"record {expected} is missing or doubled"
        assert fields["gateway"] == gateway_id
        assert fields["prev"] == previous, f"record {expected} does not follow the one before it"
        previous = hashlib.sha256(record.line.encode()).hexdigest()
    return Chain(tuple(r.line for r in own), tuple(json.loads(r.line) for r in own))


class Witness(Protocol):
    """An upstream that can be asked what it understood."""

    def about(self, text: str) -> list[Understood]: ...


def assert_every_effect_is_recorded_once(
    oracle: Witness, chain: Chain, told: Mapping[str, int | None]
) -> None:
    """Hold the oracle's truth against the record and against what the agents read."""
    effects = Counter(tag for tag in told for _ in oracle.about(tag))
    intents = [fields for fields in chain.fields if fields["kind"] == "intent"]
    recorded = {tag for tag in told for fields in intents if tag in fields["path"]}

    assert [tag for tag, count in effects.items() if count > 1] == []
    assert set(effects) - recorded == set()
    assert {tag for tag, status in told.items() if status == 200} - set(effects) == set()
