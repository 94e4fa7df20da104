"""The proxies that are measured side by side, each started, found ready, and ended by its pid.

All stand between the same load and the same origin, verify the origin's certificate, and keep
connections alive on both sides.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.upstream_files import UpstreamFiles

HOST = "warehouse.example.test"
READY_SECONDS_MAX = 20.0
ANSWER_BYTES = 1024
BIG_BYTES = 100_000_000
BIG_PATH = "/v1/orders/big"


class Unavailable(Exception):
    """This candidate can't run here; the table says why."""


@dataclass(slots=True)
class Candidate:
    """One proxy: how it is reached, and by which pid it is billed. `only_rows`: it is asked for
    these alone; empty, for all."""

    name: str
    pid: int
    port: int
    ca_file: Path
    stop: Callable[[], None]
    credentials: str | None = None
    authority: str = f"{HOST}:443"
    server_name: str = HOST
    only_rows: frozenset[str] = frozenset()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise Unavailable(f"did not listen on {port}; exit status {process.poll()}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


# --- nginx, as the origin and as a bare proxy -----------------------------------------------------


def start_nginx(folder: Path, name: str, http: str, port: int) -> subprocess.Popen[bytes]:
    """One worker on a configuration of its own."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise Unavailable("nginx is not installed")
    prefix = folder / name
    prefix.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(
        f"{part}_temp_path {prefix}/{part};"
        for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (prefix / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {prefix}/pid; error_log stderr warn;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;\n"
        f"{temporary}\n{http}\n}}\n"
    )
    log = (prefix / "log").open("wb")
    process = subprocess.Popen(
        [nginx, "-p", str(prefix), "-c", str(prefix / "nginx.conf"), "-e", "stderr"],
        stdout=log,
        stderr=log,
    )
    log.close()
    wait_listening(port, process)
    return process


def start_origin(folder: Path, files: UpstreamFiles) -> tuple[int, subprocess.Popen[bytes]]:
    """nginx that answers every request with the same kilobyte of JSON, and one path with 100 MB."""
    port = free_port()
    body = '{"note":"' + "y" * (ANSWER_BYTES - 11) + '"}'
    http = (
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {files.certificate};\n"
        f"ssl_certificate_key {files.key}; default_type application/json;\n"
        "client_max_body_size 0;\n"
        f"location = {BIG_PATH} {{ root {folder}/www; sendfile on; }}\n"
        f"location / {{ return 200 '{body}'; }} }}"
    )
    big = folder / "www" / BIG_PATH.lstrip("/")
    big.parent.mkdir(parents=True)
    with big.open("wb") as file:
        file.truncate(BIG_BYTES)
    return port, start_nginx(folder, "origin", http, port)


def start_nginx_proxy(folder: Path, files: UpstreamFiles, origin_port: int) -> Candidate:
    """nginx as a TLS reverse proxy that does nothing else: the physical floor."""
    port = free_port()
    http = (
        f"upstream origin {{ server 127.0.0.1:{origin_port}; keepalive 128;\n"
        "keepalive_requests 1000000000; }\n"
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {files.certificate};\n"
        f"ssl_certificate_key {files.key};\n"
        "location / { proxy_pass https://origin; proxy_http_version 1.1;\n"
        f"proxy_set_header Connection ''; proxy_set_header Host {HOST};\n"
        f"proxy_ssl_name {HOST}; proxy_ssl_server_name on; proxy_ssl_verify on;\n"
        f"proxy_ssl_trusted_certificate {files.ca}; proxy_ssl_protocols TLSv1.2 TLSv1.3;\n"
        "client_max_body_size 0; proxy_buffering on; proxy_max_temp_file_size 0; } }"
    )
    process = start_nginx(folder, "proxy", http, port)
    return Candidate(
        "nginx, bare TLS reverse proxy", process.pid, port, files.ca, lambda: end(process)
    )


# --- mitmproxy ------------------------------------------------------------------------------------


def install_mitmproxy(folder: Path, version: str) -> Path:
    """Its own environment, made for this run."""
    environment = folder / "mitmproxy"
    pip = [str(environment / "bin" / "pip"), "install", "-q", f"mitmproxy=={version}"]
    for command in ([sys.executable, "-m", "venv", str(environment)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"mitmproxy {version} can't be installed: {done.stderr[-200:]}")
    return environment / "bin" / "mitmdump"


def direct(origin_port: int, origin: subprocess.Popen[bytes], files: UpstreamFiles) -> Candidate:
    """No proxy at all: what the load and the origin take by themselves."""
    return Candidate("no proxy", origin.pid, origin_port, files.ca, lambda: None)


def start_mitmproxy(
    folder: Path, files: UpstreamFiles, origin_port: int, mitmdump: Path
) -> Candidate:
    """mitmproxy with no addon of ours but the one that sends the name to the origin."""
    port = free_port()
    addon = folder / "to_origin.py"
    addon.write_text(
        "def server_connect(data):\n"
        f"    data.server.address = ('127.0.0.1', {origin_port})\n"
        f"    data.server.sni = {HOST!r}\n"
    )
    settings = {
        "confdir": folder / "mitm",
        "ssl_verify_upstream_trusted_ca": files.ca,
        "connection_strategy": "eager",
        "http2": "false",
    }
    command = [str(mitmdump), "-q", "--listen-host", "127.0.0.1", "-p", str(port), "-s", str(addon)]
    command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    with (folder / "mitm.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    wait_listening(port, process)
    ca_file = folder / "mitm" / "mitmproxy-ca-cert.pem"
    return Candidate("mitmproxy", process.pid, port, ca_file, lambda: end(process), "any:any")
