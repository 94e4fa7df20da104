"""`checkrein audit verify`: the verdict on exports, proofs, a spool, or the running log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.audit.export import EXPORT_PATH
from gateway.cli.audit.trust import load, take_pinned, trust_options
from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.output import Output
    from gateway.record.verifying.report import Break, Report
    from gateway.record.verifying.trust import Trust

Json = dict[str, Any]

ACTS_PATH = "/v1/log/acts"
ACTS_SECONDS = 60.0
"""For how long the control plane may compare: all that was ever done there."""


@click.command(
    epilog="""\b
Exit status:
  0  verified
  1  tampered; the first bad record is named by its index, gateway and number
  2  usage: a file can't be read, or holds no key or checkpoint
  3  incomplete: nothing contradicts, but a promise lacks its evidence

\b
Examples:
  checkrein audit verify                              the running stack's log
  checkrein audit verify log.jsonl --key log.key      an export, without any server
  checkrein audit verify log.jsonl --checkpoint kept-last-month.txt
  checkrein audit verify ~/.local/share/checkrein/spool
"""
)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@trust_options
@data_dir_option
@json_option
def verify(
    files: tuple[Path, ...],
    keys: tuple[str, ...],
    gateway_keys: tuple[str, ...],
    checkpoints: tuple[Path, ...],
    strict: bool,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Verify exports, proofs, a gateway's spool, or record lines. Names the first bad record.

    Files are verified on this machine, and no server is asked. Say with `--key` whose log it is to
    be: the key that stands in the file proves nothing, since anybody can make a file that agrees
    with itself, and with it alone the verdict is never better than incomplete.
    `python -m gateway.record.verify` does the same where only Python and `cryptography` are.

    Of the running stack, the control plane also holds its tables (who answered or granted what,
    what was used of it, which policies and bundle are in force, what was stopped or erased, who
    has which key, which agents there are, where people are reached) against the records of them.
    """
    from gateway.cli.output import Output
    from gateway.record.verify import worst

    trust = load(keys, gateway_keys, checkpoints, is_strict=strict)
    out = Output(json_wanted=json_wanted)
    reports = [(str(file), _verify_file(file, trust)) for file in files]
    if not files:
        reports.append(("", _verify_stack(trust, data_dir_path, json_wanted)))
    for name, report in reports:
        take_pinned(report, data_dir_path)
        show_report(out, report, name if len(reports) > 1 else "")
    return worst(report.status for _, report in reports)


def show_report(out: Output, report: Report, name: str = "") -> None:
    """Write a verdict."""
    from gateway.record.verifying.wording import report_lines

    if out.as_json:
        out.emit({"file": name, **report.to_json()} if name else report.to_json())
        return
    if name:
        out.say(name, "bold")
    for tone, line in report_lines(report):
        out.say(line, tone.value)


def _verify_file(file: Path, trust: Trust) -> Report:
    from gateway.record.verify import progress_of
    from gateway.record.verifying.files import NotRecordError, verify_path, verify_stream

    try:
        if str(file) == "-":
            return verify_stream(sys.stdin.buffer, trust)
        return verify_path(file, trust, progress_of(file))
    except FileNotFoundError:
        message, advice = f"there is no file `{file}`", "make one with `audit export -o FILE`"
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        message, advice = f"`{file}` can't be read: {reason}", ""
    except NotRecordError as error:
        message, advice = str(error), "name a file, or the `spool` folder of a gateway's data"
    raise CommandError(message, advice, status=EXIT_USAGE)


def _verify_stack(trust: Trust, data_dir_path: Path | None, json_wanted: bool) -> Report:
    from gateway.record.verifying.files import verify_stream

    api, _ = open_session(data_dir_path, json_wanted)
    with api.stream(EXPORT_PATH) as answer:
        report = verify_stream(answer, trust)
    found: list[Json] = api.get(ACTS_PATH, work_seconds=ACTS_SECONDS)["differences"]
    return report.found(*map(_rewritten, found))


def _rewritten(found: Json) -> Break:
    """A row of a table that is not what its record says."""
    from gateway.record.log.checkpoint import CONTROL_PLANE
    from gateway.record.verifying.report import Break

    what = f"`{found['event']}` of {found['id']}"
    if found["seq"] is None:
        return Break(f"the database says {what}, which no record says", None, CONTROL_PLANE)
    says = "says otherwise" if found["isThere"] else "has lost it"
    if found["event"].endswith("_rewritten"):
        says = "held what no record before it said"
    message = f"record {found['seq']} says {what}; the table that it was made of {says}"
    return Break(message, None, CONTROL_PLANE, found["seq"])
