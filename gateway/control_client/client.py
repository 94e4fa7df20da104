"""The gateway's HTTP client of the control plane: typed calls, deadlines on everything.

Turns answers into values and every failure into a `ControlPlaneError`. It never follows a
redirect, never takes a proxy from the environment (the agent's traffic would loop), and never
puts the key or an answer's body into a message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from gateway.control_client.settings import ControlSettings
from gateway.decide.envelope import PAYLOAD_BYTES_MAX
from gateway.http_client import AnswerTooLong, HttpClient, HttpFault
from gateway.model.errors import ControlPlaneError

_PLAIN_CONNECTIONS_MAX: Final = 16
_FOLLOWING_CONNECTIONS_MAX: Final = 5
"""One for each of agents, stops, bundles and answers, and one to spare. They are
apart: however many held requests wait, the kill switch doesn't wait for a connection."""
_CODE_CHARS_MAX: Final = 64
_RESERVATIONS: Final = "/v1/limits/reservations"
_LOG_ANSWER_BYTES_MAX: Final = 256 * 1024
"""A note of 16 KB and a proof of 63 hashes, with room for the anchors that are listed beside."""
_BUNDLE_ANSWER_BYTES_MAX: Final = 2 * PAYLOAD_BYTES_MAX + 65_536
"""A bundle is JSON in JSON: at worst every byte of it is escaped once more."""


class Rejected(ControlPlaneError):
    """The control plane answered with an error envelope. `reason` is its code, such as
    `RECORD_GAP`; `expected_seq` comes with that one."""

    def __init__(self, status: int, reason: str, expected_seq: int | None = None) -> None:
        super().__init__(
            "control.rejected", f"the control plane answered {status} `{reason}`", status=status
        )
        self.reason = reason
        self.expected_seq = expected_seq
        self.retryable = status >= 500 or status == 429


