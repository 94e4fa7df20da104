"""`python -m controlplane` as its users start and end it: ready line, signals, crashes, errors."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import ask_body
from tests.support.database import make_database, url_of

REPOSITORY = Path(__file__).parents[3]
READY_SECONDS_MAX = 45.0
END_SECONDS_MAX = 20.0
"""Less than the long poll that must not be waited for; a busy machine takes seconds."""


class Process:
    """One started control plane."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        reader, writer = os.pipe()
        clean = {name: text for name, text in os.environ.items() if "CHECKREIN" not in name}
        self.log = log
        with log.open("ab") as stream:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "controlplane", "--ready-fd", str(writer)],
                cwd=REPOSITORY,
                env={**clean, "CHECKREIN_API_PORT": "0", **environment},
                pass_fds=(writer,),
                stdout=stream,
                stderr=stream,
            )
        os.close(writer)
        self._reader = reader
        self.ready: dict[str, Any] = {}

    def wait_ready(self) -> dict[str, Any]:
        found, _, _ = select.select([self._reader], [], [], READY_SECONDS_MAX)
        line = os.read(self._reader, 65_536) if found else b""
        assert line, f"not ready: {self.log.read_text()}"
        self.ready = json.loads(line)
        return self.ready

    @property
    def postgres(self) -> list[psutil.Process]:
        """Its Postgres processes."""
        children = psutil.Process(self.popen.pid).children(recursive=True)
        return [child for child in children if "postgres" in child.name()]

    def call(
        self, method: str, path: str, body: Any = None, role: str = "admin"
    ) -> tuple[int, Any]:
        key = Path(self.ready[f"{role}_key_file"]).read_text().strip()
        request = urllib.request.Request(
            self.ready["api_url"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def metrics(self) -> str:
        with urllib.request.urlopen(self.ready["api_url"] + "/metrics", timeout=20) as response:
            return str(response.read().decode())

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Exit status and how long it took."""
        started = time.monotonic()
        self.popen.send_signal(number)
        status = self.popen.wait(timeout=20)
        return status, time.monotonic() - started

    def close(self) -> None:
        os.close(self._reader)
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts control planes; all are gone at the end."""
    started: list[Process] = []

    def begin(**environment: str) -> Process:
        process = Process(
            {"CHECKREIN_DATA_DIR": str(tmp_path / "data"), **environment}, tmp_path / "log"
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_when_it_is_ready_and_ends_within_five_seconds(start, tmp_path: Path, number: int):
    """Status 0, no Postgres left, no file of the socket left to hurt the next start."""
    process = start()
    ready = process.wait_ready()
    data = tmp_path / "data"
    assert set(ready) == {
        "api_url", "tenant_id", "admin_key_file", "gateway_key_file", "agent_key_file", "database",
    }  # fmt: skip
    assert ready["database"] == "embedded"
    assert ready["admin_key_file"] == str(data / "admin.key")
    assert process.call("GET", "/readyz")[0] == 200
    children = process.postgres
    assert children
    status, seconds = process.end(number)
    assert (status, seconds < END_SECONDS_MAX) == (0, True)
    assert not any(child.is_running() for child in children)


WAITER = """
import sys, urllib.request
headers = {"x-api-key": sys.argv[2]}
request = urllib.request.Request(sys.argv[1] + "?waitSeconds=30", headers=headers)
print(urllib.request.urlopen(request, timeout=40).status)
"""


def test_a_waiting_client_does_not_delay_the_end(start):
    """A long poll is answered and the process ends in time."""
    process = start()
    process.wait_ready()
    _, asked = process.call("POST", "/v1/approvals", ask_body(), "gateway")
    waiter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WAITER,
            f"{process.ready['api_url']}/v1/approvals/{asked['approval']['approvalId']}",
            Path(process.ready["admin_key_file"]).read_text().strip(),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 15
    while "long_polls 1.0" not in metrics_of(process):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status, seconds = process.end()
    assert (status, seconds < END_SECONDS_MAX) == (0, True)
    assert waiter.communicate(timeout=10)[0].strip() == "200"


def metrics_of(process: Process) -> str:
    with urllib.request.urlopen(process.ready["api_url"] + "/metrics", timeout=10) as response:
        return response.read().decode()


def test_killed_it_leaves_no_postgres_and_the_next_start_has_everything(start):
    """kill -9 in the middle: the answers that were given still hold."""
    process = start()
    first = process.wait_ready()
    _, asked = process.call("POST", "/v1/approvals", ask_body(), "gateway")
    children = process.postgres
    process.end(signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert (len(gone), alive) == (len(children), [])
    again = start()
    assert again.wait_ready()["tenant_id"] == first["tenant_id"]
    status, found = again.call("GET", f"/v1/approvals/{asked['approval']['approvalId']}")
    assert (status, found["approval"]["status"]) == (200, "PENDING")


def test_postgres_killed_under_it_gives_503_and_then_everything_again(start):
    """The pool recovers by itself; no request hangs and none gets a 500."""
    process = start()
    process.wait_ready()
    _, asked = process.call("POST", "/v1/approvals", ask_body(), "gateway")
    path = f"/v1/approvals/{asked['approval']['approvalId']}"
    postmaster = min(process.postgres, key=lambda child: child.pid)
    postmaster.kill()
    deadline, seen = time.monotonic() + 30, set()
    while True:
        status, body = process.call("GET", path)
        seen.add(status)
        if status == 200 and 503 in seen:
            break
        if status != 200:
            assert (status, body["error"]["code"]) == (503, "UNAVAILABLE")
        assert time.monotonic() < deadline
    assert process.call("POST", f"{path}/resolve", {"resolution": "APPROVE"})[0] == 200


def test_an_agents_words_and_keys_stay_out_of_the_logs(start, tmp_path: Path):
    """Neither our log nor Postgres's holds a key, a param or a path that was sent."""
    process = start()
    process.wait_ready()
    body = ask_body(params={"card": "4242-secret"}, path="/v1/secret-path", summary="secret words")
    process.call("POST", "/v1/approvals", body, "gateway")
    process.call("POST", "/v1/approvals", {**body, "nope": "secret-field"}, "gateway")
    process.call("GET", "/v1/secret-route")
    process.end()
    logs = (tmp_path / "log").read_text() + (tmp_path / "data/logs/postgres.log").read_text()
    assert "secret" not in logs
    for file in (tmp_path / "data").glob("*.key"):
        assert file.read_text().strip() not in logs
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    asked = [line for line in lines if line.get("route") == "/v1/approvals"]
    assert [line["status"] for line in asked] == [201, 422]
    mark = Path(process.ready["gateway_key_file"]).read_text()[:8]
    assert all(line["request_id"] and line["key_prefix"] == mark for line in asked)


def failed(process: Process) -> tuple[int, str]:
    status = process.popen.wait(timeout=30)
    return status, process.log.read_text()


def test_a_taken_port_is_told(start):
    """Status 1, before Postgres is even started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = failed(start(CHECKREIN_API_PORT=str(port)))
    assert status == 1
    assert f"error: the API can't listen on 127.0.0.1:{port}: the port is taken" in said
    assert "help: set CHECKREIN_API_PORT" in said


def test_bad_settings_are_told_all_at_once(start):
    """Status 2, and no value is repeated."""
    process = start(
        CHECKREIN_API_PORT="http", CHECKREIN_DATABASE_URL="mysql://u:hunter2@h/d",
        CHECKREIN_BOOTSTRAP_ADMIN_KEY="hunter3",
    )  # fmt: skip
    status, said = failed(process)
    assert status == 2
    assert len(re.findall("^error: CHECKREIN_", said, re.MULTILINE)) == 3
    assert "hunter" not in said


def test_an_unreachable_database_is_told_after_a_few_tries(start, tmp_path: Path):
    """Status 1, a sentence and a help without the password."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    url = f"postgresql://u:hunter2@127.0.0.1:{port}/d"
    status, said = failed(start(CHECKREIN_DATABASE_URL=url))
    assert status == 1
    assert "error: the database can't be used: no connection after" in said
    assert "help: check CHECKREIN_DATABASE_URL" in said
    assert "hunter2" not in said


def test_a_data_directory_in_use_is_told(start):
    """The second names the folder; the first goes on."""
    process = start()
    process.wait_ready()
    status, said = failed(start())
    assert status == 1
    assert "another control plane uses the embedded Postgres" in said
    assert process.call("GET", "/readyz")[0] == 200


def test_two_that_start_together_share_one_database(
    start, postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """An empty external database: one migrates, both become ready with the same tenant and keys."""
    name = make_empty_database(postgres_server)
    url = url_of(postgres_server, Role.SUPERUSER, name)
    one, two = start(CHECKREIN_DATABASE_URL=url), start(CHECKREIN_DATABASE_URL=url)
    first, second = one.wait_ready(), two.wait_ready()
    assert (first["database"], second["database"]) == ("external", "external")
    assert first["tenant_id"] == second["tenant_id"]
    assert len(one.call("GET", "/v1/agents")[1]["agents"]) == 1
    _, asked = one.call("POST", "/v1/approvals", ask_body(), "gateway")
    path = f"/v1/approvals/{asked['approval']['approvalId']}"
    assert two.call("POST", f"{path}/resolve", {"resolution": "REJECT"})[0] == 200
    assert one.call("GET", path)[1]["approval"]["status"] == "DENIED"
    assert (one.end()[0], two.end()[0]) == (0, 0)


def test_who_is_being_served_at_the_end_gets_an_answer(
    start, postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """A long poll that waits when the signal comes is answered with what there is, not cut off."""
    url = url_of(postgres_server, Role.SUPERUSER, make_empty_database(postgres_server))
    process = start(CHECKREIN_DATABASE_URL=url)
    process.wait_ready()
    asked = process.call("POST", "/v1/approvals", ask_body(), "gateway")[1]["approval"]
    path = f"/v1/approvals/{asked['approvalId']}"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(process.call, "GET", f"{path}?waitSeconds=25")
        waits = re.compile(r"^checkrein_controlplane_long_polls [1-9]", re.MULTILINE)
        deadline = time.monotonic() + 10
        while not waits.search(process.metrics()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        status, seconds = process.end()
        answered, body = waiting.result(timeout=10)
    assert (answered, body["approval"]["status"]) == (200, "PENDING")
    assert status == 0
    assert seconds < 5


def make_empty_database(server: EmbeddedPostgres) -> str:
    """A database without our schema, as an operator would hand it over."""
    name = make_database(server)
    import asyncio

    from tests.support.database import connect_as

    async def empty() -> None:
        connection = await connect_as(server, Role.SUPERUSER, name)
        await connection.execute("drop schema checkrein cascade")
        await connection.close()

    asyncio.run(empty())
    return name
