"""An OpenAPI 3.0 or 3.1, or Swagger 2.0 document -> rows, one for each operation and base path.

Documents come from anybody, so nothing in them is believed to be of its type, everything is
bounded, and what can't be used becomes a sentence among the problems instead of an exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field, fields_of_schema, type_of_schema
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.authored.template import TemplateError, split_template
from gateway.canonicalize.naming.kinds import verb_of
from gateway.canonicalize.naming.words import words_of
from gateway.model.dataclass import dataclass

PATHS_MAX = 20_000
"""Five times the largest published document."""
PATH_CHARS_MAX = 1_000
NAME_CHARS_MAX = 200
PROBLEMS_MAX = 200
PARAMETERS_MAX = 400
SERVERS_MAX = 20
URLS_MAX = 200
"""URLs that the servers of one document stand for, once their variables have values."""
REFERENCES_MAX = 16
"""References that are followed one after the other; a cycle ends here."""

_MARKS = str.maketrans("", "", "{}+*")  # what a path marks its variables with
_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_READS = re.compile(r"(?:^|[^a-z])(?:read|readonly|read_only|view|list|get)(?:only)?(?:$|[^a-z])")
_WRITES = re.compile(r"(?:^|[^a-z])(?:write|admin|manage|full|edit|delete|create|update)")
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_-]{1,63}\.)*[a-z0-9-]{1,63}")
_ITEM = re.compile(r"(.+)/\{[^{}/]+\}")
_KEYED = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class OpenApiOptions:
    """`prefix` stands before every operation's name; `base_paths`, where given, replace those of
    the document's servers; `skipped` are operation ids that are left out; `scopes_key` is a
    vendor's key that names the scopes an operation needs."""

    rules: RowRules = field(default_factory=RowRules)
    prefix: str = ""
    base_paths: tuple[str, ...] | None = None
    skipped: frozenset[str] = frozenset()
    scopes_key: str = ""


@dataclass(frozen=True, slots=True)
class OpenApiImport:
    """`hosts` are patterns as a mapper writes them; `problems` sentences, each with its place."""

    rows: tuple[Row, ...]
    hosts: tuple[str, ...]
    problems: tuple[str, ...]


def rows_of_openapi(
    document: Mapping[str, object], *, provider: str, options: OpenApiOptions | None = None
) -> OpenApiImport:
    """Read every operation of a document. `provider` names operations that have no id."""
    return _Reader(document, provider, options or OpenApiOptions()).read()


