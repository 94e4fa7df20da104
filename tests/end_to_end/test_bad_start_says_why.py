"""Promise: what can't work is said at the start, in one sentence that names it, and nothing runs.

Exit status 2 means that a file or a variable must be changed, 1 that something else is wrong.
"""

from __future__ import annotations

import atexit
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import NotReady
from tests.support.raw_client import RawClient
from tests.support.stack import ControlPlane, Gateway, Stack, make_folder

START_SECONDS_MAX = 20.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one gateway."""
    made = make_folder("start")
    yield made
    shutil.rmtree(made)


def broken_yaml(folder: Path) -> dict[str, str]:
    """A policy file that is no YAML."""
    policy = folder / "broken.yaml"
    policy.write_text("apiVersion: checkrein/v1\nkind: Policy\nspec: {rules: [\n")
    return {"CHECKREIN_POLICIES": str(policy)}


def misspelt_policy(folder: Path) -> dict[str, str]:
    """A policy with a key that does not exist."""
    policy = folder / "misspelt.yaml"
    policy.write_text(
        "apiVersion: checkrein/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rulez: []\n"
    )
    return {"CHECKREIN_POLICIES": str(policy)}


def bad_condition(folder: Path) -> dict[str, str]:
    """A policy whose condition does not parse."""
    policy = folder / "condition.yaml"
    policy.write_text(
        "apiVersion: checkrein/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n"
        "    - {id: r, priority: 1, match: {kind: read}, when: 'params.amount >', effect: ALLOW,"
        " reason: R}\n"
    )
    return {"CHECKREIN_POLICIES": str(policy)}


def misspelt_mapper(folder: Path) -> dict[str, str]:
    """A mapper with a key that does not exist."""
    mapper = folder / "mapper.yaml"
    mapper.write_text(
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: m}\nspec:\n  provider: m\n"
        "  hosts: [m.test]\n  operationz: {}\n"
    )
    return {"CHECKREIN_MAPPERS": str(mapper)}


def missing_policies(folder: Path) -> dict[str, str]:
    """A folder that is not there."""
    return {"CHECKREIN_POLICIES": str(folder / "nowhere")}


def missing_upstream_ca(folder: Path) -> dict[str, str]:
    """A CA file that is not there."""
    return {"CHECKREIN_UPSTREAM_CA": str(folder / "nowhere.pem")}


def corrupt_upstream_ca(folder: Path) -> dict[str, str]:
    """A CA file that holds no certificate."""
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    return {"CHECKREIN_UPSTREAM_CA": str(folder / "ca.pem")}


def taken_proxy_port(folder: Path) -> dict[str, str]:
    """A port that somebody listens on."""
    return {"CHECKREIN_PROXY_PORT": str(_TAKEN.getsockname()[1])}


def taken_metrics_port(folder: Path) -> dict[str, str]:
    """The same for metrics."""
    return {"CHECKREIN_METRICS_PORT": str(_TAKEN.getsockname()[1])}


def misspelt_setting(folder: Path) -> dict[str, str]:
    """A variable that nobody reads."""
    return {"CHECKREIN_BODY_BYTE_MAX": "1"}


def words_for_numbers(folder: Path) -> dict[str, str]:
    """A limit that is no number."""
    return {"CHECKREIN_BODY_BYTES_MAX": "plenty"}


def unknown_mode(folder: Path) -> dict[str, str]:
    """A mode that does not exist."""
    return {"CHECKREIN_MODE": "observe"}


def bad_connect_to(folder: Path) -> dict[str, str]:
    """Half of curl's notation."""
    return {"CHECKREIN_CONNECT_TO": "api.stripe.com:443"}


_TAKEN = socket.create_server(("127.0.0.1", 0))
atexit.register(_TAKEN.close)

Trouble = Callable[[Path], dict[str, str]]

TROUBLES: dict[str, tuple[Trouble, str]] = {
    "a policy that is no YAML": (broken_yaml, "broken.yaml:"),
    "a policy with an unknown key": (misspelt_policy, "rulez"),
    "a condition that does not parse": (bad_condition, "condition.yaml:"),
    "a mapper with an unknown key": (misspelt_mapper, "operationz"),
    "policies that are not there": (missing_policies, "nowhere"),
    "an upstream CA that is not there": (missing_upstream_ca, "UPSTREAM_CA"),
    "an upstream CA without certificate": (corrupt_upstream_ca, "UPSTREAM_CA"),
    "a proxy port that is taken": (taken_proxy_port, "port"),
    "a metrics port that is taken": (taken_metrics_port, "port"),
    "a setting that does not exist": (misspelt_setting, "body_byte_max"),
    "a limit that is no number": (words_for_numbers, "plenty"),
    "a mode that does not exist": (unknown_mode, "observe"),
    "half of a connect-to": (bad_connect_to, "api.stripe.com:443"),
}


