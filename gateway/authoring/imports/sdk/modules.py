"""Follows classes through the modules of a Python SDK, from its source alone: nothing is imported.

What a resource class is called where it is used, and in which file it stands, is read from import
statements, however many packages re-export it.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.model.dataclass import dataclass

IMPORTS_FOLLOWED_MAX = 12
"""No SDK re-exports a class through more packages; a circle of imports ends here."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundClass:
    """A class and the module that defines it, by its dotted name."""

    module: str
    node: ast.ClassDef


class Modules:
    """The modules of one unpacked package, parsed when they are asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees: dict[str, ast.Module | None] = {}
        self._imports: dict[str, dict[str, tuple[str, str]]] = {}

    def tree(self, module: str) -> ast.Module | None:
        """The parsed source of a module, None where the package has no such module."""
        if module not in self._trees:
            path = self._path(module)
            self._trees[module] = None if path is None else ast.parse(path.read_bytes())
        return self._trees[module]

    def find_class(self, module: str, name: str, inside: ast.AST | None = None) -> FoundClass:
        """The class that a name means in a module; `inside` is a function with own imports.

        Raises:
            LookupError: the name is not a class of this package.
        """
        where = module
        owner, dot, last = name.rpartition(".")
        if dot:
            # `devices.DevicesResource`, where `devices` is an imported module.
            source = self._import_of(module, owner, inside)
            if source is not None:
                return self.find_class(".".join(source), last)
        for _ in range(IMPORTS_FOLLOWED_MAX):
            tree = self.tree(where)
            if tree is None:
                break
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and node.name == name:
                    return FoundClass(where, node)
            source = self._import_of(where, name, inside if where == module else None)
            if source is None:
                break
            where, name = source
        raise LookupError(f"`{name}` is no class that `{module}` knows")

    def methods(self, found: FoundClass) -> Iterator[tuple[FoundClass, ast.FunctionDef]]:
        """The methods of a class and of its bases in this package, with who defines them."""
        seen: set[str] = set()
        waiting = [found]
        while waiting:
            owner = waiting.pop(0)
            for node in owner.node.body:
                if isinstance(node, ast.FunctionDef) and node.name not in seen:
                    yield owner, node
            seen |= {node.name for node in owner.node.body if isinstance(node, ast.FunctionDef)}
            for base in owner.node.bases:
                if isinstance(base, ast.Name):
                    with contextlib.suppress(LookupError):
                        waiting.append(self.find_class(owner.module, base.id))

    def _import_of(self, module: str, name: str, inside: ast.AST | None) -> tuple[str, str] | None:
        """Module and name that an imported name stands for."""
        if inside is not None:
            own = self._imports_in(module, ast.walk(inside))
            if name in own:
                return own[name]
        if module not in self._imports:
            tree = self.tree(module)
            self._imports[module] = self._imports_in(module, _outer(tree))
        return self._imports[module].get(name)

    def _imports_in(self, module: str, nodes: Iterable[ast.AST]) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for statement in nodes:
            if isinstance(statement, ast.ImportFrom):
                source = self._absolute(module, statement)
                for alias in statement.names:
                    found.setdefault(alias.asname or alias.name, (source, alias.name))
        return found

    def _absolute(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        path = self._path(module)
        if path is not None and path.name == "__init__.py":
            parts.append("")
        parts = parts[: -node.level]
        return ".".join([*parts, node.module] if node.module else parts)

    def _path(self, module: str) -> Path | None:
        path = self._root.joinpath(*module.split("."))
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.is_file():
                return candidate
        return None


def _outer(tree: ast.Module | None) -> Iterator[ast.AST]:
    """The statements of a module outside its classes and functions: also under TYPE_CHECKING."""
    for node in () if tree is None else tree.body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from node.body
