"""Reads the document of an API that somebody published, in JSON or YAML, within bounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.canonicalize.authored.yaml_depth import is_too_deep
from gateway.model.errors import CheckreinError

SPEC_BYTES_MAX: Final = 64_000_000
"""The largest published ones, GitHub's and Microsoft Graph's, have 12 and 35 MB."""

MERGED_KEYS_MAX: Final = 10_000
"""Keys of one mapping after `<<` is resolved; merges of merges grow without end otherwise."""


class SpecError(CheckreinError):
    """A file that is no description of an API."""

    def __init__(self, message: str) -> None:
        super().__init__("spec.unusable", message)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, with a bound on merges."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MERGED_KEYS_MAX:
            raise yaml.YAMLError("too many merged keys")


def load_spec(path: Path) -> Mapping[str, Any]:
    """Read an OpenAPI 3 or Swagger 2 document.

    Raises:
        SpecError: it is none, or too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SPEC_BYTES_MAX + 1)
    except OSError as error:
        raise SpecError(f"`{path}` can't be read: {error.strerror}") from error
    if len(data) > SPEC_BYTES_MAX:
        raise SpecError(f"`{path}` is larger than {SPEC_BYTES_MAX} bytes")
    document = _parse(data, path)
    if not isinstance(document, dict) or not ("openapi" in document or "swagger" in document):
        raise SpecError(f"`{path}` is no OpenAPI or Swagger document: it has no `openapi:`")
    version = str(document.get("openapi", document.get("swagger")))
    if not version.startswith(("3.", "2.")):
        raise SpecError(f"`{path}` is of version {version[:20]}, and 2.0 and 3.x are known")
    if not isinstance(document.get("paths"), dict):
        raise SpecError(f"`{path}` has no `paths`")
    return document


def _parse(data: bytes, path: Path) -> object:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError(f"`{path}` is not UTF-8") from None
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        if is_too_deep(text):
            raise SpecError(f"`{path}` is nested too deeply")
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise SpecError(f"`{path}{where}` is not YAML: {error.problem}") from error
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise SpecError(f"`{place}` is not JSON: {error.msg}") from error
    except (ValueError, RecursionError, yaml.YAMLError):
        raise SpecError(f"`{path}` is nested too deeply, or is neither JSON nor YAML") from None
