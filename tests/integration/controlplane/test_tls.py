"""The API over TLS: 1.3 and nothing older, a certificate that can be renewed, and who trusts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from controlplane.faults import StartError
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.tls import Certificate
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.model.errors import ConfigurationError, ControlPlaneError
from tests.integration.controlplane.test_process import REPOSITORY, Process
from tests.support.database import url_of
from tests.support.pki import TestAuthority


@pytest.fixture(scope="module")
def authority() -> Iterator[TestAuthority]:
    """The root that callers trust."""
    found = TestAuthority()
    yield found
    found.close()


class Served:
    """A control plane over TLS, and the files of its certificate."""

    def __init__(self, process: Process, cert_file: Path, key_file: Path) -> None:
        self.process = process
        self.files = (cert_file, key_file)
        self.api_url = str(process.ready["api_url"])

    def handshake(self, context: ssl.SSLContext) -> tuple[str | None, int]:
        """The version that was agreed on, and the serial number of the certificate."""
        parts = urlsplit(self.api_url)
        address = (str(parts.hostname), int(parts.port or 0))
        with (
            socket.create_connection(address, timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as secured,
        ):
            found = secured.getpeercert()
            assert found is not None
            return secured.version(), int(str(found["serialNumber"]), 16)

    def renew(self, authority: TestAuthority) -> None:
        for new, old in zip(authority.issue(["127.0.0.1"]), self.files, strict=True):
            shutil.copyfile(new, old)


@pytest.fixture(scope="module")
def served(
    authority: TestAuthority,
    postgres_server: EmbeddedPostgres,
    database_name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """One control plane for all of these."""
    home = tmp_path_factory.mktemp("tls")
    files = (home / "cert.pem", home / "key.pem")
    for new, old in zip(authority.issue(["127.0.0.1"]), files, strict=True):
        shutil.copyfile(new, old)
    process = Process(
        {
            "CHECKREIN_DATA_DIR": str(home / "data"),
            "CHECKREIN_DATABASE_URL": url_of(postgres_server, Role.OWNER, database_name),
            "CHECKREIN_DATABASE_CONNECTIONS_MAX": "6",
            "CHECKREIN_TLS_CERT_FILE": str(files[0]),
            "CHECKREIN_TLS_KEY_FILE": str(files[1]),
        },
        home / "log",
    )
    process.wait_ready()
    yield Served(process, *files)
    process.close()


def test_it_speaks_tls_13_and_nothing_older(served: Served, authority: TestAuthority):
    """The ready line says https; a caller who can't do better than 1.2 gets no connection."""
    assert served.api_url.startswith("https://127.0.0.1:")
    version, _ = served.handshake(authority.client_context())
    assert version == "TLSv1.3"
    old = authority.client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        served.handshake(old)


def test_a_renewed_certificate_is_taken_up(served: Served, authority: TestAuthority):
    """At SIGHUP, for the connections to come; a broken one is left, and the old one stays."""
    context = authority.client_context()
    _, before = served.handshake(context)
    served.renew(authority)
    served.process.popen.send_signal(signal.SIGHUP)
    after = wait_for(lambda: served.handshake(context)[1], lambda serial: serial != before)
    served.files[1].write_text("no key")
    served.process.popen.send_signal(signal.SIGHUP)
    log = served.process.log
    wait_for(log.read_text, lambda text: "the renewed certificate is not used" in text)
    assert served.handshake(context)[1] == after


async def test_the_gateway_trusts_the_named_root_alone(served: Served, authority: TestAuthority):
    """With the CA file its calls go through; without it they are failures, never plain calls."""
    key = Path(served.process.ready["gateway_key_file"]).read_text().strip()
    trusting = ControlSettings(served.api_url, key, api_ca_file=str(authority.ca_file))
    client = ControlPlaneClient(trusting)
    try:
        assert "agents" in await client.fetch_directory()
    finally:
        await client.close()
    client = ControlPlaneClient(ControlSettings(served.api_url, key))
    try:
        with pytest.raises(ControlPlaneError):
            await client.fetch_directory()
    finally:
        await client.close()


def test_a_bad_ca_file_is_said_at_start(tmp_path: Path):
    """Before any call: the gateway would only say that nobody is there."""
    for text in (None, "no certificate"):
        file = tmp_path / "ca.pem"
        if text is not None:
            file.write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            ControlPlaneClient(ControlSettings("https://x", "k", api_ca_file=str(file)))
        assert caught.value.problems[0].file == "CHECKREIN_API_CA_FILE"


def test_the_command_reaches_it_with_the_ca_file(served: Served, authority: TestAuthority):
    """And says what is wrong without it."""
    with_root = command(served, {"CHECKREIN_API_CA_FILE": str(authority.ca_file)})
    assert with_root.returncode == 0, with_root.stderr
    assert [one["name"] for one in json.loads(with_root.stdout)["agents"]] == ["agent"]
    without = command(served, {})
    assert without.returncode == 1
    assert "certificate verify failed" in without.stderr
    missing = command(served, {"CHECKREIN_API_CA_FILE": "/nowhere"})
    assert missing.returncode == 1
    assert "CHECKREIN_API_CA_FILE can't be used" in missing.stderr


def command(served: Served, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if "CHECKREIN" not in name}
    key = Path(served.process.ready["admin_key_file"]).read_text().strip()
    given = {"CHECKREIN_API_URL": served.api_url, "CHECKREIN_API_KEY": key, **variables}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "agents", "list", "--json"],
        cwd=REPOSITORY, env={**clean, **given}, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip


BAD_PAIRS: dict[str, tuple[Callable[[Path, Path, Path], tuple[Path, Path]], str]] = {
    "no certificate": (lambda cert, key, other: (cert.with_name("none.pem"), key), "can't be read"),
    "no key": (lambda cert, key, other: (cert, key.with_name("none.pem")), "can't be read"),
    "another's key": (lambda cert, key, other: (cert, other), "the key is not that of"),
    "two certificates": (lambda cert, key, other: (cert, cert), "no PEM pair"),
}


@pytest.mark.parametrize("case", BAD_PAIRS)
def test_a_pair_that_does_not_fit_is_said(case: str, authority: TestAuthority, tmp_path: Path):
    """With the file, and what the variables take."""
    pick, message = BAD_PAIRS[case]
    cert_file, key_file = authority.issue(["127.0.0.1"])
    _, other = authority.issue(["127.0.0.1"])
    with pytest.raises(StartError, match=message) as caught:
        Certificate(*pick(cert_file, key_file, other)).load()
    assert "CHECKREIN_TLS_CERT_FILE" in caught.value.help


def wait_for(read: Callable[[], Any], is_wanted: Callable[[Any], bool]) -> Any:
    """What `read` gives once it is wanted: a signal has no answer."""
    deadline = time.monotonic() + 10
    while True:
        value = read()
        if is_wanted(value):
            return value
        assert time.monotonic() < deadline, value
        time.sleep(0.02)
