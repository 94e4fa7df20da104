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
  checkrein env --format nftables --gateway-uid 1337 --resolver 10.96.0.10 > rules.nft
  CHECKREIN_REVERSE=openai=https://api.openai.com checkrein env --format reverse \\
    --proxy gateway:3129
"""
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["shell", "docker", "kubernetes", "nftables", "reverse"]),
    default="shell",
    show_default=True,
    help="`shell` for eval, `docker` for --env-file, `kubernetes` for a container's `env:`; "
    "`nftables` for the rules of transparent mode; `reverse` for the base URLs of the providers in "
    "CHECKREIN_REVERSE.",
)
@click.option(
    "--mount",
    help="Where the program sees the folder `client` of the data directory. [default: in place]",
)
@click.option(
    "--proxy",
    metavar="HOST:PORT",
    help="Where the program reaches the proxy; for `reverse`, the base URLs.",
)
@click.option(
    "--gateway-uid",
    type=click.IntRange(1),
    default=1337,
    show_default=True,
    help="For `nftables`: the user whom the gateway runs as, and nobody else.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=15001,
    show_default=True,
    help="For `nftables`: the gateway's CHECKREIN_TRANSPARENT_PORT.",
)
@click.option(
    "--resolver",
    "resolvers",
    multiple=True,
    metavar="ADDRESS",
    help="For `nftables`: a DNS server that may be asked; repeatable. [default: none]",
)
@data_dir_option
@json_option
def env(
    format_name: str,
    mount: str | None,
    proxy: str | None,
    gateway_uid: int,
    port: int,
    resolvers: tuple[str, ...],
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Print the variables that make a program governed.

    The folder `client` in the data directory holds the files that they name (CA, bundle, Java
    trust store, Python import hook) and no secret; mount it into a container. The printed values
    hold the agent's key, so keep them as you keep keys.
    """
    if format_name == "nftables":
        click.echo(_rules(gateway_uid, port, resolvers), nl=False)
        return
    if format_name == "reverse":
        _print_base_urls(proxy, json_wanted=json_wanted)
        return
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


def _rules(gateway_uid: int, port: int, resolvers: tuple[str, ...]) -> str:
    from gateway.cli.nftables import nftables_rules

    try:
        return nftables_rules(gateway_uid, port, resolvers)
    except ValueError as error:
        raise CommandError(
            f"a resolver is not an address: {error}",
            "write for example `--resolver 10.96.0.10`",
            status=EXIT_USAGE,
        ) from error


def _print_base_urls(place: str | None, *, json_wanted: bool) -> None:
    """Read what the gateway is told by the same variables, and print what its clients are to be."""
    from gateway.cli.base_urls import base_url_variables

    providers = [text for text in os.environ.get("CHECKREIN_REVERSE", "").split(",") if text]
    if place is None and (port := os.environ.get("CHECKREIN_REVERSE_PORT", "0")) != "0":
        place = f"127.0.0.1:{port}"
    if not providers:
        raise CommandError(
            "no provider is known: CHECKREIN_REVERSE is not set",
            "set it as for the gateway: `CHECKREIN_REVERSE=openai=https://api.openai.com,...`",
            status=EXIT_USAGE,
        )
    if place is None:
        raise CommandError(
            "where the base URLs lead is not known",
            "set CHECKREIN_REVERSE_PORT as for the gateway, or give `--proxy HOST:PORT`",
            status=EXIT_USAGE,
        )
    url = _at("http://@", place).replace("@", "")
    try:
        variables, remarks = base_url_variables(url, providers)
    except ValueError as error:
        raise CommandError(str(error), status=EXIT_USAGE) from error
    if json_wanted:
        click.echo(json.dumps(variables))
        return
    click.echo("".join(f"# {remark}\n" for remark in remarks) + shell_lines(variables), nl=False)


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
