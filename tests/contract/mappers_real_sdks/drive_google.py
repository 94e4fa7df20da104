"""Every method of Google's Python client, built offline from its static discovery documents, and
recognised.

Each method is called with its required parameters only, with all of them, and, where it takes
media, with a simple and a resumable upload. `python -m
tests.contract.mappers_real_sdks.drive_google [API ...]` drives all documents (or those of some
APIs) and prints a table of what came out.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import googleapiclient
import httplib2
from googleapiclient.discovery import build_from_document, fix_method_name, key2param
from googleapiclient.http import MediaInMemoryUpload

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.sdk import as_request

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
VARIANTS = ("required", "all", "media", "resumable")
READING = re.compile(
    r"(?:batch|stream|streaming|bulk)*-?(?:get|list|search|query|find|lookup|fetch|read|retrieve|count"
    r"|aggregat|test|check|wait|run.*(?:report|query)|validate|preview|troubleshoot|poll|tail"
    r"|download|render|compare|inspect|lint|suggest|autocomplete|rollup|dailyrollup|group|series"
    r"|labels|resolve|histogram|entities|tokeninfo|introspect|linked(?:sources|targets)|generate"
    r"|partitionquery)",
    re.IGNORECASE,
)
"""Names that a POST may have and still be a read; what each really does was looked at."""


@dataclass(slots=True)
class Tally:
    """What became of the requests that the client made."""

    requests: int = 0
    exact: int = 0
    not_built: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    writes_as_reads: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        return self.exact / self.requests if self.requests else 0.0


@functools.cache
def judge() -> Canonicalizer:
    """The shipped mapper of Google alone."""
    return Canonicalizer.load([mappers_dir() / "google.yaml"])


def document_names(apis: frozenset[str] = frozenset()) -> list[str]:
    """The static documents, all or those of some APIs (`storage`)."""
    names = sorted(path.stem for path in DOCUMENTS.glob("*.json") if path.stem != "index")
    return [name for name in names if not apis or name.partition(".")[0] in apis]


def drive(name: str, tally: Tally, every: int = 1, offset: int = 0) -> None:
    """Call the methods of one document, all or one of `every`, and count what they mean."""
    text = (DOCUMENTS / f"{name}.json").read_text("utf-8")
    # The client adds to the document that it is given, so it gets one of its own.
    document, service = json.loads(text), build_from_document(text, http=httplib2.Http())
    for position, (owner, python_name, method) in enumerate(_methods(service, document)):
        if (position + offset) % every:
            continue
        for variant in VARIANTS:
            if variant in VARIANTS[2:] and "mediaUpload" not in method:
                continue
            try:
                request = _built(getattr(owner, python_name), method, document, variant)
            except (TypeError, ValueError, KeyError) as error:
                tally.not_built.append(f"{method['id']} {variant}: {error}"[:200])
                continue
            _count(request, method, tally)


def _methods(owner: Any, node: Mapping[str, Any]) -> Iterator[tuple[Any, str, Mapping[str, Any]]]:
    for name, method in sorted(node.get("methods", {}).items()):
        yield owner, fix_method_name(name), method
    for name, resource in sorted(node.get("resources", {}).items()):
        yield from _methods(getattr(owner, fix_method_name(name))(), resource)


def _built(call: Any, method: Mapping[str, Any], document: Mapping[str, Any], variant: str) -> Any:
    arguments: dict[str, object] = {}
    for name, parameter in method.get("parameters", {}).items():
        in_path = parameter["location"] == "path"
        shared = name in document.get("parameters", {}) and not in_path
        if not shared and (parameter.get("required") or in_path or variant == "all"):
            value = example(parameter, variant)
            arguments[key2param(name)] = [value] if parameter.get("repeated") else value
    if "request" in method:
        schema = document["schemas"].get(method["request"].get("$ref", ""), {})
        arguments["body"] = _body(schema) if variant == "all" else {}
    if variant in VARIANTS[2:]:
        accepted = method["mediaUpload"]["accept"][0]
        kind = accepted if "*" not in accepted else "application/octet-stream"
        resumable = variant == "resumable"
        arguments["media_body"] = MediaInMemoryUpload(b"media", kind, resumable=resumable)
    return call(**arguments)


def example(parameter: Mapping[str, Any], variant: str = "required") -> object:
    """A value that a parameter takes, of its pattern or its type."""
    if parameter.get("enum"):
        return parameter["enum"][-1]
    match parameter.get("type"):
        case "integer":
            return 1
        case "number":
            return 1.5
        case "boolean":
            return True
    pattern = parameter.get("pattern")
    if not pattern:
        return "1" if parameter.get("format") else "x1"
    rest = "a/b/c" if variant == "all" else "a"
    text = "".join(_of_pattern(_parser.parse(pattern), rest))
    if not re.match(pattern, text):
        raise ValueError(f"`{text}` is no example of {pattern}")
    return text


def _of_pattern(parsed: Any, rest: str) -> Iterator[str]:
    """A text that a regular expression takes; `.*` becomes `rest`."""
    for code, given in parsed:
        match str(code):
            case "LITERAL":
                yield chr(given)
            case "NOT_LITERAL" | "ANY":
                yield "x"
            case "IN":
                yield _of_class(given)
            case "BRANCH":
                yield from _of_pattern(given[1][0], rest)
            case "SUBPATTERN":
                yield from _of_pattern(given[-1], rest)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, repeated = given
                if str(repeated[0][0]) == "ANY":
                    yield rest
                else:
                    for _ in range(least or int(most > 1)):
                        yield from _of_pattern(repeated, rest)


def _of_class(members: Any) -> str:
    code, given = members[0] if len(members) == 1 else members[-1]
    match str(code):
        case "RANGE":
            return chr(given[0])
        case "LITERAL":
            return chr(given)
        case _:
            return "7"


def _body(schema: Mapping[str, Any]) -> dict[str, object]:
    """The scalars and text lists of a body."""
    found: dict[str, object] = {}
    for name, value in schema.get("properties", {}).items():
        match value.get("type"):
            case "string":
                found[name] = "7" if value.get("format") in ("int64", "uint64") else "text"
            case "integer":
                found[name] = 7
            case "boolean":
                found[name] = True
            case "array" if value.get("items", {}).get("type") == "string":
                found[name] = ["one", "two"]
    return found


def _count(request: Any, method: Mapping[str, Any], tally: Tally) -> None:
    uri = request.uri if request.resumable is None else request.resumable_uri or request.uri
    sent = as_request(request.method, uri, request.headers, request.body)
    tally.requests += 1
    canonical = judge().canonicalize(sent)
    if canonical.refused is not None:
        tally.refused[canonical.refused] += 1
        tally.wrong.append(
            f"{method['id']} {request.method} {uri[:120]} refused {canonical.detail}"
        )
        return
    names = {action.operation for action in canonical.actions}
    if names == {method["id"]}:
        tally.exact += 1
    else:
        tally.wrong.append(f"{method['id']} {request.method} {uri[:120]} is {sorted(names)}")
    reading = method["httpMethod"] == "GET" or READING.match(method["id"].rpartition(".")[2])
    for action in canonical.actions:
        tally.kinds[action.kind] += 1
        if action.kind is Kind.READ and not reading:
            tally.writes_as_reads.add(method["id"])


def report(tally: Tally) -> str:
    """The table that a person reads."""
    lines = [
        f"requests          {tally.requests}",
        f"exact             {tally.exact} ({tally.share:.2%})",
        f"not built         {len(tally.not_built)}",
        f"refused           {dict(tally.refused)}",
        f"writes as reads   {sorted(tally.writes_as_reads)}",
        "kinds             " + ", ".join(f"{k} {n}" for k, n in sorted(tally.kinds.items())),
    ]
    return "\n".join([*lines, "", *tally.wrong[:200], *tally.not_built[:20]])


def main(apis: list[str]) -> None:
    """Drive everything and print."""
    tally = Tally()
    for name in document_names(frozenset(apis)):
        drive(name, tally)
    print(report(tally))


if __name__ == "__main__":
    main(sys.argv[1:])
