"""An agent in the test's own process, for tests that make many calls while something is broken.

Real clients in processes of their own are `agents.py`; this one says what was answered, or that
nothing was, and never tries again.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.support.stack import Gateway

HOST = "warehouse.example.test"
CALL_SECONDS_MAX = 40.0


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent was told; `status` None where the connection broke, with why in `reason`."""

    status: int | None
    reason: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class FaultAgent:
    """One agent of a gateway. Each call is a connection of its own, but in `kept`."""

    def __init__(self, gateway: Gateway, host: str = HOST, seconds: float = CALL_SECONDS_MAX):
        self._gateway = gateway
        self._host = host
        self._seconds = seconds
        pair = base64.b64encode(f"agent:{gateway.control.key('agent')}".encode()).decode()
        self._credentials = {"Proxy-Authorization": f"Basic {pair}"}
        self._trust = ssl.create_default_context(cafile=str(gateway.ca_file))
        self._calls = ThreadPoolExecutor(256, thread_name_prefix="agent")

    def read(self, tag: str) -> Said:
        """An act that policy allows and that changes nothing."""
        return self.call("GET", f"/v1/orders/{tag}")

    def note(self, tag: str) -> Said:
        """A change that policy allows."""
        return self.call("POST", f"/v1/orders/{tag}/note", {"note": 1})

    def refund(self, tag: str, amount: int = 100) -> Said:
        """A change that needs a person."""
        return self.call("POST", f"/v1/orders/{tag}/refund", {"amount": amount})

    def delete(self, tag: str) -> Said:
        """What policy never allows."""
        return self.call("DELETE", f"/v1/orders/{tag}")

    def start(self, act: str, tag: str, **more: Any) -> Future[Said]:
        """The same without waiting; `act` is a method's name, `tag` its first argument."""
        return self._calls.submit(getattr(self, act), tag, **more)

    def call(self, method: str, path: str, body: object = None) -> Said:
        """One call on a connection of its own."""
        connection = self.connect()
        try:
            return self.kept(connection, method, path, body)
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPSConnection:
        """A connection through the gateway; the caller closes it."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._gateway.port, timeout=self._seconds, context=self._trust
        )
        connection.set_tunnel(self._host, 443, self._credentials)
        return connection

    def kept(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        body: object = None,
    ) -> Said:
        """One call on this connection."""
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, data, headers)
            answered = connection.getresponse()
            content = answered.read()
        except (OSError, http.client.HTTPException) as error:
            refused = re.match(r"Tunnel connection failed: ([0-9]{3})", str(error))
            status = int(refused[1]) if refused else None
            return Said(status, f"{type(error).__name__}: {error}")
        told = {name.lower(): value for name, value in answered.getheaders()}
        return Said(answered.status, told.get("checkrein-reason", ""), content, told)
