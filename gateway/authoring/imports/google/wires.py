"""Turns the path templates of discovery documents into wires, as the SDKs expand them.

`v1/{+name}` alone says nothing; the pattern of `name` (`^projects/[^/]+/topics/[^/]+$`) says which
segments are literal and which vary, so the wire is `/v1/projects/{project}/topics/{topic}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from gateway.authoring.imports.wires import variable_name
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import singular
from gateway.model.dataclass import dataclass

_VARIABLE = re.compile(r"\{(\+?)([^{}]+)\}")
_LITERAL = re.compile(r"[A-Za-z0-9_@$.:~-]+")
_NESTED = re.compile(r"(?<=/documents/)\{(\w+)\}/\{(\w+)\+\}")
_NESTED_MAX = 5
"""Levels of collections in collections that are told apart exactly."""
_SLASH = re.compile(r"/(?![^\[]*\])")
"""A slash of a pattern that is not in a character class (`[^/]`)."""


@dataclass(frozen=True, slots=True)
class GoogleWire:
    """`path` in our notation. `names` has our variable for each plain parameter of the template;
    `resource` is the template text of the expanded `{+name}`, from its first segment to the last
    variable of the path, empty where the template has none."""

    path: str
    names: Mapping[str, str]
    resource: str


@dataclass(slots=True)
class _Names:
    """Hands out variable names, each one once."""

    used: set[str] = field(default_factory=set)

    def fresh(self, text: str, *, is_part: bool) -> str:
        name = variable_name(text) or "part"
        if is_part and looks_secret(name):
            # `secrets/{secret}` is a resource's name and no secret; ids are recorded.
            name += "_name"
        wanted, number = name, 2
        while name in self.used:
            name, number = f"{wanted}_{number}", number + 1
        self.used.add(name)
        return name


def google_wires(template: str, parameters: Mapping[str, Mapping[str, Any]]) -> list[GoogleWire]:
    """Expand a template such as `/v1/{+name}:cancel`; the first is the one for everything."""
    handed = _Names()
    names: dict[str, str] = {}
    reserved_at: int | None = None

    def put(found: re.Match[str]) -> str:
        original = found.group(2)
        pattern = parameters.get(original, {}).get("pattern", "")
        if found.group(1):
            return _expanded(original, pattern, handed)
        names[original] = handed.fresh(original, is_part=False)
        return f"{{{names[original]}}}"

    parts: list[str] = []
    position = 0
    for found in _VARIABLE.finditer(template):
        parts.append(template[position : found.start()])
        if found.group(1) and reserved_at is None:
            reserved_at = len("".join(parts))
        parts.append(put(found))
        position = found.end()
    parts.append(template[position:])
    path = _with_one_greedy("".join(parts))
    return [
        GoogleWire(one, names, "" if reserved_at is None else _resource(one[reserved_at:]))
        for one in (path, *_short(path), *_by_level(path))
    ]


def _short(path: str) -> list[str]:
    """`{name+}:cancel` with one segment too, or `{name}` of another method would come before it."""
    return [path.replace("+}:", "}:")] if "+}:" in path else []


def _by_level(path: str) -> list[str]:
    """Firestore's documents stand in collections, and collections in documents: an even number of
    segments is a document, an odd one a collection, which no pattern that takes the rest can say.
    """
    if _NESTED.search(path) is None:
        return []
    levels = []
    for level in range(1, _NESTED_MAX + 1):
        pairs = [f"{{collection_{n}}}/{{document_{n}}}" for n in range(1, level + 1)]
        levels.append(_NESTED.sub("/".join(pairs), path))
    return levels


def _expanded(original: str, pattern: str, handed: _Names) -> str:
    """The segments that a reserved variable becomes."""
    inner = pattern.removeprefix("^").removesuffix("$")
    if not inner:
        return f"{{{handed.fresh(original, is_part=True)}+}}"
    segments: list[str] = []
    before = ""
    for part in _SLASH.split(inner):
        if _LITERAL.fullmatch(part) and part not in (".", ".*"):
            segments.append(part)
            before = part
            continue
        name = handed.fresh(singular(variable_name(before)) if before else original, is_part=True)
        takes_rest = part == ".*" or ("/" in part and part != "[^/]+")
        segments.append(f"{{{name}{'+' if takes_rest else ''}}}")
        before = ""
    return "/".join(segments)


def _with_one_greedy(path: str) -> str:
    """Only one variable of a path can take the rest: the last."""
    count = path.count("+}")
    return path.replace("+}", "}", count - 1) if count > 1 else path


def _resource(path: str) -> str:
    """`projects/{project}/topics/{topic}:publish` -> `projects/{path.project}/topics/{...}`."""
    end = path.rfind("}")
    return re.sub(r"\{(\w+)\+?\}", r"{path.\1}", path[: end + 1])