class ControlPlaneClient:
    """Connections for calls and for the long polls of held requests, and others for following what
    the control plane says to all gateways.

    Use inside a running event loop; `close` it at the end.
    """

    def __init__(self, settings: ControlSettings) -> None:
        self._settings = settings
        headers = {
            "User-Agent": "checkrein-gateway",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Api-Key": settings.load_key(),
        }
        url = settings.api_url
        # Roots take milliseconds to read; who speaks plain HTTP needs none.
        roots = settings.load_roots() if url.startswith("https:") else None
        calls_max = _PLAIN_CONNECTIONS_MAX + settings.long_poll_count_max
        self._polls = asyncio.Semaphore(settings.long_poll_count_max)
        self._calls = HttpClient(url, headers, calls_max, roots)
        self._following = HttpClient(url, headers, _FOLLOWING_CONNECTIONS_MAX, roots)

    async def close(self) -> None:
        """Close every connection."""
        self._calls.close()
        self._following.close()

    # --- approvals --------------------------------------------------------------------------------

    async def ask_approval(self, question: Mapping[str, object]) -> Mapping[str, Any]:
        """Create an approval or join the open one."""
        answer = await self._call("POST", "/v1/approvals", body=question)
        return _object(answer, "approval")

    async def fetch_approval(self, approval_id: str, wait_seconds: float = 0) -> Mapping[str, Any]:
        """The approval now, or as soon as it is not PENDING, within `wait_seconds`.

        When every long-poll connection is taken, the wait is for one of them first; then a poll
        is short, so that all of the waiting get their turn.
        """
        path = f"/v1/approvals/{_segment(approval_id)}"
        if wait_seconds <= 0:
            return _object(await self._call("GET", path), "approval")
        if self._polls.locked():
            wait_seconds = min(wait_seconds, 2.0)
        answer = await self._poll(path, {"waitSeconds": f"{wait_seconds:.3f}"}, wait_seconds)
        return _object(answer, "approval")

    async def fetch_answered(self, cursor: str, wait_seconds: int) -> Mapping[str, Any]:
        """Which approvals were answered after a cursor, within `wait_seconds`; without one, where
        to begin."""
        query = {"cursor": cursor, "waitSeconds": str(wait_seconds)} if cursor else {}
        return await self._follow("/v1/approvals/answered", query, wait_seconds)

    async def consume_approval(
        self, approval_id: str, digest: str, claim_id: str
    ) -> Mapping[str, Any] | None:
        """Use an approval; None when it can't be used."""
        path = f"/v1/approvals/{_segment(approval_id)}/consume"
        body = {"requestDigest": digest, "claimId": claim_id}
        try:
            return _object(await self._call("POST", path, body=body), "approval")
        except Rejected as error:
            if error.status == 409:
                return None
            raise

    async def void_approval(
        self, approval_id: str, reason_code: str, witness: Mapping[str, object] | None = None
    ) -> None:
        """Cancel an approval that holds no longer; one that is not open stays as it is."""
        path = f"/v1/approvals/{_segment(approval_id)}/void"
        body: dict[str, object] = {"reasonCode": reason_code}
        if witness is not None:
            body["witness"] = witness
        try:
            await self._call("POST", path, body=body)
        except Rejected as error:
            if error.status != 409:
                raise

    # --- records and agents -----------------------------------------------------------------------

    async def ship_records(self, gateway_id: str, lines: Sequence[bytes], head: str) -> int:
        """Hand over lines in order, with the signed head of the last; returns the seq through
        which everything is stored."""
        records = [line.decode("utf-8") for line in lines]
        body = {"gatewayId": gateway_id, "records": records, "head": head}
        answer = await self._call("POST", "/v1/records", body=body)
        accepted = answer.get("acceptedThrough")
        if not isinstance(accepted, int) or isinstance(accepted, bool):
            raise _unreadable()
        return accepted

    async def enrol_key(self, gateway_id: str, key: str, proof: str) -> None:
        """Say which key signs this gateway's record. The same one again changes nothing."""
        path = f"/v1/gateways/{quote(gateway_id, safe='')}/key"
        await self._call("PUT", path, body={"key": key, "proof": proof})

    async def fetch_log(self) -> Mapping[str, Any]:
        """What the tenant's log is: its origin, key and newest checkpoint."""
        return await self._call("GET", "/v1/log", bytes_max=_LOG_ANSWER_BYTES_MAX)

    async def fetch_checkpoint(self, since: int) -> Mapping[str, Any]:
        """The newest checkpoint of the log, and the proof that it goes on from size `since`."""
        query = {"since": str(since)}
        bytes_max = _LOG_ANSWER_BYTES_MAX
        return await self._call("GET", "/v1/log/checkpoint", query=query, bytes_max=bytes_max)

    async def fetch_directory(self, revision: str = "", wait_seconds: int = 0) -> Mapping[str, Any]:
        """Agents and the hashes of their keys; with a revision, as soon as there is another."""
        path = "/v1/agents/directory"
        if not wait_seconds:
            return await self._call("GET", path)
        query = {"waitSeconds": str(wait_seconds), "revision": revision}
        return await self._follow(path, query, wait_seconds)

    async def reserve_limits(self, demand: Mapping[str, object]) -> Mapping[str, Any]:
        """Take of shared limits; an owner that has a reservation is given that one."""
        return await self._call("POST", _RESERVATIONS, body=demand)

    async def start_limits(self, token: str) -> bool:
        """Put a held reservation in flight; whether this call did."""
        answer = await self._call("POST", f"{_RESERVATIONS}/{_segment(token)}/start", body={})
        started = answer.get("started")
        if not isinstance(started, bool):
            raise _unreadable()
        return started

    async def settle_limits(self, token: str) -> None:
        """Let a reservation count."""
        await self._call("POST", f"{_RESERVATIONS}/{_segment(token)}/settle", body={})

    async def release_limits(self, token: str) -> None:
        """Give a reservation back."""
        await self._call("POST", f"{_RESERVATIONS}/{_segment(token)}/release", body={})

    async def fetch_stops(self, revision: str = "", wait_seconds: int = 0) -> Mapping[str, Any]:
        """What the kill switch stops; with a revision, as soon as there is another."""
        query = {"waitSeconds": str(wait_seconds), "revision": revision} if wait_seconds else {}
        seconds_max = self._settings.connect_seconds_max
        return await self._follow("/v1/stops", query, wait_seconds, seconds_max)

    async def fetch_bundle(
        self, sequence: int, revision: str, gateway_id: str, wait_seconds: float = 0
    ) -> Mapping[str, Any]:
        """The current bundle, without its payload where it is `sequence`, which runs here; with
        `wait_seconds`, as soon as it is another."""
        query = {"sequence": str(sequence), "gatewayId": gateway_id}
        query |= {"running": revision} if revision else {}
        query |= {"waitSeconds": f"{wait_seconds:g}"} if wait_seconds else {}
        path = "/v1/bundles/current"
        return await self._follow(path, query, wait_seconds, bytes_max=_BUNDLE_ANSWER_BYTES_MAX)

    async def report_rules(self, gateway_id: str, revision: str, source: str) -> None:
        """Say which rules run here, and where they come from."""
        body = {"gatewayId": gateway_id, "revision": revision, "source": source}
        await self._call("POST", "/v1/gateways", body=body)

    async def fetch_bundle_key(self) -> Mapping[str, Any]:
        """The key that the control plane signs bundles with."""
        return await self._call("GET", "/v1/bundles/key")

    # --- transport --------------------------------------------------------------------------------

    async def _poll(
        self, path: str, query: Mapping[str, str], wait_seconds: float
    ) -> Mapping[str, Any]:
        async with self._polls:
            return await self._call("GET", path, query=query, wait_seconds=wait_seconds)

    async def _follow(
        self,
        path: str,
        query: Mapping[str, str],
        wait_seconds: float,
        answer_seconds_max: float | None = None,
        bytes_max: int | None = None,
    ) -> Mapping[str, Any]:
        """Ask for something that concerns every request, never behind those of requests."""
        settings = self._settings
        seconds_max = wait_seconds + (answer_seconds_max or settings.control_seconds_max)
        asked = self._following.ask(
            "GET",
            path,
            query=query,
            seconds_max=seconds_max,
            connect_seconds_max=settings.connect_seconds_max,
            bytes_max=bytes_max or settings.response_bytes_max,
        )
        return await _answer(asked)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        wait_seconds: float = 0,
        bytes_max: int | None = None,
    ) -> Mapping[str, Any]:
        settings = self._settings
        asked = self._calls.ask(
            method,
            path,
            query=query,
            body=None if body is None else orjson.dumps(body),
            seconds_max=settings.control_seconds_max + wait_seconds,
            connect_seconds_max=settings.connect_seconds_max,
            place_seconds_max=None if wait_seconds else settings.connect_seconds_max,
            bytes_max=bytes_max or settings.response_bytes_max,
        )
        return await _answer(asked)


