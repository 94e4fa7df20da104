"""The import hook: real libraries in real processes trust the bundle, and nothing else changes."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.intercept.certificates import CertificateAuthority

HOOK_DIR = Path(__file__).parents[3] / "gateway" / "cli" / "hook"
SECONDS_MAX = 30


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"object": "balance", "available": [], "pending": []}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us is half of the tests."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A TLS server for `localhost` of an authority that nobody knows; its URL and its CA file."""
    folder = tmp_path_factory.mktemp("ca")
    authority = CertificateAuthority.load_or_make(folder)
    server = _QuietServer(("127.0.0.1", 0), _Handler)
    server.socket = authority.context_for("localhost").wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="tls-server")
    thread.start()
    yield f"https://localhost:{server.server_port}", authority.ca_pem_file
    server.shutdown()
    thread.join()
    server.server_close()


def run_python(
    code: str, bundle: Path | str, *folders: Path, python: str = sys.executable, hook: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run code with the hook's folder (and more) on PYTHONPATH."""
    path = [*([HOOK_DIR] if hook else []), *folders]
    environment = {
        "PATH": os.environ["PATH"],
        "SSL_CERT_FILE": str(bundle),
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [python, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )


STRIPE = """
import stripe
stripe.api_key, stripe.api_base, stripe.max_network_retries = "sk_test", "{url}", 0
try:
    print(stripe.Balance.retrieve().object)
except stripe.APIConnectionError as error:
    print("untrusted" if "CERTIFICATE_VERIFY_FAILED" in str(error) else error)
"""


def test_stripe_trusts_the_bundle(server: tuple[str, Path]) -> None:
    """The SDK brings its own CA file; with the hook it verifies against the bundle instead."""
    url, ca_file = server

    governed = run_python(STRIPE.format(url=url), ca_file)
    bare = run_python(STRIPE.format(url=url), ca_file, hook=False)

    assert (governed.stdout, governed.stderr) == ("balance\n", "")
    assert bare.stdout == "untrusted\n"


def test_the_hook_still_verifies(server: tuple[str, Path], tmp_path: Path) -> None:
    """A bundle without the server's CA is refused: trust is moved, never switched off."""
    url, _ = server
    other = CertificateAuthority.load_or_make(tmp_path / "other")

    done = run_python(STRIPE.format(url=url), other.ca_pem_file)

    assert done.stdout == "untrusted\n"


AIOHTTP = """
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession({options}) as session:
        print(session.trust_env)
asyncio.run(main())
"""

UNASKED = """
import sys
print([m for m in ("stripe", "certifi", "aiohttp", "ssl", "importlib.util") if m in sys.modules])
"""

LIBRARIES = {
    "certifi names the bundle": ("import certifi; print(certifi.where())", "{bundle}"),
    "certifi's own name for it, too": ("from certifi import where; print(where())", "{bundle}"),
    "its text is the bundle's": (
        "import certifi; print(certifi.contents() == open('{bundle}').read())", "True",
    ),
    "aiohttp reads proxy variables": (
        AIOHTTP.format(options=""),
        "True",
    ),
    "aiohttp is obeyed when it says no": (
        AIOHTTP.format(options="trust_env=False"),
        "False",
    ),
    "modules keep their loaders": (
        "import certifi; print(type(certifi.__spec__.loader).__name__)", "SourceFileLoader",
    ),
    "a missing module is missing": (
        "try:\n import stripe_nope\nexcept ModuleNotFoundError as e: print(e.name)", "stripe_nope",
    ),
    "nothing is imported that wasn't asked for": (
        UNASKED,
        "[]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "expected"), LIBRARIES.values(), ids=LIBRARIES.keys())
def test_libraries(code: str, expected: str, server: tuple[str, Path]) -> None:
    """What each library says of itself when the hook is there."""
    _, ca_file = server
    done = run_python(code.replace("{bundle}", str(ca_file)), ca_file)

    assert (done.stdout.strip(), done.stderr) == (expected.format(bundle=ca_file), "")


HARMLESS = {
    "without a bundle everything is as it was": ("", "import certifi; print(certifi.where())"),
    "with a bundle that is gone, too": ("/nowhere.pem", "import certifi; print(certifi.where())"),
}


@pytest.mark.parametrize(("bundle", "code"), HARMLESS.values(), ids=HARMLESS.keys())
def test_without_a_bundle_nothing_changes(bundle: str, code: str) -> None:
    """The library's own file is named when SSL_CERT_FILE names none."""
    done = run_python(code, bundle)

    assert done.stdout.strip().endswith("certifi/cacert.pem")
    assert done.stderr == ""


def test_the_programs_own_sitecustomize_runs(tmp_path: Path) -> None:
    """It runs as ever, once, and is the one that `import sitecustomize` gives."""
    (tmp_path / "sitecustomize.py").write_text("print('theirs')\nMARK = 1\n")

    done = run_python("import sitecustomize; print(sitecustomize.MARK)", "", tmp_path)

    assert (done.stdout, done.stderr) == ("theirs\n1\n", "")


def test_a_broken_sitecustomize_of_the_program_breaks_nothing_more(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    """Python reports it as it always does; the hook works all the same."""
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('theirs')\n")

    done = run_python("import certifi; print(certifi.where())", server[1], tmp_path)

    assert done.stdout == f"{server[1]}\n"
    assert "ValueError: theirs" in done.stderr


def test_a_library_of_another_shape_is_left_alone(tmp_path: Path) -> None:
    """A module that happens to be called like one of ours is imported untouched."""
    (tmp_path / "certifi.py").write_text("SHAPE = 'other'\n")
    (tmp_path / "stripe.py").write_text("__slots__ = ()\n")

    code = "import certifi, stripe; print(certifi.SHAPE, hasattr(certifi, 'where'))"
    done = run_python(code, ssl.get_default_verify_paths().openssl_cafile, tmp_path)

    assert (done.stdout, done.stderr) == ("other False\n", "")


def other_pythons() -> list[str]:
    """Interpreters of other versions at hand: pyenv's, and the system's."""
    places = [*Path.home().glob(".pyenv/versions/3.*/bin/python"), Path("/usr/bin/python3")]
    return [str(place) for place in sorted(places) if place.exists()]


@pytest.mark.parametrize("python", other_pythons() or [sys.executable])
def test_other_versions_of_python(python: str) -> None:
    """The hook is silent and in place on every Python that is here."""
    code = "import sys; print([type(f).__name__ for f in sys.meta_path][0])"

    done = run_python(code, "", python=python)

    assert (done.stdout, done.stderr) == ("_Finder\n", "")
