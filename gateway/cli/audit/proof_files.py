"""Proofs as files: what they are made of, and that none is handed out that does not verify."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from gateway.cli.audit.trust import take_pinned
from gateway.cli.audit.verify import show_report
from gateway.cli.failures import CommandError

if TYPE_CHECKING:
    from gateway.record.verifying.trust import Trust

Json = dict[str, Any]

from_option = click.option(
    "--from",
    "export_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make it out of this export, without any server.",
)
output_option = click.option(
    "-o",
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the proof here. [default: standard output]",
)


def hand_out(
    data: str,
    output_file: Path | None,
    trust: Trust,
    data_dir_path: Path | None,
    json_wanted: bool,
    said: tuple[str, ...] = (),
) -> int:
    """Verify a proof, and write it where it is wanted. What does not verify is not written.

    `said`: what a person reads in its place on a terminal, beside the verdict.
    """
    from gateway.cli.output import Output
    from gateway.record.verifying.files import verify_stream
    from gateway.record.verifying.trust import UNPINNED_LOG

    stream: IO[bytes] = io.BytesIO(data.encode("utf-8", "replace"))
    report = verify_stream(stream, trust)
    take_pinned(report, data_dir_path)
    report.waive(UNPINNED_LOG)  # who is given the file brings the key
    out = Output(json_wanted=json_wanted)
    if report.breaks:
        show_report(out, report)
    elif output_file is None and said and not out.as_json:
        show_report(out, report)
        for line in said:
            out.say(line)
    elif output_file is None:
        out.stream.write(data)
        out.stream.flush()
    else:
        try:
            output_file.write_text(data, "utf-8")
        except OSError as error:
            raise CommandError(f"`{output_file}` can't be written: {error.strerror}") from error
        show_report(out, report, str(output_file))
    return report.status


def unusable(file: Path, error: Exception) -> CommandError:
    from gateway.record.verify import describe

    return CommandError(
        f"`{file}`: {describe(error)}",
        f"`checkrein audit verify {file}` says what is wrong with it",
    )


def proof_line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
