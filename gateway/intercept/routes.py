"""A request to a base URL of ours -> the same request to the provider behind it, and back. Pure.

`http://gateway:3129/stripe/v1/charges` is `https://api.stripe.com/v1/charges`: the first segment is
taken off, and not one byte of the rest is decoded or respelled. Of an answer, a Location that leads
back to the provider leads back through us; cookies are dropped, because all providers would share
the jar of one host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.intercept.http1 import Head
from gateway.model.authority import parse_authority
from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, Header, ResponseHead

_ROUTE: Final = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})=(https?)://([^/?#@]+)/?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SIGNS_THE_HOST: Final = (b"aws4-hmac-", b"aws4-ecdsa-", b"aws ")
_SIGNED_QUERY: Final = (b"x-amz-signature=", b"x-goog-signature=")


@dataclass(frozen=True, slots=True)
class Route:
    """One provider behind a base URL; `prefix` is the first segment of the path, with its slash."""

    prefix: bytes
    scheme: str
    authority: Authority

    @property
    def host(self) -> bytes:
        """The Host header that the provider expects."""
        if self.authority.port == _DEFAULT_PORTS[self.scheme]:
            return str(self.authority).rpartition(":")[0].encode("ascii")
        return str(self.authority).encode("ascii")

    def rewrite_answer(self, head: ResponseHead) -> ResponseHead:
        """Lead redirects back through us, and drop cookies."""
        headers: list[Header] = []
        for name, value in head.headers:
            lower = name.lower()
            if lower == b"location":
                headers.append((name, self._location(value)))
            elif lower != b"set-cookie":
                headers.append((name, value))
        return replace(head, headers=tuple(headers))

    def _location(self, value: bytes) -> bytes:
        if value[:1] == b"/" and value[:2] != b"//":
            return self.prefix + value
        scheme, separator, rest = value.partition(b"://")
        if not separator or scheme.lower() != self.scheme.encode():
            return value
        end = next((i for i, byte in enumerate(rest) if byte in b"/?#"), len(rest))
        try:
            named = parse_authority(rest[:end], _DEFAULT_PORTS[self.scheme])
        except AgentProtocolError:
            return value
        if named != self.authority:
            return value
        path = rest[end:]
        return self.prefix + (path if path[:1] == b"/" else b"/" + path)


def parse_routes(texts: Sequence[str]) -> dict[bytes, Route]:
    """Read `NAME=https://HOST[:PORT]`, each once; by prefix.

    Raises:
        ValueError: with what is wrong.
    """
    routes: dict[bytes, Route] = {}
    for text in texts:
        match = _ROUTE.fullmatch(text)
        if match is None:
            raise ValueError(f"reverse `{text}`: write NAME=https://HOST, without a path")
        name, scheme, host = match.groups()
        try:
            authority = parse_authority(host, _DEFAULT_PORTS[scheme])
        except AgentProtocolError as error:
            raise ValueError(f"reverse `{text}`: {error.message}") from error
        prefix = b"/" + name.encode("ascii")
        if prefix in routes:
            raise ValueError(f"reverse `{text}`: the name `{name}` is there twice")
        routes[prefix] = Route(prefix, scheme, authority)
    return routes


def find_route(head: Head, routes: Mapping[bytes, Route]) -> tuple[Route, Head]:
    """The provider that a request is for, and the request as the provider will see it.

    Raises:
        AgentProtocolError: `reverse.no_route`, `reverse.signed_host`, `request.target_form`.
    """
    target = head.target
    if target[:1] != b"/":
        raise AgentProtocolError("request.target_form", "the target does not begin with `/`")
    end = next((i for i, byte in enumerate(target) if i and byte in b"/?"), len(target))
    route = routes.get(target[:end])
    if route is None:
        raise AgentProtocolError(
            "reverse.no_route", "no provider is configured under the first part of this path", 404
        )
    rest = target[end:]
    _refuse_signed(head, rest)
    return route, replace(
        head,
        target=rest if rest[:1] == b"/" else b"/" + rest,
        headers=tuple(
            (name, route.host) if name.lower() == b"host" else (name, value)
            for name, value in head.headers
        ),
        fields={**head.fields, b"host": route.host},
    )


def _refuse_signed(head: Head, target: bytes) -> None:
    """A signature over the Host header names ours, and the provider would refuse it with an error
    that leads nobody to the reason."""
    signed = head.fields.get(b"authorization", b"").lower().startswith(_SIGNS_THE_HOST)
    query = target.partition(b"?")[2].lower()
    if signed or any(name in query for name in _SIGNED_QUERY):
        raise AgentProtocolError(
            "reverse.signed_host",
            "the request is signed with its Host header, which a base URL changes: "
            "let this client use the proxy instead",
        )
