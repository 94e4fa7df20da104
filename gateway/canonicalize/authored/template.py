"""Path templates: `/v1/{name}:cancel` as segments, each with the way it is compared.

A segment is a literal, a variable, a pattern with variables inside (`{sid}.json`), or greedy
(`{path+}`, which takes one or more segments, and may end in a suffix).
"""

from __future__ import annotations

import re
from enum import Enum

VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)(\+?)\}")
_LITERAL = r"[A-Za-z0-9_~!$&'()*+,;=:@. -]"
_SEGMENT = re.compile(rf"(?:{_LITERAL}|\{{[a-z][a-z0-9_]*\+?\}})+")
S3_VARIABLES = ("bucket", "key")
"""Variables that entries of `s3.*` may address: every S3 request has them, without a template."""


class Form(Enum):
    """How a segment is compared, the most specific first."""

    LITERAL = 1
    PATTERN = 2
    VARIABLE = 3
    GREEDY = 4


class TemplateError(ValueError):
    """A path template that can't be used; its text says why."""


def split_template(path: str) -> tuple[str, ...]:
    """The segments of a path template.

    Raises:
        TemplateError: with what is wrong.
    """
    if not path.startswith("/"):
        raise TemplateError(f"`{path}` does not begin with a slash")
    segments = tuple(path[1:].split("/"))
    if len(segments) > 1 and "" in segments:
        raise TemplateError(f"`{path}` has an empty segment")
    for segment in segments:
        if segment and not _SEGMENT.fullmatch(segment):
            raise TemplateError(f"`{segment}` can't be a path segment")
        if "+}" in segment and VARIABLE.match(segment) is None:
            raise TemplateError(f"`{segment}` takes the rest, so nothing can stand before it")
    names = variables_of(segments)
    if len(set(names)) != len(names):
        raise TemplateError(f"a variable of `{path}` is there twice")
    if path.count("+}") > 1:
        raise TemplateError(f"`{path}` has two variables that take the rest")
    return segments


def variables_of(segments: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the variables, in order; what a match captures comes in the same order."""
    if not any("{" in segment for segment in segments):
        return ()
    return tuple(found[0] for found in VARIABLE.findall("/".join(segments)))


def form_of(segment: str) -> Form:
    """How a segment is compared."""
    found = VARIABLE.search(segment)
    if found is None:
        return Form.LITERAL
    if found.group(2):
        return Form.GREEDY
    return Form.VARIABLE if found.group() == segment else Form.PATTERN


def pattern_of(segment: str) -> re.Pattern[str]:
    """What a segment with variables inside matches; each variable takes as little as it can."""
    parts = VARIABLE.split(segment)
    # split gives literal, name, plus, literal, ...
    text = "".join(
        re.escape(part) if position % 3 == 0 else "(.+?)" if position % 3 == 1 else ""
        for position, part in enumerate(parts)
    )
    return re.compile(text, re.DOTALL)
