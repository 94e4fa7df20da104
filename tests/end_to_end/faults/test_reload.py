"""Promise: the CA, the roots and the rules are exchanged while requests run, nobody is dropped, and
the service manager hears of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from gateway.intercept.certificates import CertificateAuthority
from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Stack
from tests.support.steady import SteadyReads

HOST = "warehouse.example.test"
WAIT_SECONDS_MAX = 20.0


class Manager:
    """A service manager's socket."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(path))
        self._sock.settimeout(WAIT_SECONDS_MAX)

    def hear(self) -> str:
        """The next state's name."""
        return self._sock.recv(4_096).decode().partition("=")[0]

    def close(self) -> None:
        self._sock.close()


@pytest.fixture(scope="module")
def managed(stack: Stack) -> Iterator[tuple[Gateway, Manager]]:
    """A gateway that a service manager watches."""
    place = stack.folder / "notify"
    manager = Manager(place)
    gateway = stack.add_gateway("managed", {"NOTIFY_SOCKET": str(place)})
    yield gateway, manager
    gateway.process.close()
    manager.close()


def _issuer(stack: Stack, gateway: Gateway) -> x509.Name:
    """Whose leaf a new connection is shown."""
    client = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        client.open_tunnel(f"{HOST}:443".encode()) as raw,
        context.wrap_socket(raw, server_hostname=HOST) as sock,
    ):
        shown = sock.getpeercert(binary_form=True)
    assert shown is not None
    leaf = x509.load_der_x509_certificate(shown)
    found = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return found.key_identifier.hex() if found.key_identifier else ""


def test_row_26_the_ca_is_rotated_in_traffic(
    stack: Stack, managed: tuple[Gateway, Manager], tmp_path: Path, tag: str
) -> None:
    """Connections that are open live on; new ones get leaves of the new CA; what can't be used is
    not taken."""
    gateway, manager = managed
    assert manager.hear() == "READY"
    before = _issuer(stack, gateway)
    folder = gateway.ca_file.parent
    CertificateAuthority.load_or_make(tmp_path / "next")
    with SteadyReads(gateway, f"https://{HOST}/v1/orders/{tag}") as reads:
        reads.wait_more(20)
        for name in ("ca.key", "ca.pem"):
            shutil.copyfile(tmp_path / "next" / name, folder / name)
        os.kill(gateway.process.pid, signal.SIGHUP)
        assert [manager.hear(), manager.hear()] == ["RELOADING", "READY"]
        reads.wait_more(20)
        after = _issuer(stack, gateway)
        (folder / "ca.pem").write_text("no certificate")
        os.kill(gateway.process.pid, signal.SIGHUP)
        assert [manager.hear(), manager.hear()] == ["RELOADING", "READY"]
        reads.wait_more(20)
    assert reads.failures == []
    assert before != after
    assert _issuer(stack, gateway) == after
    shutil.copyfile(tmp_path / "next" / "ca.pem", folder / "ca.pem")


def test_row_10_what_had_connected_is_served(
    stack: Stack, managed: tuple[Gateway, Manager], tag: str
) -> None:
    """A tunnel that was just opened may still ask once when the gateway is told to end."""
    gateway, manager = managed
    client = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    with client.open_tls(HOST) as sock:
        gateway.process.terminate()
        time.sleep(0.1)
        sock.sendall(request("GET", f"/v1/orders/{tag}"))
        answer = sock.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer
    assert manager.hear() == "STOPPING"
