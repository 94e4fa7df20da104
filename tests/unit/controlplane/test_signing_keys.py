"""The key that signs bundles: made once, kept private, refused when it is not one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from controlplane.faults import StartError
from controlplane.services.signing_keys import BUNDLES, load_signing_key
from gateway.decide.envelope import key_id_of, parse_public_key


def pem(key: Any, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def test_the_first_start_makes_a_private_key_and_the_next_keeps_it(tmp_path: Path):
    """0600, the same key id again, and nothing of the key in what is printed of it."""
    first = load_signing_key(tmp_path / "data", None)
    file = tmp_path / "data" / BUNDLES.file
    assert first is not None
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    again = load_signing_key(tmp_path / "data", None)
    assert again is not None
    assert again.key_id == first.key_id == key_id_of(parse_public_key(first.public_text))
    assert "Ed25519PrivateKey" not in repr(first)


def test_a_file_that_others_may_read_is_closed(tmp_path: Path):
    """A copy that came back with the wrong mode is corrected."""
    load_signing_key(tmp_path, None)
    (tmp_path / BUNDLES.file).chmod(0o644)
    load_signing_key(tmp_path, None)
    assert oct((tmp_path / BUNDLES.file).stat().st_mode & 0o777) == "0o600"


def test_the_operators_file_wins_and_nothing_is_made(tmp_path: Path):
    """A key that comes from elsewhere leaves no other one on this disk."""
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "given.pem"
    file.write_bytes(pem(key))
    found = load_signing_key(tmp_path / "data", file)
    assert found is not None
    assert found.key_id == key_id_of(key.public_key())
    assert not (tmp_path / "data").exists()


def test_without_a_place_for_it_there_is_no_key():
    """A key in memory alone would be another one at every start."""
    assert load_signing_key(None, None) is None


BAD: dict[str, bytes | None] = {
    "the file is missing": None,
    "the file is empty": b"",
    "the file holds words": b"secret-words",
    "a public key": b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
    "a key of another kind": pem(generate_private_key(SECP256R1())),
    "a key under a password": pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_key_ends_the_start(tmp_path: Path, name: str):
    """With what to do about it, and without a word of what it holds."""
    file = tmp_path / "given.pem"
    data = BAD[name]
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(StartError) as caught:
        load_signing_key(None, file)
    assert caught.value.code in {"bundle.key_file", "bundle.bad_key"}
    assert str(file) in caught.value.message
    assert "secret-words" not in caught.value.message + caught.value.help
    assert caught.value.help
