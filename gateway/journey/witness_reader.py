"""Reads the state of a held request's target, with the request's own credentials, or where those
sign one request each with keys of the gateway's own.

One read goes out for each asking, at the address that the request has, and is noted in the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import field
from typing import Final

from gateway.enforce import gate
from gateway.enforce.witness import (
    READ_SECONDS_MAX,
    STATE_BYTES_MAX,
    Looker,
    needs_keys,
    witness_exchange,
    witness_of,
)
from gateway.enforce.witness_state import Answer, WitnessError
from gateway.key_text import load_key_text
from gateway.model.action import Canonical
from gateway.model.approval import Witness
from gateway.model.aws_signature import AwsKeys
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem, RecordError
from gateway.model.exchange import Exchange, Header, Response, ResponseHead
from gateway.model.moment import moment_of
from gateway.model.record import GatewayEntry, Outcome
from gateway.model.stop import Stop
from gateway.ports import Clock, Flow, RecordSink, Switched, Upstream
from gateway.process.background import in_background

_VARIABLE: Final = "CHECKREIN_WITNESS_AWS_"


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """Keys of AWS that may only read, for looking at the targets of agents that sign each request
    by themselves. Each is given as text or as a file, which is read at each use, so that keys that
    expire can be renewed there. They are never shown, and nothing is forwarded with them."""

    witness_aws_access_key_id: str = ""
    witness_aws_access_key_id_file: str = ""
    witness_aws_secret_access_key: str = field(default="", repr=False)
    witness_aws_secret_access_key_file: str = ""
    witness_aws_session_token: str = field(default="", repr=False)
    witness_aws_session_token_file: str = ""

    def load_aws_keys(self) -> AwsKeys | None:
        """The keys; None where none are given.

        Raises:
            ConfigurationError: a file can't be read, or one key is there without the other.
        """

        def load(text: str, file: str, name: str) -> str:
            variable = f"{_VARIABLE}{name}_FILE"
            return load_key_text(
                text, file, what=f"{_VARIABLE}{name}", variable=variable, code="witness.keys"
            )

        key_id = load(
            self.witness_aws_access_key_id, self.witness_aws_access_key_id_file, "ACCESS_KEY_ID"
        )
        secret = load(
            self.witness_aws_secret_access_key,
            self.witness_aws_secret_access_key_file,
            "SECRET_ACCESS_KEY",
        )
        token = load(
            self.witness_aws_session_token, self.witness_aws_session_token_file, "SESSION_TOKEN"
        )
        if not (key_id or secret or token):
            return None
        is_plain = all(text.isascii() and text.isprintable() for text in (key_id, secret, token))
        if not (key_id and secret and is_plain):
            problem = Problem(
                f"{_VARIABLE}*",
                0,
                0,
                "the AWS keys for witnesses are not whole",
                f"give both {_VARIABLE}ACCESS_KEY_ID and {_VARIABLE}SECRET_ACCESS_KEY",
            )
            raise ConfigurationError("witness.keys", [problem])
        return AwsKeys(key_id, secret, token)


class WitnessReader:
    """Reads witnesses through the gateway's one way out."""

    def __init__(
        self,
        upstream: Upstream,
        records: RecordSink,
        clock: Clock,
        new_id: Callable[[str], str],
        is_read: Callable[[Exchange], Awaitable[bool]],
        settings: WitnessSettings,
    ) -> None:
        self._is_read = is_read
        self._settings = settings
        self._upstream = upstream
        self._records = records
        self._clock = clock
        self._new_id = new_id

    async def read(
        self,
        exchange: Exchange,
        canonical: Canonical,
        decision_id: str,
        find_stop: Callable[[], Stop | None],
    ) -> Witness:
        """The target's state now. `find_stop` as in `Upstream.send`.

        Raises:
            WitnessError: it can't be told.
        """
        looker = await self._looker() if needs_keys(exchange) else None
        read = witness_exchange(exchange, canonical, self._new_id("wit"), looker)
        if not await self._is_read(read):
            # A GET that acts is somebody's API too; a slip in a mapper must not send it unasked.
            raise WitnessError(
                "witness.no_read",
                "no mapper knows as a read what is named for looking at the target of this action",
            )
        try:
            self._records.append(GatewayEntry(self._clock.now(), "witness_read", decision_id))
        except RecordError as error:
            raise WitnessError("witness.unrecorded", error.message) from error
        collected = _Collected()
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                permit = gate.read_witness(read, decision_id)
                sent = await self._upstream.send(permit, read, collected, find_stop)
        except TimeoutError as error:
            raise WitnessError(
                "witness.timed_out", "the target's state was not told in time"
            ) from error
        if sent.outcome is not Outcome.EXECUTED or not collected.is_whole:
            raise WitnessError("witness.unreachable", "the target's state could not be read")
        assert collected.head is not None
        fields = {name.lower(): value for name, value in collected.head.headers}
        answer = Answer(collected.head.status, fields, bytes(collected.body))
        return witness_of(canonical, answer)

    async def _looker(self) -> Looker:
        try:
            keys = await in_background(self._settings.load_aws_keys)
        except ConfigurationError as error:
            raise WitnessError(
                "witness.keys", "the gateway's AWS keys for witnesses can't be read"
            ) from error
        return Looker(keys, moment_of(self._clock.now()))


class _Collected:
    """`ports.AgentChannel` that keeps an answer, up to a limit, instead of relaying it."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.body = bytearray()
        self.is_whole = False
        self._gone = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def wait_gone(self) -> None:
        await self._gone.wait()

    def respond(self, response: Response) -> None:
        raise AssertionError("an upstream's answer is relayed")

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        self.head = head

    def write(self, data: bytes) -> None:
        if len(self.body) + len(data) > STATE_BYTES_MAX:
            self._gone.set()
        else:
            self.body += data

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        self.is_whole = not self.is_gone

    def cut(self) -> None:
        self._gone.set()

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        raise AssertionError("a read opens no WebSocket")

    def body_rest(self) -> AsyncIterator[bytes]:
        raise AssertionError("a read has no body")
