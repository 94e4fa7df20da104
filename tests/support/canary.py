"""Everything that listens in the world outside: notes each byte that comes out of a pod.

`python -m tests.support.canary LOG CERT KEY`: TCP and UDP ports of every address. At 443 it speaks
TLS with the given certificate and answers any request; elsewhere it only notes. One JSON line for
each arrival, with where it was going; `ready` first.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from pathlib import Path

TCP_PORTS = (22, 80, 443, 853, 8443)
UDP_PORTS = (53, 443, 853, 4242)
SECONDS_MAX = 5.0
BODY = b'{"id":"ch_1"}'


class Canary:
    """Listeners and the log that they write to."""

    def __init__(self, log: Path, cert: str, key: str) -> None:
        self._log = log.open("a", buffering=1)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)

    def note(self, **facts: object) -> None:
        """Write one line."""
        self._log.write(json.dumps(facts) + "\n")

    def start(self) -> None:
        """Listen everywhere."""
        for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for port in TCP_PORTS:
                self._spawn(self._accept, _bound(family, socket.SOCK_STREAM, everywhere, port))
            for port in UDP_PORTS:
                self._spawn(self._receive, _bound(family, socket.SOCK_DGRAM, everywhere, port))

    def _spawn(self, work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]

    def _receive(self, sock: socket.socket) -> None:
        while True:
            data, _ = sock.recvfrom(2_048)
            self.note(protocol="udp", port=sock.getsockname()[1], data=data.hex())

    def _accept(self, sock: socket.socket) -> None:
        sock.listen(64)
        while True:
            connection, _ = sock.accept()
            connection.settimeout(SECONDS_MAX)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        to, port = connection.getsockname()[:2]
        facts: dict[str, object] = {"protocol": "tcp", "to": to, "port": port}
        try:
            if port == 443:
                with self._context.wrap_socket(connection, server_side=True) as inside:
                    facts["request"] = _first_line(inside)
                    inside.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close"
                        b"\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
                    )
            else:
                facts["data"] = connection.recv(256).decode("latin-1")
        except OSError as error:
            facts["error"] = str(error)
        self.note(**facts)
        connection.close()


def _first_line(sock: ssl.SSLSocket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4_096)
        if not data:
            break
        head += data
    return head.partition(b"\r\n")[0].decode("latin-1")


def _bound(family: int, kind: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((host, port))
    return sock


def main() -> None:
    """Listen until killed."""
    log, cert, key = sys.argv[1:]
    Canary(Path(log), cert, key).start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
