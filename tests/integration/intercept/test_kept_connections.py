"""A connection that is kept alive gives nothing that a new one would not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.intercept.agent import CREDENTIALS, GET, post, running_proxy

ABSOLUTE = b"GET http://api.test/x HTTP/1.1\r\nHost: api.test\r\n" + CREDENTIALS + b"\r\n"


@pytest.mark.parametrize("is_tunnel", [True, False])
async def test_who_is_disabled_loses_the_connections_that_they_have(
    tmp_path: Path, is_tunnel: bool
) -> None:
    """A connection that is kept alive is no way to outlive one's key: every request on it is by
    whom the directory knows then, with the labels of then, also one whose body was on its way."""
    request = GET if is_tunnel else ABSOLUTE
    async with running_proxy(tmp_path) as proxy:
        agent = await (proxy.tunnel() if is_tunnel else proxy.dial())
        assert (await agent.ask(request)).status == 200
        proxy.governor.labels["team"] = "new"
        assert (await agent.ask(request)).status == 200
        labels = [dict(each.principal.labels) for each in proxy.governor.exchanges]
        assert labels == [{}, {"team": "new"}]
        if is_tunnel:
            agent.send(post(b"abc")[:-1])
            await asyncio.sleep(0)
        proxy.governor.is_disabled = True
        agent.send(b"c" if is_tunnel else request)
        assert (await agent.read_answer()).status == 407
        assert len(proxy.governor.exchanges) == 2
        assert [error.code for error in proxy.governor.refusals] == ["agent.unknown"]
