"""An agent that tries every way out there is, and says how each ended, as one JSON object.

`python -m tests.support.wayward_agent WHICH WORDS...` is told nothing of a proxy; what it may
know is the CA (SSL_CERT_FILE). The first word says which ways.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from glob import glob

V4, V6 = "93.184.216.34", "2606:4700::1111"
METADATA = "169.254.169.254"
NAME = "api.stripe.com"
SECONDS_MAX = 8.0
MARK = b"straight out"


def connect(address: str, port: int) -> socket.socket:
    """A TCP connection that knows of no proxy."""
    return socket.create_connection((address, port), SECONDS_MAX)


def ask(sock: socket.socket, line: str, host: str = NAME) -> str:
    """One request; the status, or that nothing came back."""
    key = "Authorization: Bearer sk_test_1\r\n"
    sock.sendall(f"{line} HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: 0\r\n\r\n".encode())
    answer = sock.recv(4_096)
    if not answer:
        return "closed"
    head = answer.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    codes = [text.partition(": ")[2] for text in head if text.startswith("checkrein-code")]
    return " ".join([head[0].split(" ")[1], *codes])


def tls(address: str, line: str, port: int = 443, name: str | None = NAME) -> str:
    """One request in TLS to an address, in the name that is wanted."""
    context = ssl.create_default_context()
    if name is None:
        context.check_hostname = False
    with context.wrap_socket(connect(address, port), server_hostname=name) as inside:
        return ask(inside, line)


def plain(address: str, port: int, host: str) -> str:
    """One request without TLS."""
    with connect(address, port) as sock:
        return ask(sock, "GET /v1/charges", host)


def knock(address: str, port: int) -> str:
    """Connect, say something that is no HTTP, and see whether anybody answers."""
    with connect(address, port) as sock:
        sock.sendall(MARK + b"\r\n\r\n")
        answer = sock.recv(64)
        return answer[:12].decode("latin-1") if answer else "closed"


def datagram(address: str, port: int) -> str:
    """Send one, and wait whether anything comes back or is said."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect((address, port))
        sock.send(MARK)
        sock.recv(64)
        return "answered"


def urllib3_by_address(address: str) -> str:
    """A client that reads no proxy variables at all."""
    import urllib3

    pool = urllib3.HTTPSConnectionPool(
        address, server_hostname=NAME, assert_hostname=NAME, retries=False,
        timeout=SECONDS_MAX, ca_certs=os.environ["SSL_CERT_FILE"],
    )  # fmt: skip
    headers = {"Host": NAME, "Authorization": "Bearer sk_test_1"}
    return str(pool.request("GET", "/v1/charges", headers=headers).status)


def node(address: str) -> str:
    """Node's own client, which ignores proxy variables."""
    program = shutil.which("node")
    if program is None:
        return "absent"
    code = (
        f"require('https').get({{host: '{address}', servername: '{NAME}', path: '/v1/charges',"
        f" headers: {{host: '{NAME}', authorization: 'Bearer sk_test_1'}}}},"
        " r => {console.log(r.statusCode); process.exit()})"
        ".on('error', e => {console.log(e.code); process.exit()})"
    )
    return said_by(program, "-e", code)


def node_fetch() -> str:
    """Node's `fetch`, by name."""
    program = shutil.which("node")
    if program is None:
        return "absent"
    code = (
        f"fetch('https://{NAME}/v1/charges', {{headers: {{authorization: 'Bearer sk_test_1'}}}})"
        ".then(r => console.log(r.status), e => console.log(e.cause && e.cause.code))"
    )
    return said_by(program, "-e", code)


def said_by(*command: str) -> str:
    """What a program prints, or that it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() or f"failed {done.returncode}"


def become(uid: int) -> str:
    """Take another user's place."""
    os.setuid(uid)
    return "became"


def read(path: str) -> str:
    """Read a file that is not ours to read."""
    with open(path, "rb") as file:
        return f"{len(file.read())} bytes"


def write(path: str) -> str:
    """Write a file that is not ours to write."""
    with open(path, "wb") as file:
        file.write(b"x")
    return "wrote"


def make_folders(*paths: str) -> str:
    """Make folders where only the kernel has any; where that went, if it did anywhere."""
    made = []
    for path in paths:
        with suppress(OSError):
            os.mkdir(path)
            made.append(path)
            os.rmdir(path)
    return " ".join(made) or "nowhere"


def rename(path: str) -> str:
    """Put something else in a folder's place."""
    os.rename(path, path + ".old")
    return "renamed"


