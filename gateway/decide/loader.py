"""Loads policy files: folders and files in, one `Bundle` out, or all that is wrong with them.

The reading of files happens here and nowhere else in `decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from gateway.decide.bundle import Bundle
from gateway.decide.documents.document import (
    FILE_CHARS_MAX,
    DocumentError,
    Item,
    parse_documents,
)
from gateway.decide.documents.reader import Reader
from gateway.decide.documents.schema import Schema
from gateway.decide.documents.seed_rules import is_seed_document, policy_document
from gateway.decide.rules.policy import Condition, Policy
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.vocabulary import Vocabulary

CODE: Final = "policy.invalid"

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_CASES_SUFFIX: Final = ".cases"
"""`starter.cases.yaml` holds the cases of `starter.yaml`, and is no policy."""


def load_bundle(paths: Sequence[Path], vocabulary: Vocabulary | None = None) -> Bundle:
    """Load policy files, or folders of them (not the folders inside), into a bundle.

    `vocabulary` is what the loaded mappers can produce; without it names are not checked.

    Raises:
        ConfigurationError: `policy.invalid`, with every problem of every file.
    """
    problems: list[Problem] = []
    sources = [
        (str(path), text)
        for path in policy_files(paths, problems)
        if (text := load_text(path, problems)) is not None
    ]
    policies = parse_policies(sources, vocabulary, problems)
    if not policies and not problems:
        places = ", ".join(f"`{path}`" for path in paths)
        problems.append(
            Problem(places, 0, 0, "there is no policy here", "name a file, or a folder of `*.yaml`")
        )
    if problems:
        raise ConfigurationError(CODE, problems)
    return Bundle.of(policies)


def parse_policies(
    sources: Iterable[tuple[str, str]], vocabulary: Vocabulary | None, problems: list[Problem]
) -> list[Policy]:
    """Read policies from (file name, text) pairs; what is wrong is added to `problems`."""
    conditions: dict[str, Condition] = {}
    policies: list[Policy] = []
    for file, text in sources:
        reader = Reader(file, text, problems)
        schema = Schema(reader, vocabulary or Vocabulary(), conditions)
        try:
            found = [_policy(schema, document) for document in parse_documents(text, file)]
        except DocumentError as error:
            problems.append(error.problem)
            continue
        if not found:
            problems.append(Problem(file, 0, 0, "the file holds no policy"))
        policies.extend(policy for policy in found if policy is not None)
    _complain_of_namesakes(policies, problems)
    return policies


def _policy(schema: Schema, document: Item) -> Policy | None:
    if not is_seed_document(document):
        return schema.policy(document)
    translated = policy_document(schema.reader, document)
    # Its names are those of tools, which their servers choose: no mapper lists them.
    free = Schema(schema.reader, Vocabulary(), schema.conditions)
    return None if translated is None else free.policy(translated)


def _complain_of_namesakes(policies: Iterable[Policy], problems: list[Problem]) -> None:
    first: dict[str, Policy] = {}
    for policy in policies:
        other = first.setdefault(policy.name, policy)
        if other is not policy:
            place, taken = policy.place, other.place
            problems.append(
                Problem(
                    place.file,
                    place.line,
                    place.column,
                    f"the name `{policy.name}` is taken by the policy in {taken.file}:{taken.line}",
                    "give each policy its own name",
                )
            )


def policy_files(paths: Iterable[Path], problems: list[Problem]) -> list[Path]:
    """The policy files that paths name, in order, each once."""
    files: dict[Path, None] = {}
    for path in paths:
        try:
            if not path.is_dir():
                files[path] = None
                continue
            files.update(dict.fromkeys(sorted(filter(_is_policy_file, path.iterdir()))))
        except OSError as error:
            problems.append(_unreadable(path, error))
    return list(files)


def _is_policy_file(path: Path) -> bool:
    return (
        path.suffix in _SUFFIXES
        and not path.stem.endswith(_CASES_SUFFIX)
        and not path.name.startswith(".")
    )


def load_text(path: Path, problems: list[Problem]) -> str | None:
    """The text of a file; None where it can't be read, which is added to `problems`."""
    try:
        with path.open("rb") as file:
            # Four bytes a character at most; what is longer is refused by its length below.
            return file.read(FILE_CHARS_MAX * 4 + 4).decode()
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 at byte {error.start}"
        problems.append(Problem(str(path), 0, 0, message, "save it as UTF-8"))
    except OSError as error:
        problems.append(_unreadable(path, error))
    return None


def _unreadable(path: Path, error: OSError) -> Problem:
    reason = (error.strerror or "unknown reason").lower()
    return Problem(str(path), 0, 0, f"it can't be read: {reason}")
