"""The client folder: what governed programs read, in the forms that they take."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from gateway.cli.datadir import DataDir
from gateway.cli.environment import TRUSTSTORE_PASSWORD
from gateway.cli.trust import write_client_dir
from gateway.intercept.certificates import CertificateAuthority


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A client folder of a fresh CA."""
    authority = CertificateAuthority.load_or_make(tmp_path / "ca")
    bundle = tmp_path / "bundle.pem"
    authority.write_bundle(bundle)
    write_client_dir(DataDir(tmp_path), "http://a:b@c:1", str(authority.ca_pem_file), str(bundle))
    return tmp_path / "client"


def test_it_holds_what_programs_read_and_no_key(folder: Path) -> None:
    """Public files only, readable by any user that a container runs as."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())

    assert [str(path.relative_to(folder)) for path in files] == [
        "ca-bundle.pem", "ca.pem", "python/sitecustomize.py", "truststore.p12",
    ]  # fmt: skip
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in files)
    assert not [path for path in files if b"PRIVATE KEY" in path.read_bytes()]


def test_the_bundle_holds_system_roots_and_our_ca(folder: Path) -> None:
    """A program that reads it alone trusts what it trusted before, and the gateway."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "ca-bundle.pem")

    names = [str(root["subject"]) for root in context.get_ca_certs()]
    assert sum("Checkrein gateway CA" in name for name in names) == 1
    assert len(names) > 20


def test_writing_again_changes_nothing(folder: Path) -> None:
    """The same CA leaves every file as it is, so that running programs never see a gap."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    write_client_dir(
        DataDir(folder.parent),
        "http://a:b@c:1",
        str(folder.parent / "ca" / "ca.pem"),
        str(folder.parent / "bundle.pem"),
    )

    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.skipif(shutil.which("keytool") is None, reason="no Java is here")
def test_java_reads_its_trust_store(folder: Path) -> None:
    """The JDK's own tool lists our CA as a trusted certificate."""
    done = subprocess.run(
        ["keytool", "-list", "-v", "-keystore", str(folder / "truststore.p12"),
         "-storepass", TRUSTSTORE_PASSWORD],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "Checkrein gateway CA" in done.stdout
    assert "trustedCertEntry" in done.stdout