async def _answer(asked: Coroutine[object, object, tuple[int, bytes]]) -> Mapping[str, Any]:
    try:
        status, body = await asked
    except AnswerTooLong as error:
        raise ControlPlaneError(
            "control.unreadable", "the control plane's answer is too long"
        ) from error
    except (HttpFault, TimeoutError, OSError) as error:
        raise _unreachable() from error
    return _parse(status, body)


def _parse(status: int, data: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if 200 <= status < 300:
        if not isinstance(answer, dict):
            raise _unreadable()
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    error = error if isinstance(error, dict) else {}
    reason, expected = error.get("code"), error.get("expectedSeq")
    known = isinstance(reason, str) and reason.replace("_", "").isalnum() and reason.isascii()
    raise Rejected(
        status,
        str(reason)[:_CODE_CHARS_MAX] if known else "UNKNOWN",
        expected if isinstance(expected, int) and not isinstance(expected, bool) else None,
    )


def _object(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = answer.get(name)
    if not isinstance(value, dict):
        raise _unreadable()
    return value


def _segment(text: str) -> str:
    """Ids come from the control plane itself; one that could leave its place in a path is a
    lie."""
    if not text or not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise _unreadable()
    return text


def _unreachable() -> ControlPlaneError:
    return ControlPlaneError("control.unreachable", "the control plane can't be reached")


def _unreadable() -> ControlPlaneError:
    return ControlPlaneError("control.unreadable", "the control plane's answer can't be understood")
