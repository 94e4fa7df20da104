"""The variables that govern a program, and what must never be among them."""

from __future__ import annotations

import os

import pytest

from gateway.cli.environment import (
    governed_environment,
    governing_variables,
    service_environment,
    wiring_in,
    with_run,
)

PROXY = "http://agent:cr_agent_key@127.0.0.1:3128"
WIRING = wiring_in("/data/client", PROXY)

EXPECTED = {
    "HTTPS_PROXY": PROXY,
    "https_proxy": PROXY,
    "HTTP_PROXY": PROXY,
    "http_proxy": PROXY,
    "ALL_PROXY": PROXY,
    "all_proxy": PROXY,
    "grpc_proxy": PROXY,
    "NO_PROXY": "localhost,127.0.0.1,::1",
    "no_proxy": "localhost,127.0.0.1,::1",
    "SSL_CERT_FILE": "/data/client/ca-bundle.pem",
    "REQUESTS_CA_BUNDLE": "/data/client/ca-bundle.pem",
    "CURL_CA_BUNDLE": "/data/client/ca-bundle.pem",
    "AWS_CA_BUNDLE": "/data/client/ca-bundle.pem",
    "GIT_SSL_CAINFO": "/data/client/ca-bundle.pem",
    "PIP_CERT": "/data/client/ca-bundle.pem",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/data/client/ca-bundle.pem",
    "HTTPLIB2_CA_CERTS": "/data/client/ca-bundle.pem",
    "npm_config_cafile": "/data/client/ca-bundle.pem",
    "NODE_EXTRA_CA_CERTS": "/data/client/ca.pem",
    "DENO_CERT": "/data/client/ca.pem",
    "NODE_USE_ENV_PROXY": "1",
    "PYTHONPATH": "/data/client/python",
}


@pytest.mark.parametrize(("name", "value"), EXPECTED.items(), ids=EXPECTED.keys())
def test_each_runtime_gets_its_variable(name: str, value: str) -> None:
    """Every runtime of the list finds the proxy, or a file that makes it trust the CA."""
    assert governing_variables(WIRING, {})[name] == value


def test_what_was_excluded_before_is_governed_now() -> None:
    """An inherited NO_PROXY or proxy is replaced: `*` would open everything."""
    inherited = {"NO_PROXY": "*", "no_proxy": "api.stripe.com", "https_proxy": "http://other:1"}

    environment = governed_environment(WIRING, inherited)

    assert environment["NO_PROXY"] == environment["no_proxy"] == "localhost,127.0.0.1,::1"
    assert environment["https_proxy"] == PROXY


def test_keys_of_the_control_plane_are_not_inherited() -> None:
    """An agent started from an approver's shell does not get the approver's key."""
    inherited = {
        "CHECKREIN_API_KEY": "cr_admin_x",
        "CHECKREIN_BOOTSTRAP_ADMIN_KEY": "cr_admin_y",
        "CHECKREIN_DATABASE_URL": "postgresql://u:p@h/d",
        "PATH": "/bin",
    }

    environment = governed_environment(WIRING, inherited)

    assert not [name for name in environment if name.startswith("CHECKREIN_")]
    assert environment["PATH"] == "/bin"


def test_existing_values_are_kept_where_ours_are_added() -> None:
    """PYTHONPATH keeps its folders behind the hook, once; JAVA_TOOL_OPTIONS keeps its options."""
    inherited = {
        "PYTHONPATH": os.pathsep.join(["/data/client/python", "/app"]),
        "JAVA_TOOL_OPTIONS": "-Xmx1g",
    }

    variables = governing_variables(WIRING, inherited)

    assert variables["PYTHONPATH"] == os.pathsep.join(["/data/client/python", "/app"])
    assert variables["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g -Dhttp.proxyHost=127.0.0.1 ")


def test_the_key_is_not_in_javas_options() -> None:
    """The JVM prints JAVA_TOOL_OPTIONS at every start, so the key is not in it."""
    options = governing_variables(WIRING, {})["JAVA_TOOL_OPTIONS"]

    assert "cr_agent_key" not in options
    assert "-Dhttps.proxyPort=3128" in options
    assert "-Djavax.net.ssl.trustStore=/data/client/truststore.p12" in options


def test_a_path_with_a_space_is_one_java_option() -> None:
    """The data directory of macOS has a space in it."""
    wiring = wiring_in("/Application Support/client", PROXY)

    options = governing_variables(wiring, {})["JAVA_TOOL_OPTIONS"]

    option = '"-Djavax.net.ssl.trustStore=/Application Support/client/truststore.p12"'
    assert option in options


def test_our_own_servers_use_no_proxy() -> None:
    """Gateway and control plane never go through a proxy, and never with an operator's key."""
    inherited = {
        "HTTPS_PROXY": "http://x",
        "http_proxy": "http://x",
        "CHECKREIN_API_KEY": "cr_admin_x",
        "CHECKREIN_LOG_LEVEL": "DEBUG",
    }

    assert service_environment(inherited) == {"CHECKREIN_LOG_LEVEL": "DEBUG"}


RUNS = {
    "a run joins the agent by a plus": (
        (None, None, "r-1"),
        "http://agent+r-1:cr_agent_key@127.0.0.1:3128",
    ),
    "another agent has another key": (
        ("bot", "k", None),
        "http://bot:k@127.0.0.1:3128",
    ),
    "what is no URL text is escaped": (
        ("bot", "k/@:", "a b"),
        "http://bot+a%20b:k%2F%40%3A@127.0.0.1:3128",
    ),
}


@pytest.mark.parametrize(("given", "expected"), RUNS.values(), ids=RUNS.keys())
def test_runs_travel_in_the_user_name(
    given: tuple[str | None, str | None, str | None], expected: str
) -> None:
    """Agent, key and run stand in the proxy URL, escaped."""
    assert with_run(PROXY, *given) == expected
