"""Turns a gateway's address and CA into the environment variables that govern a program.

One table for every runtime; `checkrein run`, `env`, `doctor` and `demo` all use it, so that what
is printed is what is tried. Variables are a convenience, never the boundary: what unsets them must
find the way out closed.

Left out on purpose: SSL_CERT_DIR (a file is enough, and Go would read every file in a folder).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from gateway.model.dataclass import dataclass

NO_PROXY_HOSTS = "localhost,127.0.0.1,::1"
"""Loopback only: every other name goes through the gateway, whatever was excluded before."""

TRUSTSTORE_PASSWORD = "changeit"  # noqa: S105 - Java's convention; the store holds no secret

_PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

_BUNDLE_NAMES = (
    "SSL_CERT_FILE",  # OpenSSL, Go, Python's ssl and httpx, Ruby, uv: replaces the roots
    "REQUESTS_CA_BUNDLE",  # requests
    "CURL_CA_BUNDLE",  # curl, requests
    "AWS_CA_BUNDLE",  # boto3, aws
    "GIT_SSL_CAINFO",  # git
    "PIP_CERT",  # pip
    "CARGO_HTTP_CAINFO",  # cargo
    "NIX_SSL_CERT_FILE",  # programs from Nix
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",  # gRPC's C core
    "HTTPLIB2_CA_CERTS",  # httplib2, so google-api-python-client
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",  # gcloud
    "npm_config_cafile",  # npm: replaces the roots
    "YARN_HTTPS_CA_FILE_PATH",  # yarn 2 and later
    "BUNDLE_SSL_CA_CERT",  # Ruby's bundler
    "PERL_LWP_SSL_CA_FILE",  # Perl's LWP
)
"""Variables that take system roots and our CA in one file."""

_CA_NAMES = (
    "NODE_EXTRA_CA_CERTS",  # Node adds it to its own roots
    "DENO_CERT",  # Deno likewise
)
"""Variables that take our CA alone."""

_SWITCHES = {
    "NODE_USE_ENV_PROXY": "1",  # Node 22.21 and 24 ignore proxy variables without it
    "DENO_TLS_CA_STORE": "system",
    "UV_SYSTEM_CERTS": "1",
    "UV_NATIVE_TLS": "1",  # its name before
    "PERL_LWP_ENV_PROXY": "1",
}

_SECRET_PREFIX = "CHECKREIN_"  # noqa: S105
"""Variables of ours that a governed program must not inherit: they can hold an approver's key."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a program must know. Paths are as the program sees them, inside its container."""

    proxy_url: str
    ca_file: str
    bundle_file: str
    truststore_file: str
    hook_dir: str


def wiring_in(folder: Path | str, proxy_url: str) -> Wiring:
    """The wiring of a client folder, as `trust.write_client_dir` lays it out."""
    place = str(folder).rstrip("/")
    return Wiring(
        proxy_url,
        f"{place}/ca.pem",
        f"{place}/ca-bundle.pem",
        f"{place}/truststore.p12",
        f"{place}/python",
    )


def governing_variables(wiring: Wiring, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables to set. `inherited` is looked at where a value is added to, not replaced."""
    variables: dict[str, str] = {}
    for name in _PROXY_NAMES:
        # Lower case for curl (http), gRPC and libraries that read nothing else.
        variables[name] = variables[name.lower()] = wiring.proxy_url
    variables["grpc_proxy"] = wiring.proxy_url
    variables["NO_PROXY"] = variables["no_proxy"] = NO_PROXY_HOSTS
    variables |= dict.fromkeys(_BUNDLE_NAMES, wiring.bundle_file)
    variables |= dict.fromkeys(_CA_NAMES, wiring.ca_file)
    variables |= _SWITCHES
    variables["JAVA_TOOL_OPTIONS"] = _joined(
        inherited.get("JAVA_TOOL_OPTIONS", ""), _java_options(wiring), " "
    )
    variables["PYTHONPATH"] = _joined(
        wiring.hook_dir, _without(inherited.get("PYTHONPATH", ""), wiring.hook_dir), os.pathsep
    )
    return variables


def governed_environment(wiring: Wiring, inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a governed child: what it would have had, with ours laid over it
    and nothing in it that could open the control plane."""
    kept = {n: v for n, v in inherited.items() if not n.startswith(_SECRET_PREFIX)}
    return kept | governing_variables(wiring, kept)


def service_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of our own servers: without proxies, which they must never go through, and
    without the client's variables that would be mistaken for their settings."""
    proxies = {name for proxy in _PROXY_NAMES for name in (proxy, proxy.lower())}
    ours = {
        f"CHECKREIN_{name}"
        # Both speak over this machine's own loopback, where no certificate has a name.
        for name in (
            "API_URL", "API_KEY", "API_KEY_FILE", "API_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE",
        )
    }  # fmt: skip
    return {n: v for n, v in inherited.items() if n not in proxies | ours}


def with_run(proxy_url: str, agent: str | None, key: str | None, run_id: str | None) -> str:
    """The proxy URL with another agent's credentials, or with a run named in its user."""
    parts = urlsplit(proxy_url)
    name = agent or unquote(parts.username or "")
    secret = key or unquote(parts.password or "")
    user = quote(name, safe="") + (f"+{quote(run_id, safe='')}" if run_id else "")
    return f"{parts.scheme}://{user}:{quote(secret, safe='')}@{parts.hostname}:{parts.port}"


def _java_options(wiring: Wiring) -> str:
    # The JVM prints these at start, so the key is not among them. Java's own clients send proxy
    # credentials only when the program registers an Authenticator.
    parts = urlsplit(wiring.proxy_url)
    options = {
        "http.proxyHost": parts.hostname,
        "http.proxyPort": parts.port,
        "https.proxyHost": parts.hostname,
        "https.proxyPort": parts.port,
        "http.nonProxyHosts": "localhost|127.*|[::1]",
        # Java forbids Basic credentials to a CONNECT proxy unless this is emptied.
        "jdk.http.auth.tunneling.disabledSchemes": "",
        "javax.net.ssl.trustStore": wiring.truststore_file,
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": TRUSTSTORE_PASSWORD,
    }
    return " ".join(_java_word(f"-D{name}={value}") for name, value in options.items())


def _java_word(word: str) -> str:
    # JAVA_TOOL_OPTIONS splits at white space outside of quotes.
    return f'"{word}"' if any(character in word for character in " |") else word


def _joined(first: str, second: str, separator: str) -> str:
    return separator.join(part for part in (first, second) if part)


def _without(path: str, folder: str) -> str:
    return os.pathsep.join(part for part in path.split(os.pathsep) if part and part != folder)
