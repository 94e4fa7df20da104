"""The doctor's verdicts, from clients that behave in each of the ways a client can."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.datadir import DataDir
from gateway.cli.doctor import try_runtimes
from gateway.cli.doctor_proxy import DoctorProxy, Progress
from gateway.cli.probe import PROBE_HOST, probe_proxy
from gateway.intercept.certificates import CertificateAuthority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """A CA of its own."""
    return CertificateAuthority.load_or_make(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def proxy(authority: CertificateAuthority) -> Iterator[DoctorProxy]:
    """The doctor's proxy, listening."""
    with DoctorProxy(authority) as proxy:
        yield proxy


CURLS = {
    "uses the proxy and trusts the CA": (("-x", "{url}", "--cacert", "{ca}"), Progress.GOVERNED),
    "sends no credentials": (("-x", "{bare}", "--cacert", "{ca}"), Progress.WITHOUT_CREDENTIALS),
    "sends wrong credentials": (
        ("-x", "http://a:b@{place}", "--cacert", "{ca}"), Progress.WITHOUT_CREDENTIALS,
    ),
    "does not trust the CA": (("-x", "{url}"), Progress.WITHOUT_TRUST),
    "goes past the proxy": (("--noproxy", "*", "--cacert", "{ca}"), Progress.NEVER_CAME),
}  # fmt: skip


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize(("options", "expected"), CURLS.values(), ids=CURLS.keys())
def test_how_far_a_client_came(
    options: tuple[str, ...],
    expected: Progress,
    proxy: DoctorProxy,
    authority: CertificateAuthority,
) -> None:
    """Each way to be ungoverned is told from the others."""
    place = proxy.url.rpartition("@")[2]
    words = {"url": proxy.url, "bare": f"http://{place}", "place": place,
             "ca": str(authority.ca_pem_file)}  # fmt: skip
    command = ["curl", "-q", "-sS", "-m", "10", *(option.format(**words) for option in options)]

    subprocess.run(
        [*command, f"https://x.{PROBE_HOST}/"],
        env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False, timeout=20,
    )  # fmt: skip

    assert proxy.progress(f"x.{PROBE_HOST}") is expected


def test_the_runtimes_of_this_environment(tmp_path: Path) -> None:
    """The real libraries of this Python: governed as the README's table says, or told why not."""
    findings = {f.name: f for f in try_runtimes(DataDir(tmp_path), sys.executable)}

    for name in ("urllib", "requests", "httpx", "aiohttp", "boto3", "stripe"):
        assert findings[f"python {name}"].is_good, findings[f"python {name}"]
    assert findings["python urllib3"].is_good is False
    assert findings["python urllib3"].wrong == "it does not use the proxy"
    assert "ProxyManager" in findings["python urllib3"].advice
    assert list(tmp_path.iterdir()) == []


PROBES = {
    "it is let in": ("{url}", 200, ""),
    "its key is wrong": ("http://doctor:wrong@{place}", 407, ""),
    "nobody listens": ("http://a:b@127.0.0.1:1", None, "connection refused"),
}


@pytest.mark.parametrize(("url", "status", "fault"), PROBES.values(), ids=PROBES.keys())
def test_a_knock_at_the_proxy(url: str, status: int | None, fault: str, proxy: DoctorProxy) -> None:
    """Let in, refused, or not there: each in words."""
    place = proxy.url.rpartition("@")[2]

    probe = probe_proxy(url.format(url=proxy.url, place=place))

    assert probe.status == status
    assert fault in probe.fault
    assert probe.is_let_in == (status == 200)


def test_ways_past_the_gateway_are_told_from_none() -> None:
    """Where every address is local there is none, as in a namespace without any interface."""
    code = "from gateway.cli.doctor_egress import ways_out; print(ways_out())"
    if subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system makes no namespaces for us")

    def asked(*command: str) -> str:
        done = subprocess.run(
            [*command, sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert asked("unshare", "-Urn") == "[]"
    everywhere = 'ip link set lo up && ip route add local default dev lo && exec "$@"'
    assert asked("unshare", "-Urn", "sh", "-c", everywhere, "sh") == "[]"
    cable = """
        ip link add name v0 type veth peer name v1; ip address add 192.168.7.2/24 dev v0
        ip link set v0 up; ip link set v1 up; ip route add default via 192.168.7.1
        exec "$@" """
    if shutil.which("ip"):
        assert asked("unshare", "-Urn", "sh", "-c", cable, "sh") == "['IPv4']"
