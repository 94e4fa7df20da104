"""What the mitmproxy addon makes of a flow. mitmproxy itself is not needed: flows are made here."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.addon.addon import CheckreinAddon
from gateway.addon.flows import find_authority, make_exchange_request, read_head
from gateway.intercept.settings import InterceptSettings
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Principal
from gateway.ports import TunnelVerdict
from gateway.settings import load_settings

SETTINGS = InterceptSettings()
Fields = list[tuple[bytes, bytes]]


def flow(authority: bytes, fields: Fields, method: bytes = b"GET", path: bytes = b"/v1") -> Any:
    """A request as mitmproxy tells of it, in TLS to api.test."""
    request = SimpleNamespace(
        scheme="https", host="api.test", port=443, pretty_host="api.test", raw_content=b"",
        headers=SimpleNamespace(fields=fields),
        data=SimpleNamespace(method=method, path=path, authority=authority),
    )  # fmt: skip
    client = SimpleNamespace(sni="api.test", id="one")
    return SimpleNamespace(request=request, client_conn=client, response=None, error=None)


@pytest.mark.parametrize(
    ("authority", "fields", "said"),
    [
        (b"api.test", [], "api.test:443"),
        (b"", [(b"Host", b"api.test")], "api.test:443"),
        (b"api.test:443", [(b"host", b"API.test")], "api.test:443"),
        (b"other.test", [(b"host", b"api.test")], "authority.mismatch"),
        (b"api.test", [(b"host", b"other.test")], "authority.mismatch"),
        (b"api.test:8443", [(b"host", b"api.test")], "authority.mismatch"),
    ],
    ids=["the target", "Host", "both the same", "another target", "another Host", "another port"],
)
def test_a_request_names_one_host(authority: bytes, fields: Fields, said: str) -> None:
    """HTTP/3 and targets in absolute form can name two, of which an upstream may take either."""
    made = flow(authority, fields)
    try:
        head = read_head(made, SETTINGS)
        found = str(make_exchange_request(made, head, find_authority(made), 1_000).authority)
    except AgentProtocolError as error:
        found = error.code
    assert found == said


async def test_a_tunnel_does_not_outlive_its_agents_key(tmp_path: Path) -> None:
    """Who acts is asked for every request that comes in it."""
    keys = {"agent": "secret"}

    async def authenticate(agent: str, key: str) -> Principal | None:
        return Principal(agent) if keys.get(agent) == key else None

    pipeline = SimpleNamespace(
        authenticate=authenticate, admit_tunnel=lambda *_: TunnelVerdict.INTERCEPT
    )
    addon = CheckreinAddon(load_settings({"CHECKREIN_DATA_DIR": str(tmp_path)}))
    addon._joined = SimpleNamespace(pipeline=pipeline)  # type: ignore[assignment]
    token = base64.b64encode(b"agent:secret")
    await addon.http_connect(
        flow(b"api.test:443", [(b"Proxy-Authorization", b"Basic " + token)], b"CONNECT", b"")
    )
    keys.clear()
    with pytest.raises(AgentProtocolError) as refused:
        await addon._govern(flow(b"api.test", []))
    assert refused.value.code == "agent.unauthenticated"
