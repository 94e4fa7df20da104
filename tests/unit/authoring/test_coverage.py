"""Coverage: what is mapped, what is not, most frequent first."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.coverage import Gap, measure
from gateway.authoring.recordings.traffic import Entry, Recorded, Unread, Written
from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer

MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  unmatched: {action: call_shop, kind: execute}
  operations:
    GET /orders: list_order
    POST /orders: {action: call_order, kind: unknown}
"""


@pytest.fixture(scope="module")
def canonicalizer(tmp_path_factory: pytest.TempPathFactory) -> Canonicalizer:
    path: Path = tmp_path_factory.mktemp("mappers") / "shop.yaml"
    path.write_text(MAPPER)
    return Canonicalizer.load([path])


def asked(line: str, host: str = "shop.test", *, is_page: bool = False) -> Recorded:
    method, path = line.split(" ")
    return Recorded("", build_request(method, f"https://{host}{path}"), 200, is_page)


def written(path: str, *, is_mapped: bool = False, refused: str = "") -> Written:
    return Written("", "POST", "old.test", path, "unknown", is_mapped, refused)


TRAFFIC: list[Entry] = [
    asked("GET /orders"),
    asked("GET /orders?page=2"),
    asked("POST /orders"),
    asked("DELETE /orders/1"),
    asked("DELETE /orders/2"),
    asked("GET /me"),
    asked("GET /orders//1"),
    asked("GET /x", "other.test"),
    asked("GET /index.html", is_page=True),
    Unread("line 9", "it is no JSON"),
    written("/v1/things/[redacted]"),
    written("/v1/things/17"),
    written("/v1/things/18"),
    written("/v1/things", is_mapped=True),
    written("/v1/x", refused="ambiguous_body"),
]


def test_what_is_counted(canonicalizer: Canonicalizer) -> None:
    """Mapped, undecided, refused, unread and pages are told apart, host by host."""
    found = measure(TRAFFIC, canonicalizer)

    assert (found.requests, found.mapped, found.undecided, found.pages) == (13, 4, 1, 1)
    assert found.refused == {"ambiguous_path": 1, "ambiguous_body": 1}
    assert (found.unread, found.unread_count) == (["line 9: it is no JSON"], 1)
    assert found.by_host == {"shop.test": [7, 3], "other.test": [1, 0], "old.test": [5, 1]}


def test_what_is_not_mapped(canonicalizer: Canonicalizer) -> None:
    """By host and template, most frequent first; what a host calls the rest doesn't map it."""
    assert measure(TRAFFIC, canonicalizer).gaps() == [
        Gap(3, "old.test", "POST", "/v1/things/{thing}"),
        Gap(2, "shop.test", "DELETE", "/orders/{order}"),
        Gap(1, "other.test", "GET", "/x"),
        Gap(1, "shop.test", "GET", "/me"),
    ]


def test_pages_are_counted_when_wanted(canonicalizer: Canonicalizer) -> None:
    """Then they are requests as any other."""
    found = measure(TRAFFIC, canonicalizer, with_pages=True)

    assert (found.requests, found.pages) == (14, 0)


def test_nothing(canonicalizer: Canonicalizer) -> None:
    """No traffic has no gap."""
    found = measure([], canonicalizer)

    assert (found.requests, found.gaps()) == (0, [])
