"""Renders the templates of mails and of the pages that their links lead to.

Escaping is always on for HTML; a template that uses a name which it was not given is a bug.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

FOLDER = Path(__file__).parent / "templates"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, **words: object) -> str:
    """Fill in a template."""
    return _templates().get_template(name).render(**words)
