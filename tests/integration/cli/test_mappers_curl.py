"""Pasted curl commands against curl itself: what it sends is what we say it would send."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.authoring.curl import parse_curl

CURL = shutil.which("curl")
CURLS_OWN = ("accept", "user-agent", "host", "content-length")
"""Headers that curl adds by itself and that say nothing about the act."""

Sent = tuple[str, str, bytes, dict[str, str]]

COMMANDS = {
    "a query and a fragment": "curl -s URL/x?y=1#top",
    "data": "curl -s URL/x -d a=1 --data 'b=2 3' -d ''",
    "data with a newline": "curl -s -d 'a\nb' URL/",
    "data in the query": "curl -sG URL/x?z=0 -d a=1 --data-urlencode 'q=a b&c'",
    "JSON in two pieces": "curl -s URL/x --json '{\"a\":' --json 1}",
    "encoded data": "curl -s URL/ --data-urlencode 'q=a~b*é' --data-urlencode =c+d"
    " --data-urlencode 'x y'",
    "a user": "curl -s -u user:pa:ss URL/",
    "headers taken away and empty": "curl -s -H 'Content-Type:' -H 'X-E;' -H 'A: b' -d a URL/",
    "a head": "curl -sI URL/x",
    "pieces of a query": "curl -s --url-query a=1 --url-query '+b=%20' 'URL/?q'",
    "referer, agent, cookie, token, range": "curl -s -e http://r/ -A me -b a=1"
    " --oauth2-bearer T -r 0-5 URL/",
    "a browser's quoting": r"""curl -s URL/ --data-raw $'a\u00e9\x41\n\'x \xc3\xa9'""",
    "letters beyond ASCII in the query": "curl -s 'URL/x?q=ü'",
    "nothing to send": "curl -s -X POST URL/empty",
    "no path": "curl -s URL",
    "dots in the path": "curl -s --path-as-is URL/a/../b",
}


class Server(ThreadingHTTPServer):
    sent: list[Sent]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.sent.append((self.command, self.path, body, headers))
        self.send_response(204)
        self.end_headers()

    do_GET = do_HEAD = do_POST = _take

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    found.sent = []
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.mark.skipif(CURL is None, reason="needs curl")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_curl_sends_what_we_say(server: Server, command: str) -> None:
    """Method, target, body and headers, byte by byte."""
    server.sent.clear()
    text = command.replace("URL", f"http://127.0.0.1:{server.server_port}")
    subprocess.run(["bash", "-c", text], check=True, timeout=30)
    request = parse_curl(text)

    ((method, target, body, headers),) = server.sent
    own = {name.decode(): value.decode() for name, value in request.fields.items()}
    for name in CURLS_OWN:
        if name not in own:
            headers.pop(name, None)
    assert (request.method, request.target.decode("latin-1"), request.body) == (
        method, target, body,
    )  # fmt: skip
    assert own == headers
