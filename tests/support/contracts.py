"""Holds what the API answers against what its routes declare."""

from __future__ import annotations

import re

from pydantic import ValidationError

from controlplane.api.routing import Route
from controlplane.api.server import ROUTES

_PLACE = re.compile(r"\{(\w+)\}")


def _pattern(path: str) -> re.Pattern[str]:
    """As the router reads it: an id looks like one."""
    return re.compile(
        _PLACE.sub(lambda found: "[0-9a-fA-F-]{32,36}" if found[1] == "id" else "[^/]+", path) + "$"
    )


_PLACES = tuple((one.method, _pattern(one.path), one) for one in ROUTES)


def route_of(method: str, path: str) -> Route | None:
    """The route that a request comes to, as the router finds it: the first one that matches."""
    bare = path.partition("?")[0]
    found = (one for verb, place, one in _PLACES if verb == method and place.match(bare))
    return next(found, None)


def assert_as_declared(method: str, path: str, status: int, text: str) -> None:
    """Fail when a success is none of the declared ones, or has another shape."""
    one = route_of(method, path)
    if one is None or not one.contract.answers or status >= 400:
        return
    assert status in one.contract.answers, f"{method} {one.path} does not declare {status}"
    try:
        one.contract.answers[status].model_validate_json(text)
    except ValidationError as error:
        raise AssertionError(f"{method} {one.path} answers otherwise:\n{error}") from None
