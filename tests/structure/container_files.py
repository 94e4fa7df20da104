"""Reads the Dockerfile and the Compose file into values, without an engine.

Knows only as much of both formats as our own files use, and refuses what it does not know, so that
a test never passes because a line was skipped.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

KNOWN = frozenset(
    {
        "ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK",
        "ENTRYPOINT", "CMD",
    }
)  # fmt: skip


@dataclass(slots=True)
class Stage:
    """One `FROM` and what follows it."""

    image: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """The arguments of every instruction with this word."""
        return [rest for found, rest in self.instructions if found == word]

    def last(self, word: str) -> str:
        """The argument that counts: the last one of this word."""
        return self.all(word)[-1]

    def words(self, word: str) -> list[str]:
        """The last instruction of this word in its JSON form."""
        words: list[str] = json.loads(self.last(word))
        return words

    @property
    def environment(self) -> dict[str, str]:
        pairs = (pair for rest in self.all("ENV") for pair in shlex.split(rest))
        return dict(pair.split("=", 1) for pair in pairs)


def parse_dockerfile(text: str) -> list[Stage]:
    """The stages in order; build arguments are put in where an image is named."""
    lines = [line for line in text.splitlines() if not line.strip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in filter(str.strip, joined.splitlines()):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        assert word in KNOWN, f"`{word}` is not read by this test; teach it first"
        if word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            image, _, name = rest.partition(" AS ")
            stages.append(Stage(substitute(image, arguments), name))
        else:
            stages[-1].instructions.append((word, rest))
    return stages


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in place of `${NAME}`, `${NAME:?message}` and `${NAME:-default}`."""

    def value(match: re.Match[str]) -> str:
        if match[2] is not None:
            return variables.get(match[1]) or match[2]
        return variables[match[1]]

    return re.sub(r"\$\{([A-Z_]+)(?::\?[^}]*|:-([^}]*))?\}", value, text)


def load_compose(text: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The Compose file with its variables put in and its anchors merged."""
    document: dict[str, Any] = yaml.safe_load(substitute(text, variables))
    return document
