"""Says whether the files of a bundle can be used, by the loaders that the gateways use.

Turns named texts into the revision of their policies, or into every problem with its place. What
passes here is what gateways will run, so nothing is checked here that isn't checked there.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controlplane.faults import ControlFault, Fault
from controlplane.services.policies.content import Contents, contents_of
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.file import CatalogError
from gateway.canonicalize.library import load_paths_over_shipped
from gateway.decide.documents.document import DocumentError
from gateway.decide.envelope import (
    DOCUMENTS_MAX,
    MAPPERS_MAX,
    PAYLOAD_BYTES_MAX,
    BundleContent,
    NamedText,
    is_bundle_name,
)
from gateway.decide.loader import make_bundle
from gateway.model.codec import JsonValue, canonical_json
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.vocabulary import Vocabulary

PROBLEMS_SHOWN_MAX = 500
"""More would be a wall of text in an answer; the count of all of them stands beside."""

VOCABULARIES_KEPT_MAX = 4
"""Making one reads every mapper's index; an operator publishes one set of mappers, or two."""


@dataclass(frozen=True, slots=True)
class BundleFiles:
    """What somebody wants to publish."""

    documents: tuple[NamedText, ...]
    mappers: tuple[NamedText, ...] = ()

    @classmethod
    def of(cls, content: BundleContent) -> BundleFiles:
        return cls(content.documents, content.mappers)


@dataclass(frozen=True, slots=True)
class Checked:
    """Files that can be used. The two digests are equal when, and only when, gateways would
    decide and map the same."""

    files: BundleFiles
    revision: str
    mappers_digest: str
    contents: Contents


class BundleChecker:
    """Checks bundles; keeps the newest vocabularies. Slow: for a thread, of which there may be
    several."""

    def __init__(self) -> None:
        self._vocabularies: dict[str, Vocabulary] = {}
        self._loading = threading.Lock()

    def check(self, files: BundleFiles) -> Checked:
        """Load everything as a gateway would.

        Raises:
            ControlFault: BUNDLE_INVALID, with `problems`.
        """
        _check_shape(files)
        problems: list[Problem] = []
        vocabulary = self.vocabulary(files.mappers, problems)
        sources = [(one.name, one.text) for one in files.documents]
        try:
            bundle = make_bundle(sources, vocabulary)
            contents = contents_of(bundle, files.documents)
        except ConfigurationError as error:
            raise invalid_bundle([*problems, *error.problems]) from error
        except DocumentError as error:
            raise invalid_bundle([*problems, error.problem]) from error
        if problems:
            raise invalid_bundle(problems)
        return Checked(files, bundle.revision, _digest(files.mappers), contents)

    def vocabulary(
        self, mappers: Sequence[NamedText], problems: list[Problem]
    ) -> Vocabulary | None:
        """What these mappers over the shipped ones can produce; None where they can't be used, so
        that the policies are still looked at, but not their names."""
        digest = _digest(mappers)
        with self._loading:
            found = self._vocabularies.get(digest)
            if found is None:
                found = load_vocabulary(mappers, problems)
                if found is not None:
                    while len(self._vocabularies) >= VOCABULARIES_KEPT_MAX:
                        del self._vocabularies[next(iter(self._vocabularies))]
                    self._vocabularies[digest] = found
        return found


def load_vocabulary(mappers: Sequence[NamedText], problems: list[Problem]) -> Vocabulary | None:
    """Load mappers laid over the shipped ones; their problems name them without a folder."""
    # The loader reads files: a bundle's mappers become some for as long as it reads.
    with tempfile.TemporaryDirectory(prefix="checkrein-mappers-") as name:
        folder = Path(name)
        paths = [folder / one.name for one in mappers]
        for path, one in zip(paths, mappers, strict=True):
            path.write_text(one.text, encoding="utf-8")
        try:
            return Canonicalizer.load(load_paths_over_shipped(paths)).vocabulary()
        except ConfigurationError as error:
            problems += [_without_folder(problem, f"{folder}/") for problem in error.problems]
        except CatalogError as error:
            problems.append(Problem("mappers", 0, 0, error.message))
    return None


def invalid_bundle(problems: Iterable[Problem]) -> ControlFault:
    """The fault that carries what is wrong with a bundle."""
    return problems_fault(Fault.BUNDLE_INVALID, "bundle", "published", problems)


def problems_fault(fault: Fault, what: str, done: str, problems: Iterable[Problem]) -> ControlFault:
    """A fault that carries problems: how many `what` has, of which nothing was `done`."""
    distinct = set(problems)
    count = len(distinct)
    noun = "problem" if count == 1 else "problems"
    return ControlFault(
        fault,
        f"the {what} has {count} {noun}; nothing is {done}",
        {"problems": render_problems(distinct), "problemCount": count},
    )


def render_problems(problems: Iterable[Problem]) -> list[JsonValue]:
    """Problems as answers and envelopes show them: sorted, and not more than anybody reads."""
    return [
        {
            "file": one.file,
            "line": one.line,
            "column": one.column,
            "message": one.message,
            "help": one.help,
        }
        for one in sorted(set(problems))[:PROBLEMS_SHOWN_MAX]
    ]


def _check_shape(files: BundleFiles) -> None:
    """What makes looking into the files pointless, or dangerous."""
    problems: list[Problem] = []
    for kind, texts, count_max in (
        ("documents", files.documents, DOCUMENTS_MAX),
        ("mappers", files.mappers, MAPPERS_MAX),
    ):
        if len(texts) > count_max:
            problems.append(Problem(kind, 0, 0, f"there are more than {count_max} files"))
        names: set[str] = set()
        for one in texts:
            if not is_bundle_name(one.name):
                help_text = (
                    "letters, digits, `.`, `_` and `-`, with `.yaml`, `.yml` or `.json` at the end"
                )
                message = f"a file of a bundle can't be named `{one.name[:120]}`"
                problems.append(Problem(kind, 0, 0, message, help_text))
            elif one.name.casefold() in names:
                problems.append(Problem(one.name, 0, 0, f"two {kind} have this name"))
            names.add(one.name.casefold())
            if not _is_unicode(one.text):
                problems.append(Problem(one.name, 0, 0, "its text is not valid Unicode"))
    if sum(len(one.text) for one in (*files.documents, *files.mappers)) > PAYLOAD_BYTES_MAX:
        message = f"the files hold more than {PAYLOAD_BYTES_MAX} characters together"
        problems.append(Problem("documents", 0, 0, message))
    if problems:
        raise invalid_bundle(problems)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_folder(problem: Problem, folder: str) -> Problem:
    file, message = (text.replace(folder, "") for text in (problem.file, problem.message))
    return Problem(file, problem.line, problem.column, message, problem.help.replace(folder, ""))


def _digest(mappers: Iterable[NamedText]) -> str:
    """The same for the same mappers, in whatever order they came."""
    named: dict[str, JsonValue] = {one.name: one.text for one in mappers}
    return hashlib.sha256(b"checkrein.mappers.v1\n" + canonical_json(named)).hexdigest()
