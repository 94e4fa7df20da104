"""Reads files as the named texts that a bundle carries, or says all that is wrong with them.

In a bundle a file has its plain name and no folder, so two files of one name can't both go in.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.decide.envelope import NamedText, is_bundle_name
from gateway.decide.loader import load_text
from gateway.model.errors import Problem

_RENAME = "letters, digits, `.`, `_` and `-`, with `.yaml`, `.yml` or `.json` at the end"


def load_named_texts(files: Iterable[Path], problems: list[Problem]) -> tuple[NamedText, ...]:
    """Read files for a bundle; what is wrong is added to `problems`."""
    texts: list[NamedText] = []
    taken: dict[str, Path] = {}
    for file in files:
        if not is_bundle_name(file.name):
            message = f"a file of a bundle can't be named `{file.name}`"
            problems.append(Problem(str(file), 0, 0, message, f"rename it: {_RENAME}"))
            continue
        other = taken.setdefault(file.name.casefold(), file)
        if other is not file:
            message = f"its name is taken by `{other}`"
            problems.append(Problem(str(file), 0, 0, message, "rename one of them"))
            continue
        text = load_text(file, problems)
        if text is not None:
            texts.append(NamedText(file.name, text))
    return tuple(texts)
