"""Promise: several workers serve one port, each with a record of its own that verifies; one that
dies is started again, and all are told to end, and to reload, as one.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.processes import NotReady
from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Stack

HOST = "warehouse.example.test"
CALLS = 24
WAIT_SECONDS_MAX = 30.0
SHARED = {"CHECKREIN_WORKERS": "2", "CHECKREIN_LIMITS_STORE": "shared"}


@pytest.fixture(scope="module")
def workers(stack: Stack) -> Iterator[Gateway]:
    """Two of them."""
    gateway = stack.add_gateway("several", SHARED)
    yield gateway
    gateway.process.close()


def _until(claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _read(stack: Stack, gateway: Gateway, tag: str, calls: int) -> int:
    """Reads, each on a connection of its own; how many got their answer."""
    client = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    good = 0
    for _ in range(calls):
        with client.open_tls(HOST) as sock:
            sock.sendall(request("GET", f"/v1/orders/{tag}"))
            good += sock.recv(65_536).startswith(b"HTTP/1.1 200")
    return good


def _admin(gateway: Gateway, path: str) -> tuple[int, str]:
    url = gateway.process.ready["metrics_url"].replace("/metrics", path)
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_both_serve_and_both_record(stack: Stack, workers: Gateway, tag: str) -> None:
    """Connections are spread by the kernel; every intent stands in the chain of its worker."""
    mark = stack.oracle.mark()
    assert _read(stack, workers, tag, CALLS) == CALLS
    assert len(stack.oracle.since(mark, tag)) == CALLS
    ids = workers.process.ready["gateway_ids"]
    assert ids == ["several", "several-2"]

    def intents(gateway_id: str) -> int:
        records = stack.api.records(gateway_id)
        return sum(r.fields["kind"] == "intent" and tag in r.fields["path"] for r in records)

    _until(lambda: sum(map(intents, ids)) == CALLS, "all records arrive")
    assert min(map(intents, ids)) > 0
    status, said = _admin(workers, "/readyz")
    assert (status, json.loads(said)["failing"]) == (200, {})
    counted = [line for line in _admin(workers, "/metrics")[1].splitlines()
               if line.startswith("checkrein_gateway_decisions_total{")]  # fmt: skip
    assert sum(float(line.rpartition(" ")[2]) for line in counted) >= CALLS


def test_a_reload_of_nothing_new_asks_for_no_restart(workers: Gateway) -> None:
    """What a worker has of its own (folder, id, share of holds) is no change of settings."""
    os.kill(workers.process.pid, signal.SIGHUP)
    _until(lambda: workers.process.log.count('"rules loaded"') >= 2, "both have reloaded")
    assert "need a restart" not in workers.process.log


def test_a_worker_that_dies_is_started_again(stack: Stack, workers: Gateway, tag: str) -> None:
    """Under the same number, with the same chain; meanwhile the other one serves."""
    victim = workers.process.ready["worker_pids"][1]
    os.kill(victim, signal.SIGKILL)
    _until(lambda: not psutil.pid_exists(victim), "it is gone")
    assert _read(stack, workers, tag, 4) == 4
    _until(lambda: _admin(workers, "/readyz")[0] == 200, "all are ready again")
    supervisor = psutil.Process(workers.process.pid)
    assert len(supervisor.children()) == 2
    assert _read(stack, workers, tag, CALLS) == CALLS


def test_the_last_records_of_fewer_workers_are_shipped(
    stack: Stack, workers: Gateway, tag: str
) -> None:
    """One worker after two ships what the second one left."""
    left = workers.data_dir / "workers" / "2" / "spool"
    workers.process.stop()
    (left / "acknowledged.json").write_text(json.dumps({"seq": 0}))
    workers.process.environment["CHECKREIN_WORKERS"] = "1"
    workers.start()

    def acknowledged() -> int:
        seq: int = json.loads((left / "acknowledged.json").read_text())["seq"]
        return seq

    _until(lambda: acknowledged() > 0, "the control plane has them")
    assert _read(stack, workers, tag, 2) == 2


def test_workers_end_with_their_supervisor(stack: Stack) -> None:
    """Also when it is killed: no worker goes on that nobody looks after."""
    gateway = stack.add_gateway("orphaned", SHARED)
    pids = gateway.process.ready["worker_pids"]
    os.kill(gateway.process.pid, signal.SIGKILL)
    _until(lambda: not any(map(_is_alive, pids)), "the workers have ended")
    gateway.process.close()


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_workers_that_would_count_alone_are_refused(stack: Stack, tmp_path: Path) -> None:
    """Each counting for itself, they would let through a limit for every worker."""
    gateway = Gateway(tmp_path, "alone", stack.control, stack.upstreams, {"CHECKREIN_WORKERS": "2"})
    with pytest.raises(NotReady) as failed:
        gateway.start()
    assert failed.value.status == 2
    assert "CHECKREIN_LIMITS_STORE" in failed.value.said
