"""Turns curl's `--connect-to` notation into a rule that sends a name elsewhere. Pure.

HOST1:PORT1:HOST2:PORT2: a request for HOST1:PORT1 is sent to HOST2:PORT2. An empty HOST1 or PORT1
means any, an empty HOST2 or PORT2 means unchanged; IPv6 stands in brackets. The name that is
verified in the certificate stays HOST1: it must never change who the upstream has to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.model.dataclass import dataclass
from gateway.model.exchange import Authority

_HOST = r"(?:\[([0-9A-Fa-f:.]*)\]|([^:\[\]\s/@]*))"
_NOTATION = re.compile(rf"{_HOST}:([0-9]{{0,5}}):{_HOST}:([0-9]{{0,5}})")
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """`host` and `port` are what is asked for, None for any; `to_host` and `to_port` are where it
    is sent, None for unchanged."""

    host: str | None
    port: int | None
    to_host: str | None
    to_port: int | None

    def matches(self, authority: Authority) -> bool:
        return self.host in (None, authority.host) and self.port in (None, authority.port)

    def apply(self, authority: Authority) -> Authority:
        return Authority(self.to_host or authority.host, self.to_port or authority.port)


def parse_connect_to(text: str) -> ConnectTo:
    """Parse HOST:PORT:ADDR:PORT.

    Raises:
        ValueError: the text has another form; the message says so in one sentence.
    """
    match = _NOTATION.fullmatch(text.strip())
    if match is None:
        raise _unreadable(text)
    host = (match[1] or match[2] or "").lower().rstrip(".")
    to_host = (match[4] or match[5] or "").lower().rstrip(".")
    if not host and not match[3] and not to_host and not match[6]:
        raise _unreadable(text)
    return ConnectTo(
        host or None, _parse_port(match[3], text), to_host or None, _parse_port(match[6], text)
    )


def find_override(rules: Iterable[ConnectTo], authority: Authority) -> ConnectTo | None:
    """The first rule that matches, as curl does it; the operator orders them."""
    for rule in rules:
        if rule.matches(authority):
            return rule
    return None


def _parse_port(digits: str, text: str) -> int | None:
    if not digits:
        return None
    port = int(digits)
    if not 0 < port <= PORT_MAX:
        raise _unreadable(text)
    return port


def _unreadable(text: str) -> ValueError:
    return ValueError(f"`{text}` is not of the form HOST:PORT:ADDRESS:PORT")
