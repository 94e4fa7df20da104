"""Reads the resources of gitbeaker, a JavaScript client of GitLab: which method sends what.

A resource is a class whose methods build an endpoint from a template; generic resources have the
kinds of things that they belong to as arguments of their constructors. Nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from gateway.model.dataclass import dataclass

_CLASS = re.compile(
    r"^var (\w+) = class (?:_?\w+ )?extends (\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL
)
_METHOD = re.compile(
    r"^  (?:async |static )?(\w+)\((.*?)\) \{\n(.*?)^  \}", re.MULTILINE | re.DOTALL
)
_SUPER = re.compile(r"super\((.*?)\);", re.DOTALL)
_PREFIX = re.compile(r"prefixUrl: ([^,}]+)")
_KEPT = re.compile(r"this\.(\w+) = (\w+);")
_VERB = re.compile(r"RequestHelper\.(get|post|put|patch|del)\(\)")
_PLACE = re.compile(r"endpoint`([^`]*)`|(?:url\d* = |\(\)\(\s*this,\s*)\"([^\"]*)\"")
_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_KEY = re.compile(r"^\s{6,10}(\w+),?$", re.MULTILINE)
_VERBS = {"get": "GET", "post": "POST", "put": "PUT", "patch": "PATCH", "del": "DELETE"}
DEPTH_MAX = 4


@dataclass(slots=True)
class _Class:
    base: str
    parameters: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    prefix: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    methods: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GitLabCall:
    """`path` has its variables as `{name}`; `keys` are texts that a body may carry."""

    resource: str
    name: str
    method: str
    path: str
    keys: tuple[str, ...]


def calls_of(source: str) -> Iterator[GitLabCall]:
    """Every request of every resource. A path that is put together elsewhere is left out."""
    classes = {name: _read(base, body) for name, base, body in _CLASS.findall(source)}
    for name, found in classes.items():
        if name.startswith("Resource"):
            continue
        seen: set[str] = set()
        current, values = found, dict[str, str]()
        for _ in range(DEPTH_MAX):
            base = classes.get(current.base)
            prefix = _text(current.prefix, values)
            names = {kept: values.get(given, "") for kept, given in current.kept.items()}
            for method, (arguments, body) in current.methods.items():
                if method not in seen:
                    seen.add(method)
                    yield from _requests(name, method, (arguments, body), prefix, names)
            if base is None:
                break
            values = dict(
                zip(base.parameters, (_text(one, values) for one in current.given), strict=False)
            )
            current = base


def _read(base: str, body: str) -> _Class:
    found = _Class(base)
    for name, arguments, text in _METHOD.findall(body):
        if name != "constructor":
            found.methods[name] = arguments, text
            continue
        found.parameters = [one.strip() for one in arguments.split(",")]
        above = _SUPER.search(text)
        given = above.group(1) if above else ""
        prefix = _PREFIX.search(given)
        found.prefix = prefix.group(1).strip() if prefix else ""
        found.given = [] if prefix else [one.strip() for one in given.split(",")]
        found.kept = dict(_KEPT.findall(text))
    return found


def _text(expression: str, values: dict[str, str]) -> str:
    """What an argument is: a literal, a path segment made of one, or a parameter's value."""
    literal = re.search(r'"([^"]*)"', expression)
    if expression.startswith("["):
        return "/".join(
            _text(part.strip(), values) for part in re.findall(r"[\w\"]+", expression)[:-1]
        )
    return literal.group(1) if literal else values.get(expression, "")


def _requests(
    resource: str, name: str, method: tuple[str, str], prefix: str, names: dict[str, str]
) -> Iterator[GitLabCall]:
    arguments, body = method
    verb = _VERB.search(body)
    if verb is None:
        return
    keys = tuple(dict.fromkeys(key for key in _KEY.findall(body) if not key.endswith("Id")))

    def variable(found: re.Match[str]) -> str:
        text = found.group(1).strip()
        if text.startswith("this."):
            return names.get(text[5:], "{?}")
        inside = re.findall(r"[A-Za-z]\w*", text)
        return f"{{{inside[-1]}}}" if inside and inside[-1] in arguments else "{?}"

    for template, literal in _PLACE.findall(body):
        path = _VARIABLE.sub(variable, template) if template else literal
        if "?}" not in path:
            yield GitLabCall(resource, name, _VERBS[verb.group(1)], f"/{prefix}/{path}", keys)
