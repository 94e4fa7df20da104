"""The metrics of several workers -> one text for the scraper. Pure.

Counters and histograms are summed, since each worker counted other requests. Gauges are shown for
each worker, with its number as a label: the sum of two ages says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_SUMMED: Final = frozenset({"counter", "histogram", "summary"})
_SAMPLE: Final = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?")
_PARTS: Final = ("_total", "_bucket", "_sum", "_count", "_created")


def merge(texts: Mapping[int, str]) -> str:
    """The texts of workers, by number, as one; in Prometheus' text format."""
    heads: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    samples: dict[str, dict[str, float]] = {}
    for number, text in sorted(texts.items()):
        for line in text.splitlines():
            if line.startswith("#"):
                words = line.split(" ", 3)
                if len(words) == 4 and words[1] in ("HELP", "TYPE"):
                    _note_head(heads, kinds, words, line)
                continue
            found = _SAMPLE.fullmatch(line)
            if found is not None:
                _add(samples, kinds, number, found)
    lines: list[str] = []
    for family, values in samples.items():
        lines += heads.get(family, [])
        lines += [f"{series} {_shown(value)}" for series, value in values.items()]
    return "\n".join([*lines, ""])


def _note_head(
    heads: dict[str, list[str]], kinds: dict[str, str], words: list[str], line: str
) -> None:
    family = words[2]
    if words[1] == "TYPE":
        kinds[family] = words[3]
    known = heads.setdefault(family, [])
    if line not in known:
        known.append(line)


def _add(
    samples: dict[str, dict[str, float]],
    kinds: Mapping[str, str],
    number: int,
    found: re.Match[str],
) -> None:
    name, labels, text = found[1], found[2] or "", found[3]
    try:
        value = float(text)
    except ValueError:
        return
    family = _family(name, kinds)
    if kinds.get(family) not in _SUMMED:
        labels = f'{labels},worker="{number}"' if labels else f'worker="{number}"'
    series = f"{name}{{{labels}}}" if labels else name
    values = samples.setdefault(family, {})
    values[series] = values.get(series, 0.0) + value


def _family(name: str, kinds: Mapping[str, str]) -> str:
    """The name under which a sample's type stands."""
    if name in kinds:
        return name
    for part in _PARTS:
        if name.endswith(part) and name.removesuffix(part) in kinds:
            return name.removesuffix(part)
    return name


def _shown(value: float) -> str:
    return repr(value)