def dial_daemon(path: str) -> str:
    """Ask a daemon of this machine to act for us."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        return "connected"


def outcome(attempt: Callable[[], str]) -> str:
    """How it ended, in one word or two."""
    try:
        return attempt()
    except TimeoutError:
        return "silence"
    except Exception as error:
        return type(error).__name__


def redirected_attempts(resolver: str, listener_port: int, gateway_uid: int) -> dict[str, object]:
    """Every way out of a pod."""
    return {
        "tls": lambda: tls(V4, "GET /v1/charges"),
        "tls over IPv6": lambda: tls(V6, "GET /v1/charges"),
        "urllib3": lambda: urllib3_by_address(V4),
        "node": lambda: node(V4),
        "blocked act": lambda: tls(V4, "POST /v1/payouts"),
        "no name": lambda: tls(V4, "GET /v1/charges", name=None),
        "another port": lambda: tls(V4, "GET /v1/charges", port=8443),
        "plain to an address": lambda: plain(V4, 80, V4),
        "metadata": lambda: plain(METADATA, 80, METADATA),
        "metadata by another name": lambda: plain(METADATA, 80, "metadata.google.internal"),
        "no HTTP": lambda: knock(V4, 22),
        "no HTTP over IPv6": lambda: knock(V6, 22),
        "DNS over TLS": lambda: knock(V4, 853),
        "straight to the listener": lambda: plain("127.0.0.1", listener_port, NAME),
        "QUIC": lambda: datagram(V4, 443),
        "QUIC over IPv6": lambda: datagram(V6, 443),
        "DNS over QUIC": lambda: datagram(V4, 853),
        "DNS to somebody": lambda: datagram(V4, 53),
        "metadata datagram": lambda: datagram(METADATA, 53),
        "any datagram": lambda: datagram(V4, 4_242),
        "DNS to the resolver": lambda: datagram(resolver, 53),
        "flush the rules": lambda: said_by("nft", "flush", "ruleset"),
        "flush them as root of one's own": lambda: said_by(
            "unshare", "-Ur", "nft", "flush", "ruleset"
        ),
        "become the gateway": lambda: become(gateway_uid),
        "raw socket": lambda: str(socket.socket(socket.AF_INET, socket.SOCK_RAW, 17)),
    }


def isolated_attempts(
    host_port: int, keys: str, gateway_pid: int, rules: str, daemon: str
) -> dict[str, object]:
    """Every way out of `run --isolate`."""
    parent = os.getppid()
    return {
        "tls by name": lambda: tls(NAME, "GET /v1/charges"),
        "tls by address": lambda: tls(V4, "GET /v1/charges"),
        "tls over IPv6": lambda: tls(V6, "GET /v1/charges"),
        "urllib3": lambda: urllib3_by_address(V4),
        "node fetch": node_fetch,
        "blocked act": lambda: tls(NAME, "POST /v1/payouts"),
        "no name": lambda: tls(V4, "GET /v1/charges", name=None),
        "plain to an address": lambda: plain(V4, 80, V4),
        "metadata": lambda: plain(METADATA, 80, METADATA),
        "no HTTP": lambda: knock(V4, 80),
        "another port": lambda: knock(V4, 22),
        "DNS over TLS": lambda: knock(V4, 853),
        "this machine's services": lambda: knock("127.0.0.1", host_port),
        "a daemon's socket": lambda: dial_daemon(daemon),
        "QUIC": lambda: datagram(V4, 443),
        "QUIC over IPv6": lambda: datagram(V6, 443),
        "any datagram": lambda: datagram(V4, 4_242),
        "raw socket": lambda: str(socket.socket(socket.AF_INET, socket.SOCK_RAW, 17)),
        "vsock": lambda: str(socket.socket(40, socket.SOCK_STREAM)),
        "keys": lambda: read(keys),
        "the rules": lambda: write(rules),
        "the folder of the rules": lambda: rename(os.path.dirname(os.path.dirname(rules))),
        "kill the gateway": lambda: str(os.kill(gateway_pid, 0)),
        "the rules' code": lambda: write(__file__.replace("tests/support", "gateway/cli")),
        "the gateway's environment": lambda: read(f"/proc/{gateway_pid}/environ"),
        "the gateway's files": lambda: read(f"/proc/{gateway_pid}/root{keys}"),
        "the parent's environment": lambda: read(f"/proc/{parent}/environ"),
        "the parent's network": lambda: said_by("nsenter", f"--net=/proc/{parent}/ns/net", "true"),
        "uncover the keys": lambda: said_by(
            "unshare", "-Urm", "sh", "-c", f"umount {os.path.dirname(keys)} && echo out"
        ),
        "other programs' groups": lambda: make_folders(
            *(f"{place}/wayward" for place in ("/sys/fs/cgroup", *glob("/sys/fs/cgroup/*/")))
        ),
        "a network of one's own": lambda: said_by(
            "unshare", "-Urn", sys.executable, "-c",
            f"import socket; socket.create_connection(('{V4}', 443), 3)",
        ),
    }  # fmt: skip


def dead_attempts() -> dict[str, object]:
    """When the gateway is gone."""
    return {
        "tls": lambda: tls(V4, "GET /v1/charges"),
        "tls over IPv6": lambda: tls(V6, "GET /v1/charges"),
        "plain": lambda: plain(V4, 80, NAME),
    }


def one_attempt() -> dict[str, object]:
    """The one that passes where all is well."""
    return {"tls": lambda: tls(V4, "GET /v1/charges"), "any": lambda: datagram(V4, 4_242)}


ATTEMPTS = {
    "once": one_attempt,
    "redirected": redirected_attempts,
    "isolated": isolated_attempts,
    "dead": dead_attempts,
}


def main() -> None:
    """Try them all."""
    which, *words = sys.argv[1:]
    values = [int(word) if word.isdigit() else word for word in words]
    attempts = ATTEMPTS[which](*values)  # type: ignore[operator]
    print(json.dumps({name: outcome(attempt) for name, attempt in attempts.items()}), flush=True)


if __name__ == "__main__":
    main()
