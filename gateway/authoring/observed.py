"""Gathers what a recording shows of an API: its calls by method and path template, with the
fields that they carry and their types.

Keeps names and types only. No value of a recording is ever kept, so none can be written down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Final

from gateway.authoring.recordings.traffic import RecordingError
from gateway.authoring.segments import folded, is_variable, marked, template_of
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText, MediaType
from gateway.canonicalize.request.normalize import split_target
from gateway.canonicalize.request.reader import RequestReader
from gateway.model.dataclass import dataclass
from gateway.model.exchange import HttpRequest

PATHS_MAX: Final = 50_000
"""Different paths after ids are taken out; a larger API is described by its maker."""
FIELDS_MAX: Final = 200
BODY_BYTES_MAX: Final = 4_000_000

_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_$:@-]{0,63}")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d{0,15})")
_DECIMAL: Final = re.compile(r"-?\d{1,15}\.\d{1,8}")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")


@dataclass(slots=True)
class Call:
    """All recorded requests of one method and path. `fields` maps addresses to how often each type
    was seen there."""

    method: str
    marks: tuple[str, ...]
    count: int = 0
    statuses: set[int] = field(default_factory=set)
    fields: dict[str, Counter[str]] = field(default_factory=dict)
    family: str = ""
    """What carries the acts of its bodies (`graphql`, `jsonrpc`, `mcp`), as far as that shows."""

    @property
    def template(self) -> str:
        return template_of(self.marks)

    def join(self, other: Call) -> None:
        """Take in what is known of the same call."""
        self.count += other.count
        self.statuses |= other.statuses
        self.family = self.family or other.family
        for name, types in other.fields.items():
            if name in self.fields or len(self.fields) < FIELDS_MAX:
                self.fields.setdefault(name, Counter()).update(types)


class Observed:
    """What was seen so far, by host."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.refused = 0
        self._calls: dict[str, dict[tuple[str, tuple[str, ...]], Call]] = {}
        self._count = 0

    def add(self, request: HttpRequest, status: int = 0) -> None:
        """Take one request in. One that two servers could read differently is only counted.

        Raises:
            RecordingError: there are too many different paths.
        """
        host = request.authority.host
        self.requests[host] += 1
        try:
            segments, raw_query = split_target(request.target)
        except AmbiguityError:
            self.refused += 1
            return
        call = self._call(host, request.method, segments)
        call.count += 1
        call.statuses.add(status)
        found = _fields(request, raw_query)
        call.join(Call(call.method, call.marks, fields=found))
        call.family = call.family or _family(request, segments[-1], found.keys())

    def add_path(self, host: str, method: str, path: str) -> None:
        """Take in a call of which only method and path are known."""
        self.requests[host] += 1
        segments = path.lstrip("/").split("/")
        self._call(host, method, segments).count += 1

    def _call(self, host: str, method: str, segments: Sequence[str]) -> Call:
        if len(segments) > 1 and not segments[-1]:
            segments = segments[:-1]
        marks = marked(segments) if segments != [""] else ()
        calls = self._calls.setdefault(host, {})
        found = calls.get((method, marks))
        if found is None:
            self._count += 1
            if self._count > PATHS_MAX:
                raise RecordingError(f"the recording has more than {PATHS_MAX} different paths")
            found = calls[method, marks] = Call(method, marks)
        return found

    def calls(self, hosts: Iterable[str]) -> list[Call]:
        """The calls of some hosts together, by path and method, names that are values folded."""
        chosen = [call for host in hosts for call in self._calls.get(host, {}).values()]
        paths = folded((call.method, call.marks) for call in chosen)
        joined: dict[tuple[str, tuple[str, ...]], Call] = {}
        for call in chosen:
            marks = paths[call.marks]
            joined.setdefault((call.method, marks), Call(call.method, marks)).join(call)
        return sorted(joined.values(), key=lambda call: (call.template, call.method))


def _family(request: HttpRequest, last: str, names: Collection[str]) -> str:
    if "body.query" in names and (last == "graphql" or "body.variables" in names):
        return "graphql"
    if "body.jsonrpc" in names and "body.method" in names:
        return "mcp" if last == "mcp" or b"mcp-protocol-version" in request.fields else "jsonrpc"
    return ""


# --- fields ---------------------------------------------------------------------------------------


def _fields(request: HttpRequest, raw_query: str) -> dict[str, Counter[str]]:
    """Addresses of the scalars and text lists at the top of query and body, with their types. A
    part that can't be read adds nothing."""
    found: dict[str, Counter[str]] = {}
    try:
        reader = RequestReader(request, raw_query)
        if raw_query:
            _take_pairs(found, "query", reader.query.values)
    except AmbiguityError:
        return found
    if not request.body or len(request.body) > BODY_BYTES_MAX:
        return found
    try:
        if reader.media is MediaType.JSON and isinstance(reader.json, Mapping):
            for name, value in reader.json.items():
                _take(found, "body", str(name), _json_type(value))
        elif reader.media is MediaType.FORM:
            _take_pairs(found, "form", reader.form.values)
    except AmbiguityError:
        pass
    return found


def _take_pairs(
    found: dict[str, Counter[str]], place: str, values: Mapping[str, str | list[str]]
) -> None:
    for name, value in values.items():
        is_list = isinstance(value, list) or name.endswith("[]")
        _take(found, place, name.removesuffix("[]"), "list" if is_list else text_type(str(value)))


def _take(found: dict[str, Counter[str]], place: str, name: str, kind: str) -> None:
    if not kind or not _KEY.fullmatch(name) or len(found) >= FIELDS_MAX:
        return
    # A key that looks like an id is a value too: of a body that maps ids to something.
    if not is_variable(marked([name])[0]):
        found.setdefault(f"{place}.{name}", Counter())[kind] = 1


def _json_type(value: object) -> str:
    """The type of a JSON value; empty for lists of anything but text."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case DecimalText():
            return "decimal"
        case str():
            kind = text_type(value)
            return "text" if kind in ("integer", "boolean") else kind
        case list() if value and all(isinstance(item, str) for item in value):
            return "list"
        case None:
            return "null"
        case Mapping():
            return "object"
        case _:
            return ""


def text_type(text: str) -> str:
    """What a text could be besides text: `integer`, `boolean`, `decimal`, `currency`."""
    if _INTEGER.fullmatch(text):
        return "integer"
    if _DECIMAL.fullmatch(text):
        return "decimal"
    if text in ("true", "false"):
        return "boolean"
    return "currency" if _CURRENCY.fullmatch(text) else "text"
