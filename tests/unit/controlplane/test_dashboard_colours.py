"""The dashboard's colours: every text on its ground has the contrast of WCAG AA, light and dark."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import controlplane.dashboard

CSS = (Path(controlplane.dashboard.__file__).parent / "static" / "dashboard.css").read_text()

_VARIABLE = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")

GROUNDS = ("page", "panel", "raised")
TEXTS = ("ink", "muted", "accent", "allow", "hold", "block")
SHAPES = ("edge", "accent", "allow-fill", "hold-fill", "block-fill")

THEMES = {"light": 0, "dark": 1}

colours = {name: (light, dark) for name, light, dark in _VARIABLE.findall(CSS)}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def used_pairs() -> set[tuple[str, str]]:
    """Text and ground that one rule sets together."""
    pairs = set()
    for _, body in _RULE.findall(CSS):
        text = re.search(r"(?:^|[; ])color: var\(--([a-z0-9-]+)\)", body)
        ground = re.search(r"background: var\(--([a-z0-9-]+)\)", body)
        if text and ground:
            pairs.add((text[1], ground[1]))
    return pairs


def too_close(pairs: set[tuple[str, str]], theme: int, least: float) -> list[str]:
    return [
        f"{one} on {other}: {found:.2f}"
        for one, other in sorted(pairs)
        if (found := contrast(colours[one][theme], colours[other][theme])) < least
    ]


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_every_text_can_be_read(theme: int) -> None:
    """4.5 to 1 for text: what rules set together, and each text colour on each ground."""
    pairs = used_pairs()
    assert ("on-allow", "allow") in pairs

    assert too_close(pairs | set(product(TEXTS, GROUNDS)), theme, 4.5) == []


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_every_shape_can_be_seen(theme: int) -> None:
    """3 to 1 for borders of fields and what charts are drawn with."""
    assert too_close(set(product(SHAPES, ("page", "panel"))), theme, 3.0) == []


def test_colours_are_named_once() -> None:
    """No colour is written anywhere but at the head, where both themes stand side by side."""
    body = CSS[CSS.index('[data-theme="light"]') :]

    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", body) == []
