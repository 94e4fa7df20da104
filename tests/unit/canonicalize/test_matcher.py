"""Finds entries by path: every form of segment, the order between them, and case."""

from __future__ import annotations

import pytest

from gateway.canonicalize.authored.template import TemplateError, split_template, variables_of
from gateway.canonicalize.hosts import HostMap
from gateway.canonicalize.matcher import Entry, PathTrie

TEMPLATES = (
    "/orders", "/orders/{id}", "/orders/search", "/orders/{id}:cancel", "/orders/{id}.json",
    "/orders/{id}-{part}", "/files/{path+}", "/files/{path+}:lock", "/files/readme",
    "/tree/{path+}/children", "/tree/{path+}/children/{child}", "/Resources/{id}",
)  # fmt: skip


def trie(*, ignores_case: bool = False) -> PathTrie:
    found = PathTrie(ignores_case=ignores_case)
    for template in TEMPLATES:
        # Never compiled: the trie needs no more than the name.
        entry = Entry(template, "GET", split_template(template), (), lambda: None)  # type: ignore[arg-type,return-value]
        assert found.add(entry) is None
    return found


def first(path: str, *, ignores_case: bool = False) -> tuple[str, tuple[str, ...]] | None:
    for candidate in trie(ignores_case=ignores_case).candidates(path[1:].split("/"), "GET"):
        return candidate.entry.name, candidate.captured
    return None


PATHS: dict[str, tuple[str, tuple[str, tuple[str, ...]] | None]] = {
    "a literal": ("/orders", ("/orders", ())),
    "a literal before a variable": ("/orders/search", ("/orders/search", ())),
    "a variable": ("/orders/7", ("/orders/{id}", ("7",))),
    "a verb behind a colon": ("/orders/7:cancel", ("/orders/{id}:cancel", ("7",))),
    "another verb is part of the variable": ("/orders/7:pay", ("/orders/{id}", ("7:pay",))),
    "a pattern before a variable": ("/orders/7.json", ("/orders/{id}.json", ("7",))),
    "two variables in a segment": ("/orders/7-2", ("/orders/{id}-{part}", ("7", "2"))),
    "the rest": ("/files/a/b/c", ("/files/{path+}", ("a/b/c",))),
    "the rest with a suffix": ("/files/a/b:lock", ("/files/{path+}:lock", ("a/b",))),
    "a literal before the rest": ("/files/readme", ("/files/readme", ())),
    "the rest is never empty": ("/files/", None),
    "segments behind the rest": ("/tree/a/b/children", ("/tree/{path+}/children", ("a/b",))),
    "a variable behind the rest": (
        "/tree/a/b/children/c", ("/tree/{path+}/children/{child}", ("a/b", "c")),
    ),
    "the rest takes as much as it can": (
        "/tree/a/children/b/children", ("/tree/{path+}/children", ("a/children/b",)),
    ),
    "a dead end": ("/orders/7/items", None),
    "another case": ("/resources/7", None),
}  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS)
def test_the_most_specific_template(
    path: str, expected: tuple[str, tuple[str, ...]] | None
) -> None:
    """Literal before pattern before variable before the rest."""
    assert first(path) == expected


def test_a_server_that_ignores_case() -> None:
    """Literals match in any case; what is captured keeps its own."""
    assert first("/RESOURCES/Ab", ignores_case=True) == ("/Resources/{id}", ("Ab",))


CASES: dict[str, tuple[str, str, bool]] = {
    "a literal in capitals": ("/ORDERS/7", "GET", True),
    "a method that isn't there": ("/ORDERS/7", "DELETE", False),
    "the right case": ("/orders/7", "GET", False),
    "nothing like it": ("/invoices/7", "GET", False),
}


@pytest.mark.parametrize(("path", "method", "expected"), CASES.values(), ids=CASES)
def test_a_path_that_differs_in_case_only(path: str, method: str, expected: bool) -> None:
    """Told apart from one that is unknown whatever its case."""
    assert trie().has_in_other_case(path[1:].split("/"), method) is expected


def test_a_long_path_of_many_ways_ends() -> None:
    """Two ways at each segment don't multiply: a greedy variable is there once a template."""
    path = ["tree", *["children"] * 126]

    assert len(list(trie().candidates(path, "GET"))) < 400
    assert trie().has_in_other_case(["TREE", *["Children"] * 126], "GET") is True


BAD = {
    "no slash": "orders",
    "an empty segment": "/a//b",
    "a variable twice": "/a/{x}/{x}",
    "two that take the rest": "/{x+}/a/{y+}",
    "text before the rest": "/a{x+}",
    "an open brace": "/a/{x",
    "a variable in capitals": "/a/{Id}",
}


@pytest.mark.parametrize("path", BAD.values(), ids=BAD)
def test_a_bad_template(path: str) -> None:
    """What can't be matched is told when it is read."""
    with pytest.raises(TemplateError):
        split_template(path)


def test_variables_stand_in_the_order_of_what_is_captured() -> None:
    """Names and values meet by position."""
    assert variables_of(split_template("/a/{x}-{y}/{z+}")) == ("x", "y", "z")


HOSTS: dict[str, tuple[str, str | None]] = {
    "exact": ("api.x.com", "api.x.com"),
    "below a star": ("a.b.x.com", "*.x.com"),
    "the longest star": ("a.eu.x.com", "*.eu.x.com"),
    "a part of the first label": ("us-east1-ml.y.com", "*-ml.y.com"),
    "a part without what stands before it": ("ml.y.com", None),
    "the star itself": ("x.com", None),
    "a name that only ends alike": ("notx.com", None),
}


@pytest.mark.parametrize(("host", "expected"), HOSTS.values(), ids=HOSTS)
def test_the_most_specific_host(host: str, expected: str | None) -> None:
    """Exact names before stars, longer ones before shorter ones."""
    hosts: HostMap[str] = HostMap()
    for pattern in ("api.x.com", "*.x.com", "*.eu.x.com", "*-ml.y.com"):
        hosts.put(pattern, pattern)

    assert hosts.find(host) == expected
    assert {pattern for pattern, _ in hosts.patterns()} == {
        "api.x.com", "*.x.com", "*.eu.x.com", "*-ml.y.com",
    }  # fmt: skip
