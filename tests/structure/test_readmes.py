"""What a README leads to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("gateway", "controlplane", "mappers", "policies", "deploy")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def readmes() -> list[str]:
    found = [ROOT / "README.md"]
    for folder in FOLDERS:
        found += sorted((ROOT / folder).rglob("README.md"))
    return [str(file.relative_to(ROOT)) for file in found]


def anchors(text: str) -> set[str]:
    """The places of its headings, as they are made where READMEs are read."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("name", readmes())
def test_every_link_leads_somewhere(name: str):
    """To a file that is there, and to a heading that it has."""
    file = ROOT / name
    dead: list[str] = []
    for path, anchor in LINK.findall(FENCE.sub("", file.read_text())):
        target = (file.parent / path).resolve() if path else file
        if not target.exists():
            dead.append(path)
        elif anchor and anchor not in anchors(target.read_text()):
            dead.append(f"{path}#{anchor}")
    assert dead == []
