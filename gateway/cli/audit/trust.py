"""What a verification trusts: keys and checkpoints that were brought along, and the log's key that
this installation's gateway pinned when it first saw it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.failures import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from gateway.record.log.signed_note import VerifierKey
    from gateway.record.verifying.report import Report
    from gateway.record.verifying.trust import Trust

F = TypeVar("F", bound=Callable[..., Any])

LOG_KEY_VARIABLE = "CHECKREIN_LOG_KEY"

key_option = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY|FILE",
    help="The log's verifier key, or a file that holds it; repeatable. "
    f"[default: {LOG_KEY_VARIABLE}, else the one that this installation's gateway pinned]",
)


def trust_options(command: F) -> F:
    """The options that say what to trust."""
    for option in (
        click.option("--strict", is_flag=True, help="Parse each line too; several times slower."),
        click.option(
            "--checkpoint",
            "checkpoints",
            multiple=True,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A checkpoint that was kept elsewhere; repeatable.",
        ),
        click.option(
            "--gateway-key",
            "gateway_keys",
            multiple=True,
            metavar="KEY|FILE",
            help="A gateway's verifier key, or a file that holds it; repeatable.",
        ),
        key_option,
    ):
        command = option(command)
    return command


def load(
    keys: Sequence[str],
    gateway_keys: Sequence[str] = (),
    checkpoints: Sequence[Path] = (),
    *,
    is_strict: bool = False,
) -> Trust:
    """What was brought along; of the log's keys, also the one in the environment.

    Raises:
        CommandError: a key or checkpoint is none, or a file can't be read.
    """
    from gateway.record.log.signed_note import NoteError
    from gateway.record.verify import describe, load_trust

    named = os.environ.get(LOG_KEY_VARIABLE)
    given = [*keys] or ([named] if named else [])
    try:
        return load_trust(given, gateway_keys, checkpoints, is_strict=is_strict)
    except (OSError, ValueError, NoteError) as error:
        raise CommandError(
            describe(error),
            "a key is a line such as `checkrein/log/TENANT+1a2b3c4d+AQ...`; "
            "`checkrein audit anchors` shows the log's, and with `--json` its newest checkpoint",
            status=EXIT_USAGE,
        ) from None


def take_pinned(report: Report, data_dir_path: Path | None) -> None:
    """Where nobody gave a key, take the one that this installation's gateway pinned: if it is the
    log's, the log is vouched for; another key under the log's name is tampering."""
    from gateway.record.log.signed_note import VerifierKey
    from gateway.record.verifying.report import Break
    from gateway.record.verifying.trust import UNPINNED_LOG

    log = report.log
    if log is None or log.is_key_pinned:
        return
    pinned = _pinned_key(data_dir_path)
    if pinned is None or pinned.name != log.origin:
        return
    if pinned == VerifierKey.parse(log.key):
        log.is_key_pinned = True
        report.lacks = [text for text in report.lacks if text != UNPINNED_LOG]
    else:
        report.found(Break(f"the log's gateway here pinned another key of `{log.origin}`"))


def _pinned_key(data_dir_path: Path | None) -> VerifierKey | None:
    from gateway.cli.datadir import open_data_dir
    from gateway.record.log.signed_note import NoteError
    from gateway.record.verifying.proof import parse_keys

    try:
        keys = parse_keys((open_data_dir(data_dir_path).path / "log" / "key").read_text("utf-8"))
    except (OSError, ValueError, NoteError):
        return None
    return keys[0] if len(keys) == 1 else None
