"""The commands' client against a server that answers in every way a server can."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.cli import api as api_module
from gateway.cli.api import Api, open_api
from gateway.cli.failures import CommandError

KEY = "cr_admin_secret"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: tuple[int, bytes, dict[str, str]] = (200, b"{}", {})
    seen: list[tuple[str, str, str | None]]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.seen.append((self.command, self.path, self.headers.get("x-api-key")))
        status, body, headers = server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    """A server on loopback whose one answer a test chooses."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="api-server")
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url_of(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def envelope(message: str, code: str, reason_code: str = "") -> bytes:
    error = {"message": message, "code": code, "reason_code": reason_code}
    return json.dumps({"error": error}).encode()


ANSWERS = {
    "an unknown key": (
        401, envelope("The key is unknown", "UNAUTHENTICATED"),
        "the key is unknown (UNAUTHENTICATED)", "CHECKREIN_API_KEY",
    ),
    "a key without the permission": (
        403, envelope("no", "FORBIDDEN"), "no (FORBIDDEN)", "with the permission",
    ),
    "nothing of that id": (404, envelope("none", "NOT_FOUND"), "none (NOT_FOUND)", "check the id"),
    "somebody was faster": (
        409, envelope("it is DENIED", "APPROVAL_NOT_PENDING"),
        "it is DENIED (APPROVAL_NOT_PENDING)", "approvals show",
    ),
    "a refusal whose finer code says more than its code": (
        429, envelope("full", "RESOURCE_EXHAUSTED", "STOPS_FULL"),
        "full (RESOURCE_EXHAUSTED)", "checkrein stops",
    ),
    "a refusal whose code says more than its status": (
        409, envelope("no key", "BUNDLE_NO_KEY"), "no key (BUNDLE_NO_KEY)", "openssl genpkey",
    ),
    "a fault without an envelope": (
        500, b"<html>oops</html>", "the control plane answered with status 500", "",
    ),
    "an envelope of another shape": (
        500, b'{"error": 5}', "the control plane answered with status 500", "",
    ),
    "a page in place of JSON": (
        200, b"<html>hello</html>", "does not answer as a control plane does", "check the URL",
    ),
    "a list in place of an object": (
        200, b"[]", "does not answer as a control plane does", "check the URL",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "message", "advice"), ANSWERS.values(), ids=ANSWERS.keys()
)
def test_answers_become_sentences(
    status: int, body: bytes, message: str, advice: str, server: _Server
) -> None:
    """Every failure is a sentence with what to do; the key is in none of them."""
    server.answer = (status, body, {})

    with pytest.raises(CommandError) as caught:
        Api(url_of(server), KEY).get("/v1/agents")

    assert message in caught.value.message
    assert advice in caught.value.advice
    assert KEY not in caught.value.message + caught.value.advice


def test_nobody_there_is_said() -> None:
    """A refused connection names the address and what may be wrong."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(CommandError) as caught:
        Api(f"http://127.0.0.1:{port}", KEY).get("/v1/agents")

    assert f"127.0.0.1:{port} can't be reached: connection refused" in caught.value.message
    assert "is `checkrein up` running" in caught.value.advice


def test_silence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing does not hang a command."""
    monkeypatch.setattr(api_module, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CommandError, match="it did not answer in time"):
            Api(url, KEY).get("/v1/agents")


def test_proxy_variables_are_ignored(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A governed shell can still approve: the API is never asked through a proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    Api(url_of(server), KEY).get("/v1/agents", {"limit": 5, "agent": None})

    assert server.seen == [("GET", "/v1/agents?limit=5", KEY)]


def test_the_key_follows_no_redirect(server: _Server) -> None:
    """A server that points elsewhere is refused, and the key isn't sent there."""
    server.answer = (302, b"", {"location": f"{url_of(server)}/elsewhere"})

    with pytest.raises(CommandError, match="status 302"):
        Api(url_of(server), KEY).get("/v1/agents")

    assert [path for _, path, _ in server.seen] == ["/v1/agents"]


def test_the_environment_names_another_installation(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHECKREIN_API_URL and CHECKREIN_API_KEY are used when no directory is named."""
    monkeypatch.setenv("CHECKREIN_API_URL", url_of(server))
    monkeypatch.setenv("CHECKREIN_API_KEY", KEY)

    open_api(None).get("/v1/agents")

    assert server.seen == [("GET", "/v1/agents", KEY)]


def test_a_named_directory_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who says `--data-dir` means that one, and is told when nothing runs there."""
    monkeypatch.setenv("CHECKREIN_API_URL", "http://127.0.0.1:1")

    with pytest.raises(CommandError, match="no `checkrein up` runs"):
        open_api(tmp_path)


def test_a_persons_key_is_used_with_the_stack_here(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in the environment is the person's; a directory that is named has its own."""
    running = SimpleNamespace(api_url=f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("gateway.cli.api.load_running", lambda _: running)
    monkeypatch.setattr("gateway.cli.api.read_key", lambda *_: "cr_admin_of_the_directory")
    monkeypatch.delenv("CHECKREIN_API_URL", raising=False)
    monkeypatch.setenv("CHECKREIN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CHECKREIN_API_KEY", KEY)

    open_api(None).get("/v1/agents")
    open_api(tmp_path).get("/v1/agents")

    assert [key for _, _, key in server.seen] == [KEY, "cr_admin_of_the_directory"]


def test_another_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is no control plane."""
    monkeypatch.setenv("CHECKREIN_API_URL", "file:///etc/passwd")
    monkeypatch.setenv("CHECKREIN_API_KEY", KEY)

    with pytest.raises(CommandError, match="is not a URL"):
        open_api(None)
