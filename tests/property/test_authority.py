"""Authorities under any text: read once or refused, and reading again changes nothing."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError

PARTS = st.sampled_from(
    ["a", "api", "test", ".", ":", "443", "0", "0x7f", "1", "127", "[", "]", "::1", "ü", "ß", "@"]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PARTS, max_size=8).map("".join))


@settings(max_examples=400)
@given(TEXTS)
def test_idempotent(text: str) -> None:
    """The canonical form is read as itself, is ASCII and lower case, and is no hidden address."""
    try:
        authority = parse_authority(text, 443)
    except AgentProtocolError:
        return
    assert parse_authority(str(authority), None) == authority
    assert authority.host.isascii()
    assert authority.host == authority.host.lower()
    assert 1 <= authority.port <= 65_535
    if authority.host.rpartition(".")[2].isdigit():
        assert str(ip_address(authority.host)) == authority.host


@given(st.integers(0, 2**32 - 1))
def test_every_spelling_of_an_address(number: int) -> None:
    """Dotted, decimal, hexadecimal and short forms are the same place."""
    dotted = str(ip_address(number))
    a, b, *_ = dotted.split(".")
    short = f"{a}.{b}.{number & 0xFFFF}"
    for spelling in (dotted, str(number), hex(number), hex(number).upper(), short, dotted + "."):
        assert parse_authority(spelling, 443).host == dotted
