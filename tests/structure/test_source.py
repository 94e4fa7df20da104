"""Holds every source file against the written rules: size, words, purity, permits, tasks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.structure import source_rules as rules
from tests.structure.tree import PRODUCT, ROOT, python_files, relative

Rule = Callable[[str], Iterator[rules.Finding]]

FILES = {
    "gateway/canonicalize/": rules.Files.IN_LOADERS,
    "gateway/decide/conditions/values/zones.py": rules.Files.IN_LOADERS,
    "gateway/decide/loader.py": rules.Files.EVERYWHERE,
}
"""Where pure stages read their own content files, at start and nowhere else."""

PURE = (
    "gateway/model/",
    "gateway/canonicalize/",
    "gateway/decide/",
    "gateway/enforce/gate.py",
    "gateway/enforce/responses.py",
    "gateway/record/chain.py",
    "gateway/record/redact.py",
    "gateway/record/log/",
)

PERMIT_MAKER = "gateway/enforce/gate.py"
PERMIT_DOORS = {
    "gateway/ports.py": {"send", "open_tunnel"},
    "gateway/pipeline.py": {"_forward"},
    "gateway/enforce/upstream.py": {"send", "open_tunnel"},
    # A message goes out by the connection that its WebSocket's handshake opened.
    "gateway/enforce/websocket_messages.py": {"send"},
    # The way out when another proxy does the sending.
    "gateway/addon/waiting.py": {"send", "open_tunnel"},
}


OF_EVERY_FILE: tuple[Rule, ...] = (
    rules.oversized,
    rules.undocumented_module,
    rules.undocumented_tests,
    rules.permits_made,
    rules.permits_taken,
    rules.nameless_tasks,
)
"""Asked together, so that every file is parsed once."""


@functools.cache
def findings(path: Path) -> dict[Rule, list[rules.Finding]]:
    """What each of these rules finds in a file."""
    text = path.read_text()
    return {rule: list(rule(text)) for rule in OF_EVERY_FILE}


def breaches(rule: Rule, paths: list[Path]) -> list[str]:
    """The findings of one rule in many files, as `file:line: message`."""
    assert paths, "a rule that looks at no file proves nothing"
    return [
        f"{relative(path)}:{finding.line}: {finding.message}"
        for path in paths
        for finding in (findings(path)[rule] if rule in OF_EVERY_FILE else rule(path.read_text()))
    ]


def pure_files() -> list[Path]:
    """The modules that may neither look at the world nor touch it."""
    return [path for path in python_files("gateway") if relative(path).startswith(PURE)]


def test_modules_and_functions_stay_small() -> None:
    """A module has at most 400 lines, a function at most 70, tests included."""
    assert breaches(rules.oversized, python_files(*PRODUCT, "tests")) == []


def test_every_module_says_what_it_is() -> None:
    """Every module that isn't empty begins with a docstring."""
    assert breaches(rules.undocumented_module, python_files(*PRODUCT, "tests")) == []


def test_every_test_says_what_it_proves() -> None:
    """Every test function carries the sentence that its failure is read by."""
    files = [path for path in python_files("tests") if path.name.startswith("test_")]

    assert breaches(rules.undocumented_tests, files) == []


def test_pure_modules_are_pure() -> None:
    """No clock, randomness, file, process or socket in the pure stages."""
    found: list[str] = []
    for path in pure_files():
        files = (value for prefix, value in FILES.items() if relative(path).startswith(prefix))
        rule = functools.partial(rules.impure, files=next(files, rules.Files.NOWHERE))
        found += breaches(rule, [path])

    assert found == []


def test_only_the_gate_makes_permits() -> None:
    """INVARIANT(permit): `enforce/gate.py` alone makes a permit."""
    makers = {
        relative(path) for path in python_files(*PRODUCT) if findings(path)[rules.permits_made]
    }

    assert makers == {PERMIT_MAKER}


def test_only_the_way_out_takes_permits() -> None:
    """INVARIANT(permit): a permit is passed to the way out and used nowhere else."""
    doors: dict[str, set[str]] = {}
    for path in python_files(*PRODUCT):
        for finding in findings(path)[rules.permits_taken]:
            doors.setdefault(relative(path), set()).add(finding.message)
    unexpected = {
        path: names - PERMIT_DOORS.get(path, set())
        for path, names in doors.items()
        if names - PERMIT_DOORS.get(path, set())
    }

    assert unexpected == {}
    assert "gateway/ports.py" in doors


def test_every_task_has_a_name() -> None:
    """Every task in the gateway and the control plane is created with a name."""
    assert breaches(rules.nameless_tasks, python_files(*PRODUCT)) == []


def test_every_dependency_has_a_reason() -> None:
    """Each requirement in pyproject.toml stands under the reason for it."""
    assert breaches(rules.unexplained_dependencies, [ROOT / "pyproject.toml"]) == []


@pytest.mark.parametrize("folder", ["gateway", "controlplane", "tests"])
def test_the_rules_look_at_something(folder: str) -> None:
    """Each folder has files, so that the rules above are not satisfied by an empty list."""
    assert python_files(folder)
