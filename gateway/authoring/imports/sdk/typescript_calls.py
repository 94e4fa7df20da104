"""Reads what the methods of a TypeScript API client send, from its source, without running it.

A method is `async name(` and sends one or more `{url: '...', method: 'POST'}`; what it puts into
`body:` is the request's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.authoring.imports.sdk.pieces import pieces_of
from gateway.model.dataclass import dataclass

_FUNCTION = re.compile(r"^(?: {2})?(?:export )?async (?:function )?(\w+)(?=[<(])", re.MULTILINE)
_CALL = re.compile(r"\burl: (?:'([^'\n]+)'|`([^`\n]+)`),\s+method: '([A-Z]+)'")
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_BODY = re.compile(r"\bbody: \{\n(.*?)\n\s+\},", re.DOTALL)
_KEY = re.compile(r"^\s+(\w+): \w+[?.!]*\.(?:\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TypeScriptCall:
    """`path` has its variables as `{name}`; `keys` are the top-level keys of a JSON body."""

    name: str
    method: str
    path: str
    keys: tuple[str, ...]


def calls_of(source: str) -> Iterator[TypeScriptCall]:
    """All requests that the methods of one file send, in its order."""
    for match, text in pieces_of(_FUNCTION, source):
        for call, behind in pieces_of(_CALL, text):
            body = _BODY.search(behind)
            keys = tuple(_KEY.findall(body.group(1))) if body else ()
            template = _VARIABLE.sub(_named, call.group(1) or call.group(2))
            yield TypeScriptCall(match.group(1), call.group(3), template, keys)


def _named(found: re.Match[str]) -> str:
    """`encodeURIComponent(parameters.issueId)` -> `{issueId}`."""
    names = re.findall(r"[A-Za-z_]\w*", found.group(1))
    return f"{{{names[-1] if names else 'value'}}}"
