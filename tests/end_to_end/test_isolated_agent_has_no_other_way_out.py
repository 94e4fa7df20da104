"""`checkrein run --isolate`: whatever the program does, it is governed or it gets nowhere.

Once as an ordinary user, who needs no right for it, and once as root; on one stack of nobody's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest

from tests.support import providers
from tests.support.command import COMMAND, Checkrein, end
from tests.support.namespaces import NOBODY, as_user, missing
from tests.support.oracle import Oracle
from tests.support.stack import MAPPERS, POLICIES, make_folder
from tests.support.upstream_files import make_upstream_files

ABSENT = missing("setpriv", "unshare", "nsenter")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(ABSENT), reason=ABSENT or "all is there")]

SECONDS_MAX = 60.0
AGENT = (sys.executable, "-m", "tests.support.wayward_agent")


@dataclass
class Here:
    """A running stack, the upstream that it leads to, and a service of this machine."""

    checkrein: Checkrein
    oracle: Oracle
    service: socket.socket
    supervisor: subprocess.Popen[str]

    @property
    def gateway_pid(self) -> int:
        (found,) = [
            child.pid
            for child in psutil.Process(self.supervisor.pid).children()
            if child.cmdline()[1:3] == ["-m", "gateway"]
        ]
        return found

    def isolated(self, uid: int, *words: str) -> list[str]:
        """The command that runs words isolated, as a user."""
        run = (*COMMAND, "run", "--data-dir", str(self.checkrein.data_dir), "--isolate", "--")
        return as_user(uid, *run, *words) if uid else [*run, *words]

    def outcomes(self, uid: int) -> dict[str, str]:
        """How every attempt of an isolated agent ended."""
        port = str(self.service.getsockname()[1])
        keys = str(self.checkrein.data_dir / "admin.key")
        folder = self.checkrein.data_dir.parent
        paths = (str(folder / "own/policies/proof.yaml"), str(folder / "daemon.sock"))
        done = subprocess.run(
            self.isolated(uid, *AGENT, "isolated", port, keys, str(self.gateway_pid), *paths),
            env=self.checkrein.environment, capture_output=True, text=True, check=False,
            timeout=SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def requests(self) -> list[str]:
        """What the upstream understood so far."""
        return [f"{seen.method} {seen.host} {seen.path}" for seen in self.oracle.requests]


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    """All of it, running as nobody."""
    folder = make_folder("isolated")
    files = make_upstream_files(folder)
    with (
        Oracle(files.certificate, files.key, providers.answer) as oracle,
        socket.socket() as sock,
        socket.socket(socket.AF_UNIX) as daemon,
    ):
        daemon.bind(str(folder / "daemon.sock"))
        daemon.listen()
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        checkrein = Checkrein(folder, {"HOME": str(folder)})
        rules = folder / "own" / "policies" / "proof.yaml"
        words = [
            "up", "--json", "--proxy-port", "0", "--api-port", "0", "--metrics-port", "0",
            "--data-dir", str(checkrein.data_dir), "--upstream-ca", str(files.ca),
            "--connect-to", f"api.stripe.com:443:127.0.0.1:{oracle.port}",
            "--policies", str(rules), "--mappers", str(MAPPERS[1]),
        ]  # fmt: skip
        shutil.copytree(POLICIES, rules.parent)
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(folder)], check=True)
        supervisor = subprocess.Popen(
            as_user(NOBODY, *COMMAND, *words), env=checkrein.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, process_group=0,
        )  # fmt: skip
        try:
            assert supervisor.stdout is not None
            assert json.loads(supervisor.stdout.readline())["proxy_url"]
            yield Here(checkrein, oracle, sock, supervisor)
        finally:
            assert end(supervisor) == 0
            shutil.rmtree(folder, ignore_errors=True)


REFUSED = {"ConnectionRefusedError"}
DENIED = {"PermissionError"}
FAILED = {"failed 1"}

EXPECTED: dict[str, set[str]] = {
    "tls by name": {"200"},
    "tls by address": {"200"},
    "tls over IPv6": {"200"},
    "urllib3": {"200"},
    "node fetch": {"200", "absent"},
    "blocked act": {"403"},
    "no name": {"SSLEOFError", "ConnectionResetError"},
    "plain to an address": {"403"},
    "metadata": {"403 destination.forbidden"},
    "no HTTP": {"HTTP/1.1 400"},
    "another port": REFUSED,
    "DNS over TLS": REFUSED,
    "this machine's services": REFUSED,
    "a daemon's socket": REFUSED,
    "QUIC": REFUSED,
    "QUIC over IPv6": REFUSED,
    "any datagram": REFUSED,
    "raw socket": DENIED,
    "vsock": {"OSError"},
    "keys": {"FileNotFoundError"},
    "the rules": {"OSError"},
    "the folder of the rules": {"OSError", "PermissionError"},
    # Without Landlock's sixth version a user may kill what is theirs, and gets refusals by it.
    "kill the gateway": {"PermissionError", "None"},
    "the rules' code": {"OSError"},
    "the gateway's environment": DENIED,
    "the gateway's files": DENIED,
    "the parent's environment": DENIED,
    "the parent's network": FAILED,
    # Of umount; root that has given up its rights is refused the namespace before.
    "uncover the keys": {"failed 32", "failed 1"},
    # Freezing or killing by group would need no signal.
    "other programs' groups": {"nowhere"},
    "a network of one's own": FAILED,
}


@pytest.mark.parametrize("uid", [NOBODY, 0], ids=["an ordinary user", "root"])
def test_whatever_it_tries_it_is_governed_or_gets_nowhere(uid: int, here: Here) -> None:
    """Reads pass, what policy forbids does not, and nothing else reaches anybody."""
    before = len(here.requests())
    outcomes = here.outcomes(uid)

    assert outcomes.keys() == EXPECTED.keys()
    wrong = {name: how for name, how in outcomes.items() if how not in EXPECTED[name]}
    assert not wrong
    reads = 5 if outcomes["node fetch"] == "200" else 4
    assert here.requests()[before:] == ["GET api.stripe.com /v1/charges"] * reads
    with pytest.raises(BlockingIOError):  # nobody knocked at this machine's own service
        here.service.accept()


def test_what_it_did_is_recorded_in_its_own_name(here: Here) -> None:
    """The agent and the run that `checkrein run` was given, though no client presented them."""
    spool = here.checkrein.data_dir / "spool"
    text = b"".join(path.read_bytes() for path in spool.rglob("*") if path.is_file())
    assert b'"agent":"agent"' in text
    assert b'"run":"run-' in text


def test_it_keeps_its_streams_status_and_folder(here: Here) -> None:
    """As without `--isolate`: what comes in goes to it, and its status is ours."""
    done = subprocess.run(
        here.isolated(NOBODY, "sh", "-c", "cat; pwd; id -u; exit 7"),
        env=here.checkrein.environment, input="in\n", capture_output=True, text=True, check=False,
        timeout=SECONDS_MAX, cwd="/tmp",
    )  # fmt: skip
    said = f"in\n/tmp\n{NOBODY}\n"
    assert (done.stdout, done.stderr, done.returncode) == (said, "", 7)


def test_a_dead_gateway_means_refused_connections(here: Here) -> None:
    """Killed as by a power cut while the program runs; when it is back, so is the way out."""
    again = " ".join([*AGENT, "once"])
    script = f"echo up; read go; {' '.join([*AGENT, 'dead'])}; while read go; do {again}; done"
    with subprocess.Popen(
        here.isolated(NOBODY, "sh", "-c", script), env=here.checkrein.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        _die_and_come_back(here, process)
        _streams(process)[0].close()
        assert process.wait(SECONDS_MAX) == 0


def _die_and_come_back(here: Here, process: subprocess.Popen[str]) -> None:
    before = len(here.requests())
    os.kill(here.supervisor.pid, signal.SIGSTOP)  # it would start another gateway at once
    try:
        stdin, stdout = _streams(process)
        assert stdout.readline() == "up\n"
        gateway = psutil.Process(here.gateway_pid)
        gateway.kill()
        stdin.write("go\n")
        stdin.flush()
        outcomes = json.loads(stdout.readline())
    finally:
        os.kill(here.supervisor.pid, signal.SIGCONT)
    assert set(outcomes.values()) == {"ConnectionRefusedError"}
    assert len(here.requests()) == before
    _wait_for_gateway(here)
    outcome, deadline = "", time.monotonic() + SECONDS_MAX
    while outcome != "200" and time.monotonic() < deadline:
        # The doors open once the forwarder has seen that the gateway is back.
        stdin.write("go\n")
        stdin.flush()
        outcome = json.loads(stdout.readline())["tls"]
    assert outcome == "200"


def test_without_the_kernels_leave_nothing_is_run(here: Here) -> None:
    """Where namespaces are forbidden the reason is said, with what to do; the program never is."""
    forbidding = (
        "unshare",
        "-Ur",
        "--",
        "sh",
        "-c",
        'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"',
        "sh",
    )
    run = (
        *COMMAND,
        "run",
        "--data-dir",
        str(here.checkrein.data_dir),
        "--isolate",
        "--",
        "echo",
        "ran",
    )
    done = subprocess.run(
        as_user(NOBODY, *forbidding, *run), env=here.checkrein.environment, capture_output=True,
        text=True, check=False, timeout=SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == 125, done.stderr
    assert done.stdout == ""
    assert "nothing was run" in done.stderr
    assert "max_user_namespaces" in done.stderr


def _streams(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _wait_for_gateway(here: Here) -> None:
    """Until the proxy's port is listened at again; `doctor` knocks there."""
    state = Path(here.checkrein.data_dir / "checkrein.json")
    port = int(json.loads(state.read_text())["proxy_url"].rpartition(":")[2])
    for _ in range(400):
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        here.supervisor.poll()
        signal.sigtimedwait([], 0.05)
    raise AssertionError("the gateway did not come back")
