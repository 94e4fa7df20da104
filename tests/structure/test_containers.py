"""Holds the Dockerfile and the Compose file against what the package installs, opens and reads.

No container engine is needed, and none was: what only an engine can show is not claimed here.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

import click
import pytest

from gateway.admin import AdminSettings
from tests.structure.container_files import Stage, load_compose, parse_dockerfile
from tests.structure.tree import ROOT

COMPOSE_DIR = ROOT / "deploy" / "compose"
VARIABLES = {
    "ADMIN_KEY": "cr_admin_" + "a" * 43,
    "GATEWAY_KEY": "cr_gateway_" + "g" * 43,
    "AGENT_KEY": "cr_agent_" + "b" * 43,
    "POSTGRES_PASSWORD": "a-password",
}
OURS = ("gateway", "controlplane", "trust")


def dockerfile() -> list[Stage]:
    """The stages of the image."""
    return parse_dockerfile((ROOT / "Dockerfile").read_text())


def final() -> Stage:
    """The stage that runs."""
    return dockerfile()[-1]


def compose() -> dict[str, Any]:
    """The Compose file with example keys."""
    return load_compose((COMPOSE_DIR / "compose.yaml").read_text(), VARIABLES)


def service(name: str) -> dict[str, Any]:
    """One service of it."""
    found: dict[str, Any] = compose()["services"][name]
    return found


def environment_in_container(name: str) -> dict[str, str]:
    """What a process of this service reads: the image's variables, then the service's own."""
    return {**final().environment, **service(name)["environment"]}


def subcommands() -> set[str]:
    """What the installed `checkrein` understands."""
    from gateway.cli.main import cli

    return set(cli.list_commands(click.Context(cli)))


class ReadNames(dict[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self) -> None:
        super().__init__(CHECKREIN_DATA_DIR="/var/lib/checkrein")
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def control_plane_names() -> set[str]:
    """Every name that the control plane's own loader asks for."""
    from controlplane.settings import load_settings

    environment = ReadNames()
    load_settings(environment)
    return environment.names


# --- the image ------------------------------------------------------------------------------------


