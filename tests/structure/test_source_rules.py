"""Shows that each rule of `source_rules` finds what it forbids, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.structure import source_rules as rules

Rule = Callable[[str], Iterator[rules.Finding]]


def pure_but_loading(text: str) -> Iterator[rules.Finding]:
    """The purity rule as it holds for stages that load their own files."""
    return rules.impure(text, rules.Files.IN_LOADERS)


def loader(text: str) -> Iterator[rules.Finding]:
    """The purity rule as it holds for a module that is a loader."""
    return rules.impure(text, rules.Files.EVERYWHERE)


LONG_FUNCTION = "def long():\n" + "    x = 1\n" * rules.FUNCTION_LINES_MAX
FITTING_FUNCTION = "def long():\n" + "    x = 1\n" * (rules.FUNCTION_LINES_MAX - 1)

CASES: dict[str, tuple[Rule, str, list[str]]] = {
    "a clock by import": (rules.impure, "import time\n", ["`time` in a pure module"]),
    "a clock by name": (
        rules.impure,
        "from time import monotonic\n",
        ["`time` in a pure module"],
    ),
    "a clock through datetime": (
        rules.impure,
        "import datetime\ndatetime.datetime.now(datetime.UTC)\n",
        ["`datetime.datetime.now` in a pure module"],
    ),
    "a date from a number is no clock": (
        rules.impure,
        "from datetime import datetime\ndatetime.fromtimestamp(1)\n",
        [],
    ),
    "randomness": (rules.impure, "import os\nos.urandom(8)\n", ["`os.urandom` in a pure module"]),
    "the environment": (
        rules.impure,
        "import os\nx = os.environ['A']\n",
        ["`os.environ` in a pure module"],
    ),
    "a file by open": (rules.impure, "open('x')\n", ["`open` in a pure module"]),
    "a file by path": (
        rules.impure,
        "def f(p):\n    return p.read_text()\n",
        ["`p.read_text` in a pure module"],
    ),
    "a file in a loader of a pure stage": (
        rules.impure,
        "def load_x(p):\n    return p.read_text()\n",
        ["`p.read_text` in a pure module"],
    ),
    "a file in a loader where loading is allowed": (
        pure_but_loading,
        "def load_x(p):\n    return p.read_text()\n",
        [],
    ),
    "a file outside a loader where loading is allowed": (
        pure_but_loading,
        "def parse_x(p):\n    return p.read_text()\n",
        ["`p.read_text` in a pure module"],
    ),
    "a file in a loader module": (loader, "def parse_x(p):\n    return p.read_text()\n", []),
    "a clock in a loader module": (
        loader,
        "import datetime\ndatetime.datetime.now()\n",
        ["`datetime.datetime.now` in a pure module"],
    ),
    "a clock in a loader function": (
        pure_but_loading,
        "import datetime\ndef load_x(p):\n    datetime.datetime.now()\n",
        ["`datetime.datetime.now` in a pure module"],
    ),
    "a permit by name": (rules.permits_made, "p = Permit('r', 'd')\n", ["makes a `Permit`"]),
    "a permit by module": (
        rules.permits_made,
        "p = decision.Permit('r', 'd')\n",
        ["makes a `Permit`"],
    ),
    "a permit that is only named": (rules.permits_made, "def f(p: Permit): ...\n", []),
    "a door for a permit": (rules.permits_taken, "def f(p: Permit | None): ...\n", ["f"]),
    "a task without a name": (
        rules.nameless_tasks,
        "asyncio.create_task(f())\n",
        ["`create_task` without `name=`"],
    ),
    "a task of a group without a name": (
        rules.nameless_tasks,
        "self.group().create_task(f())\n",
        ["`create_task` without `name=`"],
    ),
    "a task with a name": (rules.nameless_tasks, "asyncio.create_task(f(), name='x')\n", []),
    "a module that is too long": (
        rules.oversized,
        "x = 1\n" * (rules.MODULE_LINES_MAX + 1),
        ["a module of 401 lines; split it by meaning at 400"],
    ),
    "a module that just fits": (rules.oversized, "x = 1\n" * rules.MODULE_LINES_MAX, []),
    "a function that is too long": (
        rules.oversized,
        LONG_FUNCTION,
        ["`long` has 71 lines; 70 are the most"],
    ),
    "a function that just fits": (rules.oversized, FITTING_FUNCTION, []),
    "a module without a docstring": (
        rules.undocumented_module,
        "x = 1\n",
        ["the module has no docstring"],
    ),
    "an empty module": (rules.undocumented_module, "", []),
    "a test without a docstring": (
        rules.undocumented_tests,
        "class TestX:\n    async def test_a(self): ...\n",
        ["`test_a` has no docstring"],
    ),
    "a dependency without a reason": (
        rules.unexplained_dependencies,
        '[project]\ndependencies = [\n  # Why.\n  "a>=1",\n  "b>=1",\n]\n',
        ['no reason above "b>=1",'],
    ),
    "a list that is none of dependencies": (
        rules.unexplained_dependencies,
        '[tool.x]\nselect = [\n  "a",\n]\n',
        [],
    ),
}


@pytest.mark.parametrize(("rule", "text", "expected"), CASES.values(), ids=CASES.keys())
def test_rule_finds_what_it_forbids(rule: Rule, text: str, expected: list[str]) -> None:
    """Each rule reports the breach in the example, in its own words."""
    actual = [finding.message for finding in rule(text)]

    assert actual == expected
