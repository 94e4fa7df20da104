"""Turns YAML text into positioned nodes, and collects every problem found in them.

Composes nodes only: no tag ever makes an object. Aliases are refused, so a file's size bounds its
meaning.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import yaml

from gateway.canonicalize.authored.yaml_depth import DEPTH_MAX, is_too_deep
from gateway.model.errors import Problem

FILE_BYTES_MAX = 2_000_000
"""The largest shipped mapper has 60 KB; a file of megabytes is no file that a person reviews."""
NODES_MAX = 200_000
COMPARED_MAX = 2_000
"""How many names are all compared with a wrong one."""

Node = yaml.nodes.Node

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader is ten times faster; it is optional in PyYAML."""

_TAG = "tag:yaml.org,2002:"


def load_bytes(path: Path) -> bytes:
    """What a file holds, up to a byte more than it may hold.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX + 1)


class Document:
    """One file with the problems found in it so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def fault(self, node: Node | None, message: str, help_text: str = "") -> None:
        """Note a problem at a node; at the file as a whole without one."""
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node else (0, 0)
        self.problems.append(Problem(self.file, line, column, message, help_text))

    def compose(self, data: bytes) -> Node | None:
        """Parse the text of the file; None (and a problem) when it is not usable YAML."""
        if len(data) > FILE_BYTES_MAX:
            self.fault(None, f"the file is larger than {FILE_BYTES_MAX} bytes")
            return None
        try:
            text = data.decode("utf-8")
            if is_too_deep(text):
                self.fault(None, f"the file is nested deeper than {DEPTH_MAX} levels")
                return None
            root: Node | None = yaml.compose(text, Loader=_LOADER)
        except UnicodeDecodeError:
            self.fault(None, "the file is not UTF-8")
            return None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            self.problems.append(Problem(self.file, line, column, f"not YAML: {error.problem}"))
            return None
        except (yaml.YAMLError, RecursionError):
            self.fault(None, "not YAML: it is nested too deeply or has forbidden characters")
            return None
        if root is None:
            self.fault(None, "the file is empty", "write `apiVersion`, `kind`, `metadata`, `spec`")
            return None
        return root if self._is_tree(root) else None

    def _is_tree(self, root: Node) -> bool:
        """An alias gives one node two parents; then a small file could mean a huge one."""
        seen: set[int] = set()
        stack: list[Node] = [root]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                self.fault(node, "anchors and aliases are not supported", "write the value again")
                return False
            seen.add(id(node))
            if len(seen) > NODES_MAX:
                self.fault(None, f"the file has more than {NODES_MAX} values")
                return False
            if isinstance(node, yaml.MappingNode):
                stack.extend(part for pair in node.value for part in pair)
            elif isinstance(node, yaml.SequenceNode):
                stack.extend(node.value)
        return True

    # --- values -----------------------------------------------------------------------------------

    def pairs(self, node: Node, what: str) -> list[tuple[str, Node, Node]]:
        """Key, key node and value node of a mapping; a repeated key is a problem."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{what} must be a mapping")
            return []
        found: dict[str, tuple[str, Node, Node]] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.fault(key_node, "a key must be plain text")
            elif key_node.value in found:
                self.fault(key_node, f"`{key_node.value}` is there twice", "keep one of them")
            else:
                found[key_node.value] = (key_node.value, key_node, value_node)
        return list(found.values())

    def fields(
        self, node: Node, what: str, allowed: Iterable[str], required: Iterable[str] = ()
    ) -> dict[str, Node]:
        """The values of a mapping with a fixed set of keys."""
        names = tuple(allowed)
        result: dict[str, Node] = {}
        for key, key_node, value_node in self.pairs(node, what):
            if key in names:
                result[key] = value_node
            else:
                self.fault(key_node, f"`{key}` is no key of {what}", nearest(key, names))
        if isinstance(node, yaml.MappingNode):
            for name in required:
                if name not in result:
                    self.fault(node, f"{what} has no `{name}`", f"add `{name}:`")
        return result

    def text(self, node: Node | None, what: str, default: str = "") -> str:
        """A non-empty text; numbers and booleans have to be quoted."""
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}str" or not node.value:
            self.fault(node, f"{what} must be text", "put it in quotes if it looks like a number")
            return default
        return str(node.value)

    def boolean(self, node: Node | None, what: str, default: bool) -> bool:
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}bool":
            self.fault(node, f"{what} must be true or false")
            return default
        return is_true(node)

    def texts(self, node: Node | None, what: str) -> list[tuple[str, Node]]:
        """A list of texts with their nodes."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, f"{what} must be a list")
            return []
        return [(self.text(item, f"each of {what}"), item) for item in node.value]

    def choice(self, node: Node | None, what: str, choices: Collection[str], default: str) -> str:
        text = self.text(node, what, default)
        if text not in choices:
            self.fault(node, f"`{text}` is no {what}", nearest(text, choices))
            return default
        return text


def is_scalar(node: Node) -> bool:
    return isinstance(node, yaml.ScalarNode)


def elements(node: Node) -> list[Node] | None:
    """The elements of a list; None for anything else."""
    return node.value if isinstance(node, yaml.SequenceNode) else None


def is_true(node: Node) -> bool:
    return str(node.value).lower() in ("true", "yes", "on")


def plain(node: Node) -> object:
    """A node as plain data: for tests and other free-form parts."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    match node.tag.removeprefix(_TAG):
        case "int":
            try:
                return int(node.value)
            except ValueError:
                return str(node.value)
        case "bool":
            return is_true(node)
        case "null":
            return None
        case _:
            return str(node.value)


def mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def nearest(name: str, names: Collection[str]) -> str:
    """The help for an unknown name: the nearest right one, or all of them."""
    candidates = list(names)
    if len(candidates) > COMPARED_MAX:
        # A catalog's operations: comparing with each takes seconds, and a slip of the fingers
        # seldom changes the beginning.
        candidates = [one for one in names if one[:3] == name[:3] and abs(len(one) - len(name)) < 6]
    close = difflib.get_close_matches(name, candidates, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    shown = sorted(names) if len(names) <= COMPARED_MAX else []
    return "use one of " + ", ".join(f"`{item}`" for item in shown[:20]) if shown else ""
