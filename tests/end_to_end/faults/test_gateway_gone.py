"""Rows 26 and 30: a gateway that can't vouch for itself does not start, and where none runs no
agent gets out."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.support.agents import CLIENTS, Client, run_agent
from tests.support.fault_agent import FaultAgent
from tests.support.processes import NotReady
from tests.support.stack import Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

START_SECONDS_MAX = 20.0
AGENTS = [client for client in CLIENTS if client.name in {"urllib", "curl"}]


@pytest.fixture(scope="module")
def mortal(stack: Stack) -> Iterator[Gateway]:
    """A gateway that served once and is dead."""
    made = Gateway(stack.folder, "mortal", stack.control, stack.upstreams)
    made.start()
    assert FaultAgent(made).read("mortal").status == 200
    _ = made.environment_of_agent
    made.process.kill()
    yield made
    made.process.close()


@pytest.mark.parametrize("client", AGENTS, ids=lambda client: client.name)
def test_row_30_the_gateway_is_dead(
    stack: Stack, mortal: Gateway, tag: str, client: Client
) -> None:
    """The agent's connection is refused; no client goes to the upstream by itself."""
    mark = stack.oracle.connections
    assert not run_agent(client, "read", tag, mortal.environment_of_agent).ok
    assert stack.oracle.about(tag) == []
    assert stack.oracle.connections == mark


# --- the CA ---------------------------------------------------------------------------------------


def test_row_26_the_key_of_the_ca_is_gone(stack: Stack, mortal: Gateway) -> None:
    """It does not start and says which file is missing; put back, it starts with the same CA."""
    key = mortal.data_dir / "ca" / "ca.key"
    kept, before = key.read_bytes(), mortal.ca_file.read_bytes()
    key.unlink()
    with pytest.raises(NotReady) as caught:
        mortal.process.start(START_SECONDS_MAX)
    assert caught.value.status in {1, 2}
    assert "ca.key" in caught.value.said
    assert "Traceback" not in caught.value.said
    key.write_bytes(kept)
    key.chmod(0o600)
    mortal.start()
    assert mortal.ca_file.read_bytes() == before
    mortal.process.kill()


def test_row_26_the_ca_has_expired(stack: Stack, mortal: Gateway) -> None:
    """No agent would trust what it signs: it does not start, and says so."""
    key_file, file = mortal.data_dir / "ca" / "ca.key", mortal.data_dir / "ca" / "ca.pem"
    kept = file.read_bytes()
    file.write_bytes(_expired(kept, key_file.read_bytes()))
    try:
        with pytest.raises(NotReady) as caught:
            mortal.process.start(START_SECONDS_MAX)
        assert caught.value.status in {1, 2}
        assert "is not valid now" in caught.value.said, caught.value.said
        assert "Traceback" not in caught.value.said
    finally:
        file.write_bytes(kept)


def _expired(certificate: bytes, key: bytes) -> bytes:
    """The same certificate, whose time was over yesterday."""
    old = x509.load_pem_x509_certificate(certificate)
    signer = serialization.load_pem_private_key(key, None)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now - datetime.timedelta(days=1))
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    made = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    return made.public_bytes(serialization.Encoding.PEM)
