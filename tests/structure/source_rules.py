"""Turns one source file into the findings of our written rules. Pure: text in, findings out.

The rules stand here as functions so that `test_source_rules.py` can show that each of them finds
what it forbids; `test_source.py` then holds the whole tree against them.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import Enum

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FUNCTION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef)

IMPURE_MODULES = frozenset(
    {
        "aiohttp", "asyncio", "asyncpg", "http.client", "httptools", "multiprocessing", "random",
        "redis", "requests", "secrets", "select", "selectors", "signal", "socket", "ssl",
        "subprocess", "tempfile", "threading", "time", "urllib.request", "uvloop",
    }
)  # fmt: skip
"""What a pure module has no business importing: clocks, randomness, the network, processes."""

IMPURE_CALLS = frozenset(
    {
        "date.today", "datetime.now", "datetime.today", "datetime.utcnow", "input", "os.getenv",
        "os.urandom", "print", "uuid.uuid1", "uuid.uuid4",
    }
)  # fmt: skip
FILE_CALLS = frozenset({"open", "io.open", "os.open", "os.listdir", "os.scandir", "os.walk"})
FILE_METHODS = frozenset(
    {
        "exists", "glob", "is_dir", "is_file", "iterdir", "mkdir", "open", "read_bytes",
        "read_text", "resolve", "rglob", "unlink", "write_bytes", "write_text",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One breach of a rule, with the line to look at."""

    line: int
    message: str


@functools.lru_cache(maxsize=1)
def _tree(text: str) -> ast.Module:
    """The parsed text, kept while one rule after the other looks at the same file."""
    return ast.parse(text)


@functools.lru_cache(maxsize=1)
def _nodes(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(_tree(text)))


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` for a chain of attributes on a name; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def oversized(text: str) -> Iterator[Finding]:
    """Modules over 400 lines and functions over 70."""
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > MODULE_LINES_MAX:
        yield Finding(1, f"a module of {lines} lines; split it by meaning at {MODULE_LINES_MAX}")
    for node in _nodes(text):
        if isinstance(node, FUNCTION_NODES):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield Finding(
                    node.lineno,
                    f"`{node.name}` has {length} lines; {FUNCTION_LINES_MAX} are the most",
                )


def undocumented_module(text: str) -> Iterator[Finding]:
    """A module without a docstring; an empty file needs none."""
    if text.strip() and ast.get_docstring(_tree(text)) is None:
        yield Finding(1, "the module has no docstring")


def undocumented_tests(text: str) -> Iterator[Finding]:
    """Test functions without a docstring: the sentence that a failure is read by."""
    for node in _nodes(text):
        if not isinstance(node, FUNCTION_NODES) or not node.name.startswith("test"):
            continue
        if ast.get_docstring(node) is None:
            yield Finding(node.lineno, f"`{node.name}` has no docstring")


class Files(Enum):
    """Where a module may read files: nowhere, in its functions named `load_...`, or everywhere
    because the module is a loader."""

    NOWHERE = "nowhere"
    IN_LOADERS = "in loaders"
    EVERYWHERE = "everywhere"


def impure(text: str, files: Files = Files.NOWHERE) -> Iterator[Finding]:
    """Clocks, randomness, the network and files in a module that must have none."""
    tree = _tree(text)
    loading: Container[int] = ()
    if files is Files.IN_LOADERS:
        loading = _lines_of_loaders(tree)
    elif files is Files.EVERYWHERE:
        loading = range(1, text.count("\n") + 2)
    for node in _nodes(text):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names if alias.name in IMPURE_MODULES]
            case ast.ImportFrom(module=str(module)) if module in IMPURE_MODULES:
                found = [module]
            case ast.Call(func=func):
                found = _impure_call(func, may_read=node.lineno in loading)
            case ast.Attribute(value=ast.Name(id="os"), attr="environ"):
                found = ["os.environ"]
            case _:
                continue
        for name in found:
            yield Finding(node.lineno, f"`{name}` in a pure module")


def _impure_call(func: ast.expr, *, may_read: bool) -> list[str]:
    name = dotted_name(func)
    tail = ".".join(name.split(".")[-2:])
    if name in IMPURE_CALLS or tail in IMPURE_CALLS:
        return [name]
    if may_read:
        return []
    if name in FILE_CALLS:
        return [name]
    if isinstance(func, ast.Attribute) and func.attr in FILE_METHODS:
        return [name or f"(...).{func.attr}"]
    return []


def _lines_of_loaders(tree: ast.Module) -> frozenset[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, FUNCTION_NODES) and node.name.lstrip("_").startswith("load"):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return frozenset(lines)


def permits_made(text: str) -> Iterator[Finding]:
    """Calls of `Permit(...)`, and `replace`/`copy` tricks that would make one from another."""
    for node in _nodes(text):
        if isinstance(node, ast.Call) and dotted_name(node.func).split(".")[-1] == "Permit":
            yield Finding(node.lineno, "makes a `Permit`")
        if isinstance(node, ast.Call) and dotted_name(node.func).endswith("Permit.__new__"):
            yield Finding(node.lineno, "makes a `Permit` behind its constructor")


def permits_taken(text: str) -> Iterator[Finding]:
    """Functions with a parameter of type `Permit`: the doors that a permit opens."""
    for node in _nodes(text):
        if not isinstance(node, FUNCTION_NODES):
            continue
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        for argument in arguments:
            if argument.annotation is not None and "Permit" in ast.unparse(argument.annotation):
                yield Finding(node.lineno, node.name)


def nameless_tasks(text: str) -> Iterator[Finding]:
    """Tasks without a name, and `ensure_future`: a task that nobody can tell from another."""
    for node in _nodes(text):
        if not isinstance(node, ast.Call):
            continue
        last = node.func.attr if isinstance(node.func, ast.Attribute) else dotted_name(node.func)
        if last == "ensure_future":
            yield Finding(node.lineno, "`ensure_future`; use `create_task(..., name=...)`")
        if last == "create_task" and not any(word.arg == "name" for word in node.keywords):
            yield Finding(node.lineno, "`create_task` without `name=`")


def unexplained_dependencies(pyproject: str) -> Iterator[Finding]:
    """Dependency lines of a pyproject that don't stand under a comment of their own."""
    inside = False
    explained = False
    for number, line in enumerate(pyproject.splitlines(), 1):
        stripped = line.strip()
        if re.match(r"^(dependencies|[a-z]+) = \[$", stripped):
            inside, explained = _is_requirement_list(pyproject, number), False
        elif stripped == "]":
            inside = False
        elif inside and stripped.startswith("#"):
            explained = True
        elif inside and stripped.startswith('"'):
            if not explained:
                yield Finding(number, f"no reason above {stripped}")
            explained = False


def _is_requirement_list(pyproject: str, number: int) -> bool:
    """Whether the list that opens on this line lies in a table of requirements."""
    heads = [line for line in pyproject.splitlines()[:number] if re.match(r"^\[[a-z]", line)]
    return bool(heads) and heads[-1] in ("[project]", "[project.optional-dependencies]")