@pytest.mark.parametrize(("trouble", "named"), TROUBLES.values(), ids=TROUBLES.keys())
def test_bad_configuration_is_refused(
    stack: Stack, folder: Path, trouble: Trouble, named: str
) -> None:
    """Exit 2, an `error:` that names the file or the variable, and no traceback."""
    gateway = Gateway(folder, "bad", stack.control, stack.upstreams, trouble(folder))
    with pytest.raises(NotReady) as caught:
        gateway.process.start(START_SECONDS_MAX)

    assert caught.value.status == 2, caught.value
    assert "error: " in caught.value.said
    assert named in caught.value.said
    assert "Traceback" not in caught.value.said


CA_TROUBLES = {
    "a CA without its key": ("ca.key", None),
    "a CA key that is garbage": ("ca.key", "garbage"),
    "a CA certificate that is garbage": ("ca.pem", "garbage"),
}


@pytest.mark.parametrize(("name", "content"), CA_TROUBLES.values(), ids=CA_TROUBLES.keys())
def test_damaged_ca_is_refused(stack: Stack, folder: Path, name: str, content: str | None) -> None:
    """A CA that can't sign is never replaced in silence: agents trust the old one."""
    gateway = Gateway(folder, "damaged", stack.control, stack.upstreams)
    gateway.start()
    gateway.process.stop()
    damaged = gateway.data_dir / "ca" / name
    assert damaged.exists()
    before = (gateway.data_dir / "ca" / "ca.pem").read_bytes()
    if content is None:
        damaged.unlink()
    else:
        damaged.write_text(content)

    with pytest.raises(NotReady) as caught:
        gateway.process.start(START_SECONDS_MAX)
    assert caught.value.status in (1, 2)
    assert "error: " in caught.value.said
    assert "Traceback" not in caught.value.said
    if name != "ca.pem":
        assert (gateway.data_dir / "ca" / "ca.pem").read_bytes() == before


def test_wrong_gateway_key_governs_nobody(stack: Stack, folder: Path) -> None:
    """A key that the control plane refuses: the gateway ends with a reason, or knows no agent."""
    settings = {"CHECKREIN_API_KEY": "cr_gateway_" + "x" * 43}
    gateway = Gateway(folder, "stranger", stack.control, stack.upstreams, settings)
    try:
        gateway.process.start(START_SECONDS_MAX)
    except NotReady as error:
        said = error.said
    else:
        raw = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
        assert raw.connect(b"warehouse.example.test:443").status in {407, 502, 503}
        gateway.process.close()
        return
    assert "error: " in said
    assert "Traceback" not in said


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


CONTROL_TROUBLES: dict[str, tuple[Callable[[], dict[str, str]], str]] = {
    "a database that is down": (
        lambda: {"CHECKREIN_DATABASE_URL": f"postgresql://u:hunter2@127.0.0.1:{closed_port()}/d"},
        "database",
    ),
    "a database of another kind": (
        lambda: {"CHECKREIN_DATABASE_URL": "mysql://u:hunter2@127.0.0.1/d"},
        "DATABASE_URL",
    ),
    "an API port that is taken": (
        lambda: {"CHECKREIN_API_PORT": str(_TAKEN.getsockname()[1])},
        "port",
    ),
    "a key that is too short": (
        lambda: {"CHECKREIN_BOOTSTRAP_ADMIN_KEY": "hunter2"},
        "BOOTSTRAP_ADMIN_KEY",
    ),
}


@pytest.mark.parametrize(
    ("settings", "named"), CONTROL_TROUBLES.values(), ids=CONTROL_TROUBLES.keys()
)
def test_control_plane_that_cannot_start_says_why(
    folder: Path, settings: Callable[[], dict[str, str]], named: str
) -> None:
    """An `error:` that names the trouble, without the secret in it; no process stays behind."""
    control = ControlPlane(folder, settings())
    with pytest.raises(NotReady) as caught:
        control.process.start()

    assert caught.value.status in (1, 2)
    assert "error: " in caught.value.said
    assert named in caught.value.said
    assert "hunter2" not in caught.value.said
    assert "Traceback" not in caught.value.said


def test_gateway_without_control_plane_governs_nobody(stack: Stack, folder: Path) -> None:
    """It never met its control plane, so it knows no agent: nothing passes, whoever asks."""
    settings = {"CHECKREIN_API_URL": f"http://127.0.0.1:{closed_port()}"}
    gateway = Gateway(folder, "alone", stack.control, stack.upstreams, settings)
    mark = stack.oracle.mark()
    try:
        gateway.process.start(START_SECONDS_MAX)
        raw = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
        assert raw.connect(b"warehouse.example.test:443").status in {407, 502, 503}
    except NotReady as error:
        assert "error: " in error.said  # noqa: PT017
    finally:
        gateway.process.close()
    assert stack.oracle.since(mark) == []
