"""Turns the path templates of published descriptions into ours: `{accountId}` -> `{account_id}`."""

from __future__ import annotations

import re

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def variable_name(text: str) -> str:
    """A variable's name in our notation: lower case, digits and underscores."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip("+*.$@ "))
    name = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return name if _NAME.fullmatch(name) else f"v_{name}".strip("_")


def wire_of(method: str, template: str) -> tuple[str, dict[str, str]]:
    """Our wire for a method and a path template, and our variable names by the original ones.

    A variable that is there twice gets a number; query and fragment are cut off.
    """
    names: dict[str, str] = {}
    used: set[str] = set()

    def renamed(found: re.Match[str]) -> str:
        original = found.group(1)
        greedy = "+" if original.endswith(("+", "*")) or original.startswith("+") else ""
        name = base = variable_name(original)
        number = 2
        while name in used:
            name, number = f"{base}_{number}", number + 1
        used.add(name)
        names.setdefault(original.strip("+*"), name)
        return f"{{{name}{greedy}}}"

    path = template.partition("?")[0].partition("#")[0]
    path = _VARIABLE.sub(renamed, path)
    path = "/" + "/".join(part for part in path.split("/") if part)
    return f"{method.upper()} {path}", names


def shape_of(template: str) -> str:
    """The template without its variables' names: two of one shape are sent alike."""
    return re.sub(r"\{[^}]+\}", "{}", template)
