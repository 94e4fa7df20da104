"""`checkrein mitmproxy`: mitmdump with the pipeline in it, for what only mitmproxy can capture."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from gateway.cli.failures import EXIT_USAGE, CommandError


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  checkrein mitmproxy                          an explicit proxy on port 8080
  checkrein mitmproxy --mode wireguard         a VPN server; all of its traffic is governed
  checkrein mitmproxy --mode local:curl        programs of this machine, by name
""",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def mitmproxy(arguments: tuple[str, ...]) -> None:
    """Run mitmdump with the same pipeline as the gateway's: HTTP/3, WireGuard, local capture.

    The arguments are mitmdump's. The rest is set by CHECKREIN_* variables as for `checkrein
    gateway` (controlplane/README.md has the table); where no proxy credentials can come,
    CHECKREIN_CONFIGURED_AGENT says who acts.
    """
    if find_spec("mitmproxy") is None:
        raise CommandError(
            "mitmproxy is not installed",
            "with Python 3.12 or newer: pip install 'checkrein[mitmproxy]'",
            status=EXIT_USAGE,
        )
    import gateway.addon

    script = Path(gateway.addon.__file__).with_name("script.py")
    sys.stdout.flush()
    start = "from mitmproxy.tools.main import mitmdump; mitmdump()"
    os.execv(sys.executable, [sys.executable, "-c", start, "-q", "-s", str(script), *arguments])
