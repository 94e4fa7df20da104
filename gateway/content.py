"""Finds the mappers and policies that travel with the product.

In a wheel they lie in `gateway/_content`; in a checkout at the top of the repository.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def mappers_dir() -> Path:
    """Folder of the shipped `<provider>.yaml` files."""
    return _content_dir("mappers")


def policies_dir() -> Path:
    """Folder of the shipped `<name>.yaml` files."""
    return _content_dir("policies")


def shipped_policies() -> dict[str, Path]:
    """The shipped policies by the names that people call them by: `starter`, `payments`, ..."""
    folder = policies_dir()
    files = [*folder.glob("*.yaml"), *(folder / "guardrails").glob("*.yaml")]
    return {file.stem: file for file in sorted(files) if not file.stem.endswith(".cases")}


def _content_dir(name: str) -> Path:
    installed = _PACKAGE / "_content" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
