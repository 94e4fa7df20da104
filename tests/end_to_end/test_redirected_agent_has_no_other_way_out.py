"""Transparent mode: an agent that knows of no proxy is governed, and nothing gets past.

In two network namespaces made for it, with the rules that `checkrein env --format nftables` prints,
the gateway as a user of its own, and the agent as nobody. In the world outside a canary listens at
every address and notes each byte that comes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli.nftables import nftables_rules
from tests.support.command import ROOT
from tests.support.namespaces import NOBODY, WORLD_V4, Namespace, as_user, missing, pod_and_world
from tests.support.pki import TestAuthority
from tests.support.processes import ReadyProcess
from tests.support.stack import MAPPERS, POLICIES, make_folder

ABSENT = missing("ip", "nft", "nsenter", "setpriv")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(ABSENT), reason=ABSENT or "all is there")]

GATEWAY_UID = 1_337
PORT = 15_001
SECONDS_MAX = 60.0
NAME = "api.stripe.com"


@dataclass
class Pod:
    """A gateway and an agent in one network namespace, and what arrives outside."""

    namespace: Namespace
    gateway: ReadyProcess
    canary_log: Path
    ca_file: Path

    def try_everything(self, *words: str) -> dict[str, str]:
        """Let an agent that is nobody try; how each attempt ended."""
        command = as_user(
            NOBODY, "env", f"SSL_CERT_FILE={self.ca_file}",
            f"NODE_EXTRA_CA_CERTS={self.ca_file}",
            sys.executable, "-m", "tests.support.wayward_agent", *words,
        )  # fmt: skip
        done = subprocess.run(
            self.namespace.inside(*command), capture_output=True, text=True, check=False, cwd=ROOT,
            timeout=SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outcomes: dict[str, str] = json.loads(done.stdout)
        return outcomes

    def arrived(self) -> list[dict[str, object]]:
        """What the canary noted, but for the names that were looked up."""
        return [json.loads(line) for line in self.canary_log.read_text().splitlines()]


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    """All of it, running."""
    folder = make_folder("pod")
    authority = TestAuthority(folder)
    cert, key = authority.issue([NAME])
    log = folder / "canary.log"
    log.touch()
    data_dir = folder / "gateway"
    data_dir.mkdir()
    with pod_and_world() as (inside, world):
        canary = subprocess.Popen(
            world.inside(sys.executable, "-m", "tests.support.canary", *map(str, (log, cert, key))),
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        gateway = ReadyProcess("gateway", _settings(data_dir, authority), folder / "gateway.log")
        gateway.prefix = tuple(inside.inside(*as_user(GATEWAY_UID)))
        for path in (folder, data_dir):
            subprocess.run(["chown", "-R", str(GATEWAY_UID), str(path)], check=True)
        try:
            assert canary.stdout is not None
            assert canary.stdout.readline() == "ready\n"
            rules = folder / "rules.nft"
            rules.write_text(nftables_rules(GATEWAY_UID, PORT, [WORLD_V4]))
            inside.must("nft", "-f", str(rules))
            ready = gateway.start()
            # Out of the gateway's own folder, which is closed to the agent.
            ca_file = Path(shutil.copy(ready["ca_file"], folder / "agents-ca.pem"))
            ca_file.chmod(0o644)
            yield Pod(inside, gateway, log, ca_file)
        finally:
            if gateway.is_running:
                gateway.kill()
            canary.kill()
            canary.communicate()
            shutil.rmtree(folder, ignore_errors=True)


def _settings(data_dir: Path, authority: TestAuthority) -> dict[str, str]:
    return {
        "CHECKREIN_DATA_DIR": str(data_dir),
        "CHECKREIN_CONFIGURED_AGENT": "sidecar+night",
        "CHECKREIN_TRANSPARENT_PORT": str(PORT),
        "CHECKREIN_PROXY_PORT": "0",
        "CHECKREIN_METRICS_PORT": "0",
        "CHECKREIN_API_URL": "http://127.0.0.1:9",
        "CHECKREIN_API_KEY": "nobody-listens-there",
        "CHECKREIN_POLICIES": str(POLICIES),
        "CHECKREIN_MAPPERS": ":".join(str(path) for path in MAPPERS),
        "CHECKREIN_CONNECT_TO": f"{NAME}:443:{WORLD_V4}:443",
        "CHECKREIN_UPSTREAM_CA": str(authority.ca_file),
        # A client that waits for the server to speak first is waited for this long.
        "CHECKREIN_TLS_SECONDS_MAX": "1",
    }


NO_ANSWER = {"closed", "silence", "ConnectionResetError", "ConnectionRefusedError"}
NO_DATAGRAM = {"PermissionError", "ConnectionRefusedError", "OSError", "silence"}

EXPECTED: dict[str, set[str]] = {
    "tls": {"200"},
    "tls over IPv6": {"200"},
    "urllib3": {"200"},
    "node": {"200", "absent"},
    "blocked act": {"403"},
    "no name": {"SSLEOFError", "ConnectionResetError"},
    "another port": {"403 destination.forbidden"},
    "plain to an address": {"403"},
    "metadata": {"403 destination.forbidden"},
    "metadata by another name": {"403 destination.forbidden"},
    "no HTTP": NO_ANSWER | {"HTTP/1.1 400"},
    "no HTTP over IPv6": NO_ANSWER | {"HTTP/1.1 400"},
    "DNS over TLS": {"ConnectionRefusedError"},
    "straight to the listener": NO_ANSWER,
    "QUIC": NO_DATAGRAM,
    "QUIC over IPv6": NO_DATAGRAM,
    "DNS over QUIC": NO_DATAGRAM,
    "DNS to somebody": NO_DATAGRAM,
    "metadata datagram": NO_DATAGRAM,
    "any datagram": NO_DATAGRAM,
    "DNS to the resolver": {"silence"},
    "flush the rules": {"failed 1"},
    "flush them as root of one's own": {"failed 1"},
    "become the gateway": {"PermissionError"},
    "raw socket": {"PermissionError"},
}


def test_an_agent_that_knows_of_no_proxy_is_governed_and_gets_nowhere_else(pod: Pod) -> None:
    """Reads pass, what policy forbids does not, and nothing arrives that was not decided."""
    outcomes = pod.try_everything("redirected", WORLD_V4, str(PORT), str(GATEWAY_UID))

    assert outcomes.keys() == EXPECTED.keys()
    wrong = {name: how for name, how in outcomes.items() if how not in EXPECTED[name]}
    assert not wrong
    arrived = pod.arrived()
    reads = 4 if outcomes["node"] == "200" else 3
    requests = [entry["request"] for entry in arrived if "request" in entry]
    assert requests == ["GET /v1/charges HTTP/1.1"] * reads
    others = [entry for entry in arrived if "request" not in entry]
    assert others == [{"protocol": "udp", "port": 53, "data": b"straight out".hex()}]


def test_a_dead_gateway_means_refused_connections(pod: Pod) -> None:
    """Killed as by a power cut: no connection is made to anybody, and none waits."""
    before = len(pod.arrived())
    pod.gateway.kill()

    assert set(pod.try_everything("dead").values()) == {"ConnectionRefusedError"}
    assert len(pod.arrived()) == before
    pod.gateway.start()
    assert pod.try_everything("once")["tls"] == "200"


def test_without_the_rules_the_same_agent_would_get_out(pod: Pod) -> None:
    """So that what the canary did not note above means something. Flushed by root, last of all."""
    before = len(pod.arrived())
    pod.namespace.must("nft", "flush", "ruleset")

    pod.try_everything("once")
    assert {entry["protocol"] for entry in pod.arrived()[before:]} == {"tcp", "udp"}
