"""Requests made from the rows of every catalog: each is found again, and no respelling of an act
is ever a read."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.requests import MalformedRequestError, build_request
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.authored.template import VARIABLE
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.file import load_catalog, load_section
from gateway.canonicalize.catalog.lines import row_of
from gateway.content import mappers_dir
from gateway.model.action import Kind
from tests.property.test_canonicalize import RESPELLINGS

ROWS_A_CATALOG = 150
"""Spread evenly over each catalog; all rows of all catalogs would take minutes."""


@dataclass(frozen=True)
class Call:
    """A row and a host where it is found."""

    catalog: str
    host: str
    row: Row

    def __repr__(self) -> str:
        return f"{self.catalog} {self.row.wire} ({self.row.operation})"


@functools.cache
def canonicalizer() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


@functools.cache
def calls() -> tuple[Call, ...]:
    """Some rows of every catalog that is found by path alone."""
    hosts = {mapper.extends: mapper.hosts for mapper in canonicalizer().mappers if mapper.extends}
    found: list[Call] = []
    for name, path in canonicalizer().catalogs.items():
        catalog = load_catalog(path)
        rows = [
            Call(name, host, row_of(line))
            for section in catalog.sections.values()
            for host in (section.hosts or hosts[name])[:1]
            for line in load_section(catalog, section.name)
        ]
        plain = [call for call in rows if call.row.wire and not call.row.when]
        step = max(1, len(plain) // ROWS_A_CATALOG)
        found += plain[::step] if name != "aws" else []
    return tuple(found)


def url_of(call: Call, words: Iterator[str]) -> tuple[str, str]:
    """Method and URL of a call, its variables filled in."""
    method, _, path = call.row.wire.partition(" ")
    host = call.host.replace("*", "some", 1)
    return method, f"https://{host}{VARIABLE.sub(lambda _: next(words), path)}"


def body_of(method: str) -> tuple[list[tuple[str, str]], bytes]:
    if method in ("GET", "HEAD", "DELETE"):
        return [], b""
    return [("Content-Type", "application/json")], json.dumps({"zq": 1}).encode()


some_calls = st.deferred(lambda: st.sampled_from(calls()))
words = st.lists(st.text("xyzqXZ79", min_size=3, max_size=9), min_size=12, max_size=12)


def test_there_are_calls_of_many_catalogs() -> None:
    """The properties below look at many providers, and at acts of each."""
    by_catalog: dict[str, set[Kind]] = {}
    for call in calls():
        by_catalog.setdefault(call.catalog, set()).add(call.row.kind)

    assert len(by_catalog) >= 15
    assert all(kinds - {Kind.READ} for kinds in by_catalog.values())


@settings(max_examples=400)
@given(some_calls, words)
def test_a_row_is_found_again(call: Call, words: list[str]) -> None:
    """The request of a row has the row's kind, or is refused for its body; an act is no read."""
    method, url = url_of(call, iter(words))

    canonical = canonicalizer().canonicalize(build_request(method, url, *body_of(method)))

    kinds = {action.kind for action in canonical.actions}
    assert canonical.refused is not None or kinds
    if call.row.kind is not Kind.READ and not call.row.expand:
        assert Kind.READ not in kinds


@settings(max_examples=600)
@given(some_calls, words, st.sampled_from(sorted(RESPELLINGS)))
def test_no_respelling_of_an_act_is_a_read(call: Call, words: list[str], respelling: str) -> None:
    """Case, encoding, slashes, overrides, content types: never a milder reading."""
    method, url = url_of(call, iter(words))
    headers, body = body_of(method)
    if not body and "body" in respelling:
        return
    plain = canonicalizer().canonicalize(build_request(method, url, headers, body))
    if Kind.READ in {action.kind for action in plain.actions}:
        return

    changed = RESPELLINGS[respelling](method, url, headers, body)
    assert isinstance(changed, tuple)
    try:
        other = canonicalizer().canonicalize(build_request(*changed))
    except MalformedRequestError:
        return

    assert Kind.READ not in {action.kind for action in other.actions}
