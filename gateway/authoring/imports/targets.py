"""Tells what an operation acts on from its wire: the last `{variable}` of the path, and the type
that the literal before it names.

`DELETE /repos/{owner}/{repo}/hooks/{hook_id}` acts on a `hook`; its id is `path.hook_id`, or, with
`scope=("owner", "repo")`, `{path.owner}/{path.repo}/{path.hook_id}`. A variable that looks like a
secret is never an id, because ids are recorded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.canonicalize.naming.words import singular, words_of

_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\+?\}")
_VERSION = re.compile(r"v?[0-9][0-9.]*(?:(?:alpha|beta)[0-9]*)?|[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ID_WORDS = frozenset({"id", "ids", "sid", "uuid", "guid", "name", "number", "iid", "slug", "key"})
_NO_TYPE = frozenset(
    {"api", "rest", "id", "ids", "name", "names", "by", "with", "in", "self", "latest", "this"}
)
"""Literals before a variable that don't say what it is."""


def target_of(
    wire: str,
    *,
    scope: Sequence[str] = (),
    types: Mapping[str, str] | None = None,
    ignored: Collection[str] = (),
) -> tuple[str, str]:
    """Type and id (an address or a template, as in `Row`) of what a wire acts on.

    `scope` are the variables that stand before the id wherever the path has them; `types` gives the
    type of a variable outright; `ignored` variables are never the target. A path without a
    variable gives the type of its last literal and no id.
    """
    segments = [part for part in wire.partition(" ")[2].split("/") if part]
    chosen: tuple[int, str] | None = None
    present: list[str] = []
    for position, segment in enumerate(segments):
        for variable in _VARIABLE.findall(segment):
            if variable in ignored or looks_secret(variable):
                continue
            present.append(variable)
            chosen = position, variable
    if chosen is None:
        return type_of_literal(_last_literal(segments)), ""
    position, variable = chosen
    before = [name for name in scope if name in present and name != variable]
    if variable in scope:
        before = [name for name in before if scope.index(name) < scope.index(variable)]
    names = [*before, variable]
    identity = f"path.{variable}" if len(names) == 1 else "/".join(f"{{path.{n}}}" for n in names)
    return (types or {}).get(variable) or _type_of(segments, position, variable), identity


def path_params(wire: str, target_id: str) -> dict[str, RowParam]:
    """The variables of a path that its target's id doesn't have in it, as params by their names."""
    used = set(re.findall(r"path\.([a-z][a-z0-9_]*)", target_id))
    return {
        name: RowParam(f"path.{name}")
        for name in _VARIABLE.findall(wire)
        if name not in used and not looks_secret(name)
    }


def type_of_literal(text: str) -> str:
    """`access-tokens` -> `access_token`; empty where the text has no words."""
    words = words_of(text.partition("{")[0].partition(":")[0].partition(".json")[0])
    if not words or not words[0][0].isalpha():
        return ""
    return "_".join([*words[:-1], singular(words[-1])])[:64].strip("_")


def _last_literal(segments: Sequence[str]) -> str:
    literals = [part for part in segments if "{" not in part and not _VERSION.fullmatch(part)]
    for segment in reversed(literals):
        if segment not in KIND_BY_VERB:
            return segment
    return literals[-1] if literals else ""


def _type_of(segments: Sequence[str], position: int, variable: str) -> str:
    before = segments[position - 1] if position else ""
    if before and "{" not in before and not _VERSION.fullmatch(before):
        named = type_of_literal(before)
        if named and named not in _NO_TYPE:
            return named
    words = variable.split("_")
    while len(words) > 1 and (words[-1] in _ID_WORDS or words[-1].isdigit()):
        words.pop()
    return "_".join([*words[:-1], singular(words[-1])])
