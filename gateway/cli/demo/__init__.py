"""`checkrein demo`: a real SDK, unchanged, is allowed, blocked, held, approved and recorded."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  checkrein demo          answer the question yourself
  checkrein demo --yes    let it approve by itself, as it does without a terminal
"""
)
@click.option("--yes", is_flag=True, help="Approve the refund without asking.")
@click.option("--json", "json_wanted", is_flag=True, help="Only one JSON object, at the end.")
def demo(yes: bool, json_wanted: bool) -> int:
    """Watch a real SDK being governed. Needs nothing: no account, no network, no set-up.

    Starts database, control plane and gateway on free loopback ports, a stand-in for
    api.stripe.com that speaks real TLS and counts what reaches it, and a small agent that uses the
    real Stripe SDK and knows nothing of Checkrein. Everything is gone when it ends.
    Without a terminal it approves by itself.
    """
    from gateway.cli.demo.story import play
    from gateway.cli.output import Output
    from gateway.cli.terminal import has_terminal

    # In a pipe nobody can press a key; a first try there must still tell the whole story.
    is_approving = yes or json_wanted or not has_terminal()
    out = Output(json_wanted=json_wanted)
    out.as_json = json_wanted
    return play(out, is_approving=is_approving)
