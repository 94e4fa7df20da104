"""`checkrein demo`: a real SDK, unchanged, is allowed, blocked, held, approved and recorded."""

from __future__ import annotations

import click

from gateway.cli.failures import EXIT_USAGE, CommandError


@click.command(
    epilog="""\b
Examples:
  checkrein demo          answer the question yourself
  checkrein demo --yes    let it approve by itself, as a script would
"""
)
@click.option("--yes", is_flag=True, help="Approve the refund without asking.")
@click.option("--json", "json_wanted", is_flag=True, help="Only one JSON object, at the end.")
def demo(yes: bool, json_wanted: bool) -> int:
    """Watch a real SDK being governed. Needs nothing: no account, no network, no set-up.

    Starts database, control plane and gateway on free loopback ports, a stand-in for
    api.stripe.com that speaks real TLS and counts what reaches it, and a small agent that uses the
    real Stripe SDK and knows nothing of Checkrein. Everything is gone when it ends.
    """
    from gateway.cli.demo.story import play
    from gateway.cli.output import Output
    from gateway.cli.terminal import has_terminal

    if not yes and (json_wanted or not has_terminal()):
        raise CommandError(
            "the demo asks a question, and there is no terminal to answer it on",
            "use `checkrein demo --yes`: it then approves by itself",
            status=EXIT_USAGE,
        )
    out = Output(json_wanted=json_wanted)
    out.as_json = json_wanted
    return play(out, is_approving=yes)
