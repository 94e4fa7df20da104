"""A stream's body, as the way out takes it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.intercept.http2_stream import Http2Stream
from gateway.intercept.settings import InterceptSettings
from gateway.model.errors import AgentProtocolError


async def test_a_body_that_ends_in_what_was_refused_is_cut() -> None:
    """Trailers end a stream too: who takes the body slowly must not hear that it ended well."""
    link = SimpleNamespace(take_in=lambda *_: None, reset=lambda *_: None)
    stream = Http2Stream(
        1, link, InterceptSettings(), lambda: None, lambda _: None, 0.0  # type: ignore[arg-type]
    )  # fmt: skip
    body = stream.rest([b"first"])
    assert await anext(body) == b"first"
    stream.take_data(b"last", 4)
    stream.leave()
    stream.take_end()
    with pytest.raises(AgentProtocolError) as cut:
        async for _ in body:
            pass
    assert cut.value.code == "body.cut"