def test_entry_point_is_installed() -> None:
    """The image's ENTRYPOINT is a script that the package declares; its CMD is a subcommand."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert set(final().words("ENTRYPOINT")) <= set(scripts)
    assert set(final().words("CMD")) <= subcommands()


def test_image_has_a_build_and_a_run_stage() -> None:
    """The tools of the build stay behind: the last stage only copies the environment."""
    build, run = dockerfile()

    assert run.all("COPY") == [f"--from={build.name} /opt/checkrein /opt/checkrein"]
    assert "pip install" not in " ".join(run.all("RUN"))


def test_build_copies_what_the_wheel_is_made_of() -> None:
    """Every path that the build back end reads is copied before the installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "pyproject.toml", project["project"]["readme"], *project["project"]["license-files"],
        *wheel["packages"], *wheel["force-include"],
    }  # fmt: skip
    build = dockerfile()[0]
    words = [word for word, _ in build.instructions]
    copied = {name for rest in build.all("COPY") for name in rest.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert needed <= copied
    assert words.index("RUN") > max(i for i, word in enumerate(words) if word == "COPY")
    assert {f"!{name}" for name in needed} <= set(ignored)
    assert all((ROOT / name).exists() for name in needed)


def test_image_runs_as_a_numbered_user_without_rights() -> None:
    """USER is numeric and not root, so that `runAsNonRoot` can check it."""
    user, group = final().last("USER").split(":")

    assert int(user) >= 10_000
    assert int(group) >= 10_000
    assert f"useradd --uid {user} --gid {group}" in " ".join(final().all("RUN"))


def test_state_lies_in_the_volume_alone() -> None:
    """The data directory is the one volume, made for the user; the root can be read-only."""
    data_dir = final().environment["CHECKREIN_DATA_DIR"]
    user = final().last("USER").split(":")[0]

    assert final().all("VOLUME") == [data_dir]
    assert re.search(rf"install --directory --owner={user} .*{data_dir}\b", final().all("RUN")[0])


def test_exposed_ports_are_the_defaults() -> None:
    """EXPOSE names the ports that the settings have by default."""
    from controlplane.settings import load_settings as load_control_settings
    from gateway.intercept.settings import InterceptSettings

    control = load_control_settings({"CHECKREIN_DATA_DIR": "/var/lib/checkrein"})
    expected = {
        InterceptSettings().proxy_port,
        AdminSettings().metrics_port,
        control.api_port,
    }

    assert {int(port) for port in final().last("EXPOSE").split()} == expected


def test_health_check_asks_the_default_command() -> None:
    """The image's health check asks the port of what CMD starts, by an interpreter it has."""
    url = final().environment["HEALTH_URL"]

    assert url == f"http://127.0.0.1:{AdminSettings().metrics_port}/healthz"
    assert '"python", "-c"' in final().last("HEALTHCHECK")


# --- the settings that both files set -------------------------------------------------------------


def test_gateway_accepts_its_environment() -> None:
    """The gateway's own loader takes the container's variables, and understands them as meant."""
    from gateway.settings import load_settings

    settings = load_settings(environment_in_container("gateway"))

    assert settings.files.data_dir == final().environment["CHECKREIN_DATA_DIR"]
    assert settings.intercept.proxy_host == "0.0.0.0"
    assert settings.admin.metrics_host == "127.0.0.1"


def test_control_plane_accepts_its_environment() -> None:
    """The control plane's own loader takes the container's variables."""
    from controlplane.settings import load_settings

    settings = load_settings(environment_in_container("controlplane"))

    assert settings.api_host == "0.0.0.0"
    assert "postgres:5432" in str(settings.database_url)


def test_every_name_is_one_that_a_process_reads() -> None:
    """No variable of ours is set that neither process knows: a misspelt one would be ignored."""
    from gateway.settings import setting_names

    known = {f"CHECKREIN_{name.upper()}" for name in setting_names()} | control_plane_names()
    used = {
        name
        for container in OURS
        for name in {**final().environment, **service(container).get("environment", {})}
        if name.startswith("CHECKREIN_")
    }

    assert used <= known
    assert "CHECKREIN_API_KEY" in used


def test_the_control_plane_keeps_its_signing_key_in_its_own_volume() -> None:
    """A place to make the key in, which outlives the container and which nobody else sees."""
    from controlplane.services.signing_keys import BUNDLES
    from controlplane.settings import load_settings

    settings = load_settings(environment_in_container("controlplane"))
    assert settings.data_dir is not None
    key_file = settings.bundles.key_file or settings.data_dir / BUNDLES.file
    ((volume, folder),) = (entry.split(":") for entry in service("controlplane")["volumes"])
    beside = [
        name
        for name, other in compose()["services"].items()
        if volume in str(other.get("volumes", ())) and name != "controlplane"
    ]

    assert str(key_file.parent) == folder
    assert beside == []


def test_rules_come_from_files_or_from_the_control_plane() -> None:
    """One variable in `.env` switches; what it is left out for is the shipped policy."""
    from gateway.rulesets.settings import PolicySource
    from gateway.settings import load_settings

    text = (COMPOSE_DIR / "compose.yaml").read_text()
    found = []
    for given in ({}, {"POLICY_SOURCE": ""}, {"POLICY_SOURCE": "control"}):
        container = load_compose(text, VARIABLES | given)["services"]["gateway"]
        environment = {**final().environment, **container["environment"]}
        found.append(load_settings(environment).ruleset.policy_source)

    assert found == [PolicySource.FILES, PolicySource.FILES, PolicySource.CONTROL]


# --- the composition ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights(name: str) -> None:
    """Read-only root, no capability, no escalation, a numbered user."""
    container = service(name)
    actual = (container["read_only"], container["cap_drop"], container["security_opt"])

    assert actual == (True, ["ALL"], ["no-new-privileges:true"])
    assert container["user"] == final().last("USER")


@pytest.mark.parametrize("name", ["gateway", "controlplane"])
def test_commands_are_subcommands(name: str) -> None:
    """What a service runs is a command of the installed script."""
    assert set(service(name)["command"]) <= subcommands()


@pytest.mark.parametrize("name", ["gateway", "controlplane"])
def test_data_directory_is_a_named_volume(name: str) -> None:
    """State survives the container: the data directory is a declared volume."""
    data_dir = environment_in_container(name)["CHECKREIN_DATA_DIR"]
    mounts = dict(reversed(entry.split(":")[:2]) for entry in service(name)["volumes"])

    assert mounts[data_dir] in compose()["volumes"]


def test_the_agent_reaches_nothing_but_its_gateway() -> None:
    """The agent's only network is internal, and of all services only the gateway is in it too."""
    document = compose()
    networks = service("agent")["networks"]
    beside = {
        name
        for name, other in document["services"].items()
        if name != "agent" and set(other.get("networks", ["default"])) & set(networks)
    }

    assert [document["networks"][name]["internal"] for name in networks] == [True]
    assert beside == {"gateway"}


def test_the_agent_holds_only_its_own_key() -> None:
    """No other key, no volume with a private key, stands in the agent's container."""
    agent = service("agent")
    text = str(agent)
    volumes = {entry.split(":")[0] for entry in agent["volumes"]}

    assert VARIABLES["AGENT_KEY"] in agent["environment"]["HTTPS_PROXY"]
    assert not any(VARIABLES[name] in text for name in VARIABLES if name != "AGENT_KEY")
    assert "gateway-data" not in volumes
    assert all(entry.endswith(":ro") for entry in agent["volumes"])


def test_the_agent_trusts_the_bundle_that_is_copied() -> None:
    """Every CA variable names the file that `trust` writes into the shared volume."""
    copied = service("trust")["entrypoint"][-1]
    named = {value for key, value in service("agent")["environment"].items() if "CA" in key}

    assert service("agent")["environment"]["SSL_CERT_FILE"] == copied
    assert named == {copied}
    assert service("trust")["entrypoint"][1].endswith("/ca/ca-bundle.pem")


def test_images_are_pinned_to_a_release() -> None:
    """No image floats: each names at least its major version."""
    images = [stage.image for stage in dockerfile()]
    images += [container["image"] for container in compose()["services"].values()]

    assert [
        image for image in images if not re.search(r":[0-9]+(\.[0-9]+)?(-[a-z-]+)?$", image)
    ] == []


def test_no_secret_is_written_down() -> None:
    """The example names every variable that is needed, and gives none a value."""
    example = (COMPOSE_DIR / ".env.example").read_text()
    pairs = dict(
        line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#")
    )

    assert pairs == dict.fromkeys(VARIABLES, "")
    assert not re.search(r"cr_([a-z0-9]+_)+[\w-]{43}", (COMPOSE_DIR / "compose.yaml").read_text())
