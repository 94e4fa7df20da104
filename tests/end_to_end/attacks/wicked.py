"""An upstream that answers with any bytes, under any certificate, and a gateway in front of it.

The name that the gateway asks for picks the certificate; what is answered is set before each call.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.end_to_end.attacks.payloads import ANSWER_SECONDS_MAX, RECORD_SECONDS_MAX
from tests.support.bad_certificates import BadServers
from tests.support.raw_client import RawClient, Reply
from tests.support.stack import Gateway, Stack

GOOD = "good.wicked.test"
BAD_SERVERS = {
    "T1 expired": "expired.wicked.test",
    "T1 self-signed": "self-signed.wicked.test",
    "T1 an unknown root": "unknown.wicked.test",
    "T1 a name in the common name only": "common-name.wicked.test",
    "T1 an incomplete chain": "incomplete.wicked.test",
    "T2 TLS 1.1": "old.wicked.test",
    "T2 no encryption": "plain.wicked.test",
}
"""Rows of `bad_certificates.MAKERS`, and the name under which each is met."""

MAPPER = """\
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: wicked}
spec:
  provider: wicked
  hosts: ["*.wicked.test"]
  errors: problem
  operations:
    GET /v1/things/{thing}:
      operation: wicked.things.get
      action: get_thing
      kind: read
      target: {type: thing, id: path.thing}
"""


class WickedUpstream:
    """Accepts, shows the certificate of the asked name, reads one head, and writes `answer`."""

    def __init__(self, contexts: Mapping[str, ssl.SSLContext]) -> None:
        """`contexts` by the name that is asked for."""
        self.answer = b""
        self.heads: list[bytes] = []
        self._contexts = contexts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name="wicked", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(plain,), name="wicked-peer", daemon=True
            ).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        with contextlib.suppress(OSError), plain:
            # The whole context by the asked name: a callback could not change the TLS version.
            hello = plain.recv(65_536, socket.MSG_PEEK)
            name = next(name for name in self._contexts if name.encode() in hello)
            with self._contexts[name].wrap_socket(plain, server_side=True) as sock:
                while head := _read_head(sock):
                    self.heads.append(head)
                    sock.sendall(self.answer)


def _read_head(sock: ssl.SSLSocket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(65_536)
        if not piece:
            return b""
        head += piece
    return head


class Wicked:
    """The gateway in front of it, and an agent with a good key."""

    def __init__(self, stack: Stack, gateway: Gateway, upstream: WickedUpstream) -> None:
        self.upstream = upstream
        self.gateway = gateway
        self._stack = stack
        self._thing = ""

    def ask(self, about: str, answer: bytes, host: str = GOOD) -> Reply:
        """One GET, answered so."""
        self._thing = f"t{uuid.uuid4().hex[:10]}"
        self.upstream.answer = answer
        line = f"GET /v1/things/{self._thing} HTTP/1.1\r\nHost: {host}\r\n\r\n"
        return self.raw.inside(host, line.encode(), quiet_seconds=ANSWER_SECONDS_MAX)

    @property
    def raw(self) -> RawClient:
        """The agent."""
        return RawClient(self.gateway.port, self._stack.control.key("agent"), self.gateway.ca_file)

    def outcome(self) -> str:
        """What the record says of the last one."""
        wanted = {"kind": "intent", "path": f"/v1/things/{self._thing}"}
        intent = self._stack.api.wait_record(wanted, seconds=RECORD_SECONDS_MAX)
        outcome = self._stack.api.wait_record(
            {"kind": "outcome", "decision_id": intent["decision_id"]}, seconds=RECORD_SECONDS_MAX
        )
        return str(outcome["outcome"])


def write_mapper(folder: Path) -> Path:
    """The mapper of the wicked upstream."""
    path = folder / "wicked.yaml"
    path.write_text(MAPPER)
    return path


def make_contexts(folder: Path) -> dict[str, ssl.SSLContext]:
    """The good server and some bad ones; `ca.pem` in the folder is the root of all."""
    authorities = []
    contexts: dict[str, ssl.SSLContext] = {}
    for row, name in {"": GOOD, **BAD_SERVERS}.items():
        servers = BadServers(name, folder / name)
        context = servers.make(row) if row else servers.good()
        assert context is not None
        contexts[name] = context
        authorities.append(servers.ca_file.read_bytes())
    (folder / "ca.pem").write_bytes(b"".join(authorities))
    return contexts
