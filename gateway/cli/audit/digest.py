"""`checkrein audit digest`: what was sent -> the digest that the record must have of it."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import IO

import click

from gateway.cli.failures import CommandError
from gateway.cli.options import data_dir_option, json_option

READ_BYTES = 1_048_576


@click.command(
    epilog="""\b
Examples:
  checkrein audit digest body.json                    compare it with body_digest of a record
  printf %s 'q=blue&page=2' | checkrein audit digest  a query, without its `?`: query_digest
  checkrein audit digest body.json --redaction-key-file /etc/checkrein/redaction_key
"""
)
@click.argument("content", type=click.File("rb"), default="-", metavar="[FILE]")
@click.option(
    "--redaction-key-file",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's key. [default: CHECKREIN_REDACTION_KEY_FILE, else redaction_key in the "
    "data directory]",
    envvar="CHECKREIN_REDACTION_KEY_FILE",
)
@data_dir_option
@json_option
def digest(
    content: IO[bytes], key_file: Path | None, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Print the digest that a gateway records of a body or of a query.

    It is an HMAC-SHA-256 under a key that only the gateway has, so that nobody who reads the record
    can try what was in a body. Run it where the gateway's data directory is. FILE holds exactly
    the bytes that were sent; without FILE, or for -, standard input is read.
    """
    from gateway.cli.datadir import open_data_dir
    from gateway.cli.output import Output
    from gateway.model.errors import ConfigurationError
    from gateway.record.marks import content_key
    from gateway.record.redaction_key import KEY_FILE, load_redaction_key

    data_dir = open_data_dir(data_dir_path).path
    try:
        # Named even where it is the usual one: a key that is not there must not be made here.
        key = load_redaction_key(data_dir, str(key_file or data_dir / KEY_FILE))
    except ConfigurationError as error:
        raise CommandError(
            f"{error.problems[0].file}: {error.problems[0].message}",
            "run it where the gateway's data directory is, or name its key with "
            "--redaction-key-file",
        ) from error
    found = hmac.new(content_key(key), digestmod="sha256")
    while piece := content.read(READ_BYTES):
        found.update(piece)
    out = Output(json_wanted=json_wanted)
    if out.as_json:
        out.emit({"digest": found.hexdigest()})
    else:
        out.say(found.hexdigest())
