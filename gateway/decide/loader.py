"""Loads policy files: folders and files in, one `Bundle` out, or all that is wrong with them.

The reading of files happens here and nowhere else in `decide`.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Final

from gateway.decide.baseline import Baseline
from gateway.decide.bundle import Bundle
from gateway.decide.documents import baseline, organisation, schema
from gateway.decide.documents.baseline import read_baseline
from gateway.decide.documents.document import (
    FILE_CHARS_MAX,
    DocumentError,
    Fields,
    Item,
    parse_documents,
)
from gateway.decide.documents.organisation import read_organisation
from gateway.decide.documents.reader import Reader
from gateway.decide.documents.schema import Schema
from gateway.decide.documents.seed_rules import is_seed_document, policy_document
from gateway.decide.organisation import Organisation
from gateway.decide.rules.policy import Condition, Place, Policy
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.vocabulary import Vocabulary

CODE: Final = "policy.invalid"

_KINDS: Final = {kind: kind for kind in (schema.KIND, organisation.KIND, baseline.KIND)}

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_KIND_LINE: Final = re.compile(rf"^kind: *[\"']?({'|'.join(_KINDS)})\b", re.MULTILINE)
_CASES_SUFFIX: Final = ".cases"
"""`starter.cases.yaml` holds the cases of `starter.yaml`, and is no policy."""


@dataclass(slots=True)
class Documents:
    """What the files of a bundle say."""

    policies: list[Policy] = field(default_factory=list)
    organisation: Organisation | None = None
    baseline: Baseline | None = None


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
    places = ", ".join(f"`{path}`" for path in paths)
    return _bundle(sources, vocabulary, problems, places)


def make_bundle(sources: Iterable[tuple[str, str]], vocabulary: Vocabulary | None = None) -> Bundle:
    """Make a bundle of (file name, text) pairs. Opens no file.

    Raises:
        ConfigurationError: `policy.invalid`, with every problem of every file.
    """
    return _bundle(sources, vocabulary, [], "documents")


def _bundle(
    sources: Iterable[tuple[str, str]],
    vocabulary: Vocabulary | None,
    problems: list[Problem],
    places: str,
) -> Bundle:
    with _without_collections():
        found = parse_sources(sources, vocabulary, problems)
        if not found.policies and not problems:
            help_text = "name a file, or a folder of `*.yaml`"
            problems.append(Problem(places, 0, 0, "there is no policy here", help_text))
        if problems:
            raise ConfigurationError(CODE, problems)
        return Bundle.of(found.policies, found.organisation, found.baseline)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Next to nothing that a load makes is garbage before its end; looking for it would take a
    quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse_sources(
    sources: Iterable[tuple[str, str]], vocabulary: Vocabulary | None, problems: list[Problem]
) -> Documents:
    """Read what (file name, text) pairs say; what is wrong is added to `problems`.

    What the organisation says of itself is read before any policy, in whatever file it stands.
    """
    names = vocabulary or Vocabulary()
    waiting: list[tuple[Reader, list[Item]]] = []
    found = Documents()
    first: dict[str, Place] = {}
    for file, text in sources:
        reader = Reader(file, text, problems)
        try:
            documents = list(parse_documents(text, file))
        except DocumentError as error:
            problems.append(error.problem)
            continue
        if not documents:
            problems.append(Problem(file, 0, 0, "the file holds no policy"))
        policies: list[Item] = []
        for document in documents:
            kind = _kind_of(reader, document)
            if kind == schema.KIND:
                policies.append(document)
            elif kind is not None and _is_only(reader, document, kind, first):
                if kind == organisation.KIND:
                    found.organisation = read_organisation(reader, document, names)
                else:
                    found.baseline = read_baseline(reader, document)
        waiting.append((reader, policies))
    if found.organisation is not None or organisation.KIND not in first:
        names = _with_names(names, found.organisation or Organisation(""))
    conditions: dict[str, Condition] = {}
    for reader, policies in waiting:
        of_file = Schema(reader, names, conditions)
        read = (_policy(of_file, document) for document in policies)
        found.policies.extend(policy for policy in read if policy is not None)
    _complain_of_namesakes(found.policies, problems)
    return found


def _kind_of(reader: Reader, document: Item) -> str | None:
    """What a document is; None where its `kind` is none of ours, which is noted."""
    for key, value in document.entries if isinstance(document, Fields) else ():
        if key.written == "kind":
            return reader.choice(value, "`kind`", _KINDS)
    return schema.KIND


def _is_only(reader: Reader, document: Item, kind: str, first: dict[str, Place]) -> bool:
    """Whether this is the first document of a kind that a bundle has one of."""
    place = Place(reader.file, document.mark.line, document.mark.column)
    other = first.setdefault(kind, place)
    if other is not place:
        reader.complain(
            document.mark,
            f"there is a `kind: {kind}` in {other.file}:{other.line} already",
            "a bundle has at most one",
        )
    return other is place


def _with_names(vocabulary: Vocabulary, found: Organisation) -> Vocabulary:
    return replace(
        vocabulary,
        environments=found.environments,
        agent_labels=found.agent_labels,
        target_labels=frozenset(label.label for label in found.target_labels),
        approver_groups=found.approver_groups,
        reason_codes=found.reason_codes,
    )


def _policy(of_file: Schema, document: Item) -> Policy | None:
    if not is_seed_document(document):
        return of_file.policy(document)
    translated = policy_document(of_file.reader, document)
    # Its names are those of tools, which their servers choose: no mapper lists them.
    free = Schema(of_file.reader, Vocabulary(), of_file.conditions)
    return free.policy(translated)


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


def load_settings_beside(path: Path, problems: list[Problem]) -> list[Path]:
    """The files of a file's folder that hold an organisation or a baseline, and no policy."""
    found = []
    for other in policy_files([path.parent], problems):
        kinds = set(_KIND_LINE.findall(load_text(other, []) or "")) if other != path else set()
        if kinds and schema.KIND not in kinds:
            found.append(other)
    return found


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
