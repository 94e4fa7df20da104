"""`checkrein env`: the variables that govern a program, for a shell, Docker or Kubernetes.

What it prints holds an agent's key: it is meant for `eval`, an env file or a Secret.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option


@click.command(
    epilog="""\b
Examples:
  eval "$(checkrein env)"
  checkrein env --format docker --mount /checkrein --proxy gateway:3128 > agent.env
  docker run --env-file agent.env -v DATA_DIR/client:/checkrein:ro my-agent
"""
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["shell", "docker", "kubernetes"]),
    default="shell",
    show_default=True,
    help="`shell` for eval, `docker` for --env-file, `kubernetes` for a container's `env:`.",
)
@click.option(
    "--mount",
    help="Where the program sees the folder `client` of the data directory. [default: in place]",
)
@click.option("--proxy", metavar="HOST:PORT", help="Where the program reaches the proxy.")
@data_dir_option
@json_option
def env(
    format_name: str,
    mount: str | None,
    proxy: str | None,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Print the variables that make a program governed.

    The folder `client` in the data directory holds the files that they name (CA, bundle, Java
    trust store, Python import hook) and no secret; mount it into a container. The printed values
    hold the agent's key, so keep them as you keep keys.
    """
    from gateway.cli.datadir import load_running, open_data_dir
    from gateway.cli.environment import governing_variables, wiring_in
    from gateway.cli.trust import write_client_dir

    data_dir = open_data_dir(data_dir_path)
    running = load_running(data_dir)
    if running is None:
        raise CommandError(
            f"no `checkrein up` runs on `{data_dir.path}`",
            "start it, or name its directory with `--data-dir`",
        )
    url = running.proxy_url if proxy is None else _at(running.proxy_url, proxy)
    wiring = write_client_dir(data_dir, url, running.ca_file, running.ca_bundle_file)
    if mount is not None:
        wiring = wiring_in(mount, url)
    is_here = format_name == "shell" and mount is None
    variables = governing_variables(wiring, os.environ if is_here else {})
    if json_wanted:
        click.echo(json.dumps(variables))
        return
    click.echo(_FORMATS[format_name](variables), nl=False)


def _at(proxy_url: str, place: str) -> str:
    """The proxy URL with the same credentials, at another host and port."""
    parts = urlsplit(f"//{place}")
    try:
        is_place = bool(parts.hostname) and parts.port is not None and parts.netloc == place
    except ValueError:
        is_place = False
    if not is_place:
        raise CommandError(
            f"`{place}` is not HOST:PORT", "write for example `gateway:3128`", status=EXIT_USAGE
        )
    return f"{proxy_url.rpartition('@')[0]}@{place}"


def shell_lines(variables: Mapping[str, str]) -> str:
    """`export` lines for any POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def docker_lines(variables: Mapping[str, str]) -> str:
    """Lines of an env file, where everything after `=` is taken as it stands.

    Raises:
        CommandError: a value has a line break, which the format can't hold.
    """
    for name, value in variables.items():
        if "\n" in value or "\r" in value:
            raise CommandError(
                f"the value of {name} has a line break, which an env file can't hold"
            )
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def kubernetes_lines(variables: Mapping[str, str]) -> str:
    """The `env:` list of a container; JSON strings are YAML strings."""
    lines = ["env:"]
    for name, value in variables.items():
        # Kubernetes expands $(NAME) in values; doubled, it stays text.
        lines += [f"  - name: {name}", f"    value: {json.dumps(value.replace('$(', '$$('))}"]
    return "\n".join(lines) + "\n"


_FORMATS = {"shell": shell_lines, "docker": docker_lines, "kubernetes": kubernetes_lines}
