"""`checkrein mappers check` and `test`: whether mapper files are right."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.failures import EXIT_FAILED
from gateway.cli.mappers.loading import load, mapper_problems, paths_argument, paths_or_shipped
from gateway.cli.options import json_option
from gateway.cli.output import Output, complain


@click.command(
    epilog="""\b
Examples:
  checkrein mappers check my-api.yaml
  checkrein mappers check                 the shipped ones, with their catalogs
"""
)
@paths_argument
@json_option
def check(paths: tuple[Path, ...], json_wanted: bool) -> None:
    """Find every problem in mapper files, with line, column and what to do."""
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.model.errors import ConfigurationError, Problem

    output = Output(json_wanted=json_wanted)
    problems: list[Problem] = []
    with mapper_problems():
        try:
            canonicalizer = Canonicalizer.load(paths_or_shipped(paths))
            problems = canonicalizer.check()
        except ConfigurationError as error:
            problems = list(error.problems)
    for problem in sorted(problems):
        if output.as_json:
            output.emit(
                {
                    "file": problem.file,
                    "line": problem.line,
                    "column": problem.column,
                    "message": problem.message,
                    "help": problem.help,
                }
            )
        else:
            place = f"{problem.file}:{problem.line}:{problem.column}"
            complain(f"{place}: {problem.message}", problem.help)
    if problems:
        raise click.exceptions.Exit(EXIT_FAILED)
    mappers = canonicalizer.mappers
    entries = sum(len(mapper.operations) + len(mapper.overrides) for mapper in mappers)
    if output.as_json:
        output.emit({"files": len(mappers), "entries": entries, "problems": 0})
    else:
        output.say(f"{_count(len(mappers), 'file')}, {entries} entries, no problem", "green")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@click.command(epilog="Example: checkrein mappers test my-api.yaml")
@paths_argument
@json_option
def test(paths: tuple[Path, ...], json_wanted: bool) -> None:
    """Run the inline `tests:` of mapper files."""
    from gateway.authoring.mappers import run_tests

    output = Output(json_wanted=json_wanted)
    with mapper_problems():
        results = run_tests(load(paths))
    failed = [result for result in results if result.differences]
    for result in results if output.as_json else failed:
        place = f"{result.test.file}:{result.test.line}"
        if output.as_json:
            output.emit(
                {
                    "test": place,
                    "request": result.test.request,
                    "passed": not result.differences,
                    "differences": list(result.differences),
                }
            )
        else:
            complain(f"{place}: {result.test.request}\n" + "\n".join(result.differences))
    if not output.as_json:
        passed = f"{len(results) - len(failed)} of {_count(len(results), 'test')} passed"
        output.say(passed, "red" if failed else "green")
        if not results:
            output.say("there are no tests; add `tests:` to the file", "yellow")
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED)


@click.command(epilog="Example: checkrein mappers schema > mapper.schema.json")
def schema() -> None:
    """Print the JSON Schema of mapper files, for editors.

    A file names it in its first line: `# yaml-language-server: $schema=mapper.schema.json`.
    """
    import json

    from gateway.authoring.schema import mapper_schema

    click.echo(json.dumps(mapper_schema(), indent=1, sort_keys=True))
