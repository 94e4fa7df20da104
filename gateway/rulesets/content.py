"""A bundle's content -> a ruleset, exactly as the control plane checked it before it signed it.

The bundle's mappers become files below the data directory, laid over those that the gateway has. A
bundle that does not mean here what it means there (its revision differs) is not used.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.library import load_mapper_files
from gateway.decide.envelope import BundleContent, NamedText
from gateway.decide.loader import make_bundle
from gateway.journey.judge import Ruleset
from gateway.model.dataclass import dataclass
from gateway.model.errors import BundleError, ConfigurationError, Problem

_FOLDER_MODE: Final = 0o700
_PREFIX: Final = "mappers-"


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """A canonicalizer and the mappers of a bundle that it was made with, so that a bundle with
    the same ones needs no other."""

    mappers: tuple[NamedText, ...]
    canonicalizer: Canonicalizer


def load_content(
    content: BundleContent, folder: Path, own_mappers: Sequence[Path], before: Mapped | None
) -> tuple[Ruleset, Mapped]:
    """Compile a verified bundle. Slow: for a thread.

    Raises:
        ConfigurationError: with every problem of its files.
        BundleError: `bundle.revision`.
        CheckreinError: a catalog can't be used.
        OSError: its mappers can't be written.
    """
    mapped = before
    if mapped is None or mapped.mappers != content.mappers:
        mapped = Mapped(content.mappers, _load_canonicalizer(content, folder, own_mappers))
    sources = [(one.name, one.text) for one in content.documents]
    bundle = make_bundle(sources, mapped.canonicalizer.vocabulary())
    if bundle.revision != content.revision:
        raise BundleError(
            "bundle.revision",
            f"its policies are revision {bundle.revision} here, and it says {content.revision}; "
            "run the same version of the gateway and the control plane",
        )
    return Ruleset(mapped.canonicalizer, bundle), mapped


def remove_others(folder: Path, sequence: int) -> None:
    """Remove the mapper files of other bundles than this one."""
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name != f"{_PREFIX}{sequence}":
            shutil.rmtree(path, ignore_errors=True)


def _load_canonicalizer(
    content: BundleContent, folder: Path, own_mappers: Sequence[Path]
) -> Canonicalizer:
    problems: list[Problem] = []
    own = load_mapper_files(own_mappers, problems)
    if problems:
        raise ConfigurationError("mapper.invalid", problems)
    place = folder / f"{_PREFIX}{content.sequence}"
    files = _write(place, content.mappers)
    names = {file.name for file in files}
    try:
        return Canonicalizer.load([*files, *(file for file in own if file.name not in names)])
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _write(place: Path, texts: Iterable[NamedText]) -> list[Path]:
    with suppress(FileNotFoundError):
        shutil.rmtree(place)
    files: list[Path] = []
    for one in texts:
        place.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        # INVARIANT(plain-name): `envelope` lets no name out of this folder.
        file = place / one.name
        file.write_text(one.text, encoding="utf-8")
        files.append(file)
    return files
