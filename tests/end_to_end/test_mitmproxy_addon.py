"""Promise: behind mitmproxy the same acts are allowed, refused, held and recorded as behind the
gateway's own listener, and nothing that isn't governed goes through.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.mitmproxy import Unavailable, make_environment
from tests.support.stack import MAPPERS, POLICIES, Stack

pytestmark = pytest.mark.timeout(360)

HOST = "warehouse.example.test"
STARTED_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running mitmproxy with the pipeline in it."""

    url: str
    port: int
    ca_file: Path


@pytest.fixture(scope="module")
def proxy(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """mitmdump as `checkrein mitmproxy` starts it."""
    folder = tmp_path_factory.mktemp("addon")
    try:
        python = make_environment(folder / "environment")
    except Unavailable as reason:
        pytest.skip(str(reason))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    data_dir = folder / "data"
    data_dir.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if "CHECKREIN" not in name},
        "CHECKREIN_DATA_DIR": str(data_dir),
        "CHECKREIN_GATEWAY_ID": "behind-mitmproxy",
        "CHECKREIN_API_URL": stack.control.url,
        "CHECKREIN_API_KEY": stack.control.key("gateway"),
        "CHECKREIN_POLICIES": str(POLICIES),
        "CHECKREIN_MAPPERS": os.pathsep.join(str(path) for path in MAPPERS),
        "CHECKREIN_CONNECT_TO": stack.upstreams.connect_to,
        "CHECKREIN_UPSTREAM_CA": str(stack.upstreams.ca_file),
        "CHECKREIN_HOLD_SECONDS_MAX": "40",
    }
    command = [
        str(python), "-m", "gateway.cli.main", "mitmproxy",
        "--listen-host", "127.0.0.1", "--listen-port", str(port),
    ]  # fmt: skip
    log_file = folder / "mitmdump.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    agent_key = stack.control.key("agent")
    try:
        _wait_started(process, data_dir, log_file)
        yield Proxy(
            f"http://agent:{agent_key}@127.0.0.1:{port}",
            port,
            data_dir / "mitmproxy" / "mitmproxy-ca-cert.pem",
        )
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_started(process: subprocess.Popen[bytes], data_dir: Path, log_file: Path) -> None:
    """It listens before its addon has started; so wait for the record's first line."""
    deadline = time.monotonic() + STARTED_SECONDS_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, log_file.read_text()[-3000:]
        segments = data_dir.glob("spool/*.jsonl")
        if any(b"behind mitmproxy" in segment.read_bytes() for segment in segments):
            return
        time.sleep(0.1)
    raise AssertionError(f"mitmproxy did not start: {log_file.read_text()[-3000:]}")


def _client(proxy: Proxy, url: str | None = None) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=str(proxy.ca_file))
    return httpx.Client(proxy=url or proxy.url, verify=trusted, timeout=60, trust_env=False)


def test_an_allowed_read_arrives_once_and_is_recorded(stack: Stack, proxy: Proxy, tag: str) -> None:
    """What the upstream understood is what was decided on."""
    mark = stack.oracle.mark()
    with _client(proxy) as client:
        answer = client.get(f"https://{HOST}/v1/orders/{tag}")
    assert answer.status_code == 200
    (understood,) = stack.oracle.since(mark, tag)
    intent = stack.api.wait_record({"kind": "intent"}, tag)
    outcome = stack.api.wait_record({"kind": "outcome"}, intent["decision_id"])
    assert (intent["gateway"], intent["path"]) == ("behind-mitmproxy", understood.path)
    assert (intent["rule"], outcome["outcome"], outcome["status"]) == ("reads", "executed", 200)


def test_a_blocked_act_never_arrives(stack: Stack, proxy: Proxy, tag: str) -> None:
    """And its answer carries rule and sentence."""
    mark = stack.oracle.mark()
    with _client(proxy) as client:
        answer = client.delete(f"https://{HOST}/v1/orders/{tag}")
    assert answer.status_code == 403
    assert "the proof forbids this act" in answer.text
    assert stack.oracle.since(mark, tag) == []


async def test_a_held_act_goes_once_it_is_approved(stack: Stack, proxy: Proxy, tag: str) -> None:
    """mitmproxy waits as long as the pipeline does."""
    mark, known = stack.oracle.mark(), stack.api.approval_ids()

    def act() -> httpx.Response:
        with _client(proxy) as client:
            return client.post(f"https://{HOST}/v1/orders/{tag}/refund", json={"amount": 900})

    waiting = asyncio.create_task(asyncio.to_thread(act))
    approval = await asyncio.to_thread(stack.api.wait_pending, known)
    assert stack.oracle.since(mark, tag) == []
    await asyncio.to_thread(stack.api.resolve, approval["approvalId"], "APPROVE")
    answer = await waiting
    assert answer.is_success, answer.text
    assert len(stack.oracle.since(mark, tag)) == 1


UNGOVERNED = {
    "without credentials": ("http://127.0.0.1:{port}", HOST, {}),
    "with a wrong key": ("http://agent:wrong@127.0.0.1:{port}", HOST, {}),
    "under another Host": (None, HOST, {"host": "api.stripe.com"}),
    "to the machine itself": (None, "127.0.0.1", {}),
}


@pytest.mark.parametrize(("url", "host", "headers"), UNGOVERNED.values(), ids=UNGOVERNED)
def test_what_is_not_governed_does_not_pass(
    stack: Stack, proxy: Proxy, tag: str, url: str | None, host: str, headers: dict[str, str]
) -> None:
    """Refused in the tunnel or before it; the upstream sees nothing."""
    mark = stack.oracle.mark()
    chosen = proxy.url if url is None else url.format(port=proxy.port)
    with _client(proxy, chosen) as client:
        try:
            answer = client.get(f"https://{host}/v1/orders/{tag}", headers=headers)
        except httpx.HTTPError:
            pass
        else:
            assert answer.status_code >= 400
    assert stack.oracle.since(mark, tag) == []
