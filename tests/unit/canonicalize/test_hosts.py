"""Host patterns: which of those that fit a host is the one."""

from __future__ import annotations

import pytest

from gateway.canonicalize.hosts import HostMap

PATTERNS = (
    "api.example.com",
    "*.example.com",
    "*.deep.example.com",
    "*-things.example.com",
    "things.*.rep.example.com",
)


@pytest.mark.parametrize(
    ("host", "pattern"),
    [
        pytest.param("api.example.com", "api.example.com", id="an exact name"),
        pytest.param("other.example.com", "*.example.com", id="a name below"),
        pytest.param("a.b.deep.example.com", "*.deep.example.com", id="the longest suffix"),
        pytest.param("eu-1-things.example.com", "*-things.example.com", id="a dash in front"),
        pytest.param("things.eu-1.rep.example.com", "things.*.rep.example.com", id="inside"),
        pytest.param("things.a.b.rep.example.com", "*.example.com", id="the star is one label"),
        pytest.param("-things.example.com", "*.example.com", id="nothing before the dash"),
        pytest.param("example.com", None, id="the name itself is not below it"),
        pytest.param("example.org", None, id="another name"),
    ],
)
def test_the_most_specific_pattern_is_found(host: str, pattern: str | None) -> None:
    """An exact name before a star inside before a dash before a suffix, the longest first."""
    hosts: HostMap[str] = HostMap()
    for one in PATTERNS:
        hosts.put(one, one)

    assert hosts.find(host) == pattern
    assert sorted(name for name, _ in hosts.patterns()) == sorted(PATTERNS)
    assert [hosts.get(one) for one in PATTERNS] == list(PATTERNS)