class _Reader:
    def __init__(
        self, document: Mapping[str, object], provider: str, options: OpenApiOptions
    ) -> None:
        self._document = document
        self._provider = provider
        self._options = options
        self._problems: list[str] = []
        self._hosts: dict[str, None] = {}
        self._names: set[str] = set()
        self._is_swagger = str(document.get("swagger", "")).startswith("2")
        self._collections: frozenset[str] = frozenset()

    def read(self) -> OpenApiImport:
        found: dict[tuple[str, str], Row] = {}
        paths = _mapping(self._document.get("paths"))
        if not paths:
            self._problem("the document", "has no `paths`")
        texts = {path.rstrip("/") for path in paths if isinstance(path, str)}
        items = (_ITEM.fullmatch(path) for path in texts)
        self._collections = frozenset(item.group(1) for item in items if item) & texts
        base_paths = self._bases(self._document)
        for position, (path, item) in enumerate(paths.items()):
            if position >= PATHS_MAX:
                self._problem("the document", f"has more than {PATHS_MAX} paths")
                break
            if not isinstance(path, str) or not path.startswith("/"):
                if not str(path).startswith("x-"):
                    self._problem(f"`{str(path)[:80]}`", "is no path")
                continue
            for row in self._path(path, self._resolve(item), base_paths):
                key = re.sub(r"\{[a-z0-9_]+", "{", row.wire), str(sorted(row.when.items()))
                if key in found:
                    other = found[key].operation
                    self._problem(f"`{row.wire}`", f"is `{row.operation}` and `{other}`; kept once")
                else:
                    found[key] = row
        hosts = tuple(sorted(self._hosts))
        return OpenApiImport(tuple(found.values()), hosts, tuple(self._problems))

    def _problem(self, place: str, what: str) -> None:
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.append(f"{place} {what}")

    # --- references -------------------------------------------------------------------------------

    def _resolve(self, node: object) -> Mapping[str, Any]:
        for _ in range(REFERENCES_MAX):
            if not isinstance(node, Mapping):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._lookup(reference)
        return {}

    def _lookup(self, reference: str) -> object:
        if not reference.startswith("#/") or len(reference) > PATH_CHARS_MAX:
            return None
        node: object = self._document
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, Mapping):
                node = node.get(key)
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                return None
        return node

    # --- hosts and base paths ---------------------------------------------------------------------

    def _bases(self, holder: Mapping[str, object]) -> tuple[str, ...]:
        """The base paths of a holder's servers; its hosts are kept."""
        bases: dict[str, None] = {}
        for url in islice(self._urls(holder), URLS_MAX):
            try:
                parts = urlsplit(url)
                host = parts.hostname or ""
            except ValueError:
                self._problem(f"the server `{url[:80]}`", "is no URL")
                continue
            if host and host not in ("localhost", "example.com"):
                self._add_host(host)
            base = "/" + "/".join(part for part in parts.path.split("/") if part)
            bases.setdefault("" if base == "/" else base)
        if self._options.base_paths is not None:
            return self._options.base_paths
        return tuple(bases) or ("",)

    def _urls(self, holder: Mapping[str, object]) -> Iterator[str]:
        if self._is_swagger:
            host, base = holder.get("host"), holder.get("basePath")
            host = host if isinstance(host, str) else ""
            yield (f"https://{host}" if host else "") + (base if isinstance(base, str) else "")
            return
        servers = holder.get("servers")
        for server in servers[:SERVERS_MAX] if isinstance(servers, list) else ():
            url = _mapping(server).get("url")
            if isinstance(url, str) and len(url) <= PATH_CHARS_MAX:
                yield from self._expanded(url, _mapping(_mapping(server).get("variables")))

    def _expanded(self, url: str, variables: Mapping[str, Any]) -> Iterator[str]:
        """A server's URL with its variables: every choice of few, else a star or the default."""
        found = re.search(r"\{([^{}]+)\}", url)
        if found is None:
            yield url
            return
        variable = _mapping(variables.get(found.group(1)))
        choices = variable.get("enum")
        default = str(variable.get("default", ""))
        in_host = "/" not in url[: found.start()].partition("://")[2]
        if isinstance(choices, list) and 0 < len(choices) <= SERVERS_MAX:
            texts = [str(choice) for choice in choices]
        else:
            texts = ["*" if in_host and found.start() > url.find("://") > 0 else default]
        for text in texts[:SERVERS_MAX]:
            if "{" not in text:
                rest = url[: found.start()] + text + url[found.end() :]
                yield from self._expanded(rest, variables)

    def _add_host(self, host: str) -> None:
        """A star can only be a whole first label, so what stands before the last one goes."""
        if "*" in host:
            host = "*." + host.rpartition("*")[2].partition(".")[2]
        if _HOST.fullmatch(host) and len(host) <= 253 and "." in host.removeprefix("*."):
            self._hosts.setdefault(host)
        else:
            self._problem(f"the host `{host[:80]}`", "can't be used as a pattern")

    # --- operations -------------------------------------------------------------------------------

    def _path(self, path: str, item: Mapping[str, Any], base_paths: Sequence[str]) -> Iterator[Row]:
        shared = self._parameters(item.get("parameters"))
        bases = self._bases(item) if "servers" in item else base_paths
        for method in _METHODS:
            operation = item.get(method)
            if not isinstance(operation, Mapping):
                continue
            parameters = {**shared, **self._parameters(operation.get("parameters"))}
            own = self._bases(operation) if "servers" in operation else bases
            described = self._described(path, method.upper(), operation, parameters)
            for base in own if described else ():
                row = self._row(described, base, parameters)
                if row is not None:
                    yield row

    def _row(
        self,
        found: Described | None,
        base: str,
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> Row | None:
        assert found is not None
        path, condition = _conditions(base + found.path)
        for (place, name), parameter in parameters.items():
            if place == "path" and parameter.get("x-multi-segment") is True:
                path = path.replace(f"{{{name}}}", f"{{{name}+}}")
        described = Described(
            found.name, found.method, path, found.words, found.group, found.fields, found.is_read,
            found.is_collection, condition,
        )  # fmt: skip
        try:
            row = row_of(described, self._options.rules)
            split_template(row.wire.partition(" ")[2])
        except TemplateError as error:
            self._problem(f"`{found.method} {path[:80]}`", f"can't be matched: {error}")
            return None
        return row

    def _described(
        self,
        path: str,
        method: str,
        operation: Mapping[str, Any],
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> Described | None:
        if len(path) > PATH_CHARS_MAX:
            self._problem(f"`{path[:80]}`", "is too long a path")
            return None
        name, own = self._name(path, method, operation)
        if name in self._options.skipped:
            return None
        group, _, last = own.rpartition("/")
        if not group and "." in own:
            group, _, last = own.rpartition(".")
        words = words_of(last) if last else []
        if not group:
            tags = operation.get("tags")
            one_word = verb_of(words) is not None and len(words) == 1
            group = str(tags[0]) if one_word and isinstance(tags, list) and tags else ""
        return Described(
            self._options.prefix + name,
            method,
            path,
            words,
            group,
            self._fields(operation, parameters),
            _is_read(self._security(operation)),
            path.rstrip("/") in self._collections,
        )

    def _security(self, operation: Mapping[str, Any]) -> object:
        hinted = operation.get(self._options.scopes_key) if self._options.scopes_key else None
        if isinstance(hinted, str):
            return [{"": hinted.replace(",", " ").split()}]
        return operation.get("security", self._document.get("security"))

    def _name(self, path: str, method: str, operation: Mapping[str, Any]) -> tuple[str, str]:
        """The operation's name, and what of it may have a verb (nothing where it is derived)."""
        given = operation.get("operationId")
        if isinstance(given, str) and 0 < len(given.strip()) <= NAME_CHARS_MAX:
            name = given.strip()
            if name not in self._names:
                self._names.add(name)
                return name, name
            self._problem(f"`{method} {path[:80]}`", f"has the id `{name}` of another operation")
        parts = [part.translate(_MARKS) for part in path.split("/") if part]
        name = ".".join([self._provider, *parts, method.lower()])[:NAME_CHARS_MAX]
        self._names.add(name)
        return name, ""

    # --- what a request carries -------------------------------------------------------------------

    def _parameters(self, node: object) -> dict[tuple[str, str], Mapping[str, Any]]:
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for item in node[:PARAMETERS_MAX] if isinstance(node, list) else ():
            parameter = self._resolve(item)
            place, name = parameter.get("in"), parameter.get("name")
            if isinstance(place, str) and isinstance(name, str):
                found[place, name] = parameter
        return found

    def _fields(
        self,
        operation: Mapping[str, Any],
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> list[Field]:
        found = self._body_fields(operation, parameters)
        for (place, name), parameter in parameters.items():
            key = _KEYED.sub(r".\1", name.removesuffix("[]"))
            if place != "query" or not re.fullmatch(r"[A-Za-z0-9_$:@.-]+", key):
                continue
            schema = self._resolve(parameter.get("schema", parameter))
            kind = type_of_schema(schema, self._resolve)
            if kind is not None:
                required = parameter.get("required") is True
                found.append(Field(name, f"query.{key}", kind, required))
        return found

    def _body_fields(
        self,
        operation: Mapping[str, Any],
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> list[Field]:
        if self._is_swagger:
            return self._swagger_fields(operation, parameters)
        content = _mapping(self._resolve(operation.get("requestBody")).get("content"))
        place = _place([str(key).partition(";")[0].strip().lower() for key in content])
        if not place:
            return []
        for key, value in content.items():
            if place == "form" or "json" in str(key).lower():
                return fields_of_schema(_mapping(value).get("schema"), place, self._resolve)
        return []

    def _swagger_fields(
        self,
        operation: Mapping[str, Any],
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> list[Field]:
        consumes = operation.get("consumes", self._document.get("consumes"))
        kinds = [str(kind).lower() for kind in consumes] if isinstance(consumes, list) else []
        found: list[Field] = []
        for (place, name), parameter in parameters.items():
            if place == "body" and _place(kinds or ["application/json"]) in ("body", "any"):
                found += fields_of_schema(parameter.get("schema"), "body", self._resolve)
            elif place == "formData" and "multipart/form-data" not in kinds:
                kind = type_of_schema(parameter, self._resolve)
                if kind is not None and re.fullmatch(r"[A-Za-z0-9_$:@-]+", name):
                    required = parameter.get("required") is True
                    found.append(Field(name, f"form.{name}", kind, required))
        return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _place(kinds: Sequence[str]) -> str:
    """Where a body's values are read; empty where some client may send what we can't look into."""
    has_json = any(kind.endswith(("/json", "+json")) for kind in kinds)
    has_form = "application/x-www-form-urlencoded" in kinds
    known = sum(
        kind.endswith(("/json", "+json")) or kind == "application/x-www-form-urlencoded"
        for kind in kinds
    )
    if not kinds or known != len(kinds):
        return ""
    return "any" if has_json and has_form else "body" if has_json else "form"


def _conditions(path: str) -> tuple[str, dict[str, str | bool]]:
    """Cut a query off a path template; fixed keys in it (`?action=stop`) become conditions."""
    plain, mark, query = path.partition("?")
    found: dict[str, str | bool] = {}
    for pair in query.split("&") if mark else ():
        key, equals, value = pair.partition("=")
        if equals and "{" not in pair and re.fullmatch(r"[A-Za-z0-9_$:@-]+", key):
            found[f"query.{key}"] = value
    return plain.partition("#")[0], found


def _is_read(security: object) -> bool | None:
    """True where a token that may only read suffices; None where no scope tells."""
    for requirement in security[:PARAMETERS_MAX] if isinstance(security, list) else ():
        scopes: list[str] = []
        for needed in _mapping(requirement).values():
            scopes += [str(scope).lower() for scope in needed] if isinstance(needed, list) else []
        if scopes and all(_READS.search(scope) and not _WRITES.search(scope) for scope in scopes):
            return True
    return None
