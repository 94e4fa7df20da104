"""Files on this disk -> what is published: read and checked here, before anything is sent.

The check is the one that the control plane and the gateways make, so that a person sees problems
at once, at the places of their own files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from gateway.decide.envelope import NamedText

CODE = "bundle.files"


@dataclass(frozen=True, slots=True)
class Source:
    """What is published, and where it came from. `places` maps a file's name in the bundle to
    its path here; `revision` is the digest of what the policies mean."""

    documents: tuple[NamedText, ...]
    mappers: tuple[NamedText, ...]
    places: Mapping[str, str]
    revision: str

    def body(self) -> dict[str, object]:
        """The bundle as the API takes it."""
        return {
            "documents": [{"name": one.name, "text": one.text} for one in self.documents],
            "mappers": [{"name": one.name, "text": one.text} for one in self.mappers],
        }


def problems_of(envelope: Mapping[str, Any], places: Mapping[str, str]) -> list[Problem] | None:
    """The problems of files that a refusal carries, at the places of the files here; None where
    it is a refusal for another reason."""
    found = envelope.get("problems")
    if not isinstance(found, list):
        return None
    return [
        Problem(
            places.get(str(one["file"]), str(one["file"])),
            int(one["line"]),
            int(one["column"]),
            str(one["message"]),
            str(one["help"]),
        )
        for one in found
    ]


def load_source(policies: Sequence[Path], mappers: Sequence[Path]) -> Source:
    """Read and check files, or folders of them.

    Raises:
        ConfigurationError: with every problem of every file.
    """
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.canonicalize.catalog.file import CatalogError
    from gateway.canonicalize.library import load_mapper_files, load_paths_over_shipped
    from gateway.decide.bundle_files import load_named_texts
    from gateway.decide.loader import make_bundle, policy_files

    problems: list[Problem] = []
    files = policy_files(policies, problems)
    documents = load_named_texts(files, problems)
    mapper_files = load_mapper_files(mappers, problems)
    overlaid = load_named_texts(mapper_files, problems)
    if problems:
        raise ConfigurationError(CODE, problems)
    try:
        vocabulary = Canonicalizer.load(load_paths_over_shipped(mapper_files)).vocabulary()
    except CatalogError as error:
        raise ConfigurationError(CODE, [Problem("mappers", 0, 0, error.message)]) from error
    sources = [(str(file), one.text) for file, one in zip(files, documents, strict=True)]
    bundle = make_bundle(sources, vocabulary)
    places = {file.name: str(file) for file in (*mapper_files, *files)}
    return Source(documents, overlaid, places, bundle.revision)
