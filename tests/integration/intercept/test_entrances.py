"""All ways in of one gateway: each is open when it is asked for, and says what it lacks."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.entrances import Entrances, EntranceSettings
from gateway.model.errors import ConfigurationError
from gateway.settings import load_settings
from tests.integration.intercept.agent import SETTINGS
from tests.support.fakes import FakeClock, FakeGovernor, numbered_ids

ROUTES = ("stripe=https://api.stripe.test",)


def entrances(folder: Path, settings: EntranceSettings, agent: str = "sidecar") -> Entrances:
    """Those of a gateway, not yet open."""
    return Entrances(
        settings, replace(SETTINGS, configured_agent=agent), FakeGovernor(),
        CertificateAuthority.load_or_make(folder / "ca"), FakeClock(), numbered_ids(),
    )  # fmt: skip


async def test_only_the_proxy_is_open_by_itself(tmp_path: Path) -> None:
    """Other ways in are for who asks for them."""
    ways = entrances(tmp_path, EntranceSettings())
    await ways.start()
    assert ways.ready().keys() == {"proxy_host", "proxy_port"}
    await ways.drain(0.1)


async def test_each_way_in_has_a_port_and_drains(tmp_path: Path) -> None:
    """Redirected connections come to one port of IPv4 and IPv6, where there is IPv6."""
    settings = EntranceSettings(transparent_port=0, reverse_port=0, reverse=ROUTES)
    ways = entrances(tmp_path, settings)
    await ways.start()
    ready = ways.ready()
    assert str(ready["reverse_url"]).startswith("http://127.0.0.1:")
    assert {way.address[1] for way in ways.transparent} == {ready["transparent_port"]}
    places = [listener.address for listener in ways.listeners]
    assert len(set(places)) == len(places)
    await ways.drain(0.1)
    for place in places:
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            assert probe.connect_ex(place) != 0


async def test_an_address_that_is_not_here_is_left_out(tmp_path: Path) -> None:
    """A container without IPv6 has nothing that could be redirected there."""
    settings = EntranceSettings(transparent_port=0, transparent_hosts=("127.0.0.1", "192.0.2.1"))
    ways = entrances(tmp_path, settings)
    await ways.start()
    assert [way.address[0] for way in ways.transparent] == ["127.0.0.1"]
    await ways.drain(0.1)


async def test_transparent_mode_needs_to_know_who_acts(tmp_path: Path) -> None:
    """Redirected connections carry no credentials; without an agent the gateway does not start."""
    ways = entrances(tmp_path, EntranceSettings(transparent_port=0), agent="")
    with pytest.raises(ConfigurationError, match="CHECKREIN_CONFIGURED_AGENT"):
        await ways.start()


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """By the setting that says it, not by the proxy's."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ways = entrances(tmp_path, EntranceSettings(reverse_port=port, reverse=ROUTES))
        with pytest.raises(ConfigurationError, match="CHECKREIN_REVERSE_PORT"):
            await ways.start()
        await ways.drain(0.1)


WRONG = {
    "providers without a port": {"CHECKREIN_REVERSE": "stripe=https://api.stripe.com"},
    "a port without providers": {"CHECKREIN_REVERSE_PORT": "3129"},
    "a provider with a path": {
        "CHECKREIN_REVERSE_PORT": "3129", "CHECKREIN_REVERSE": "ai=https://api.openai.com/v1",
    },
}  # fmt: skip


@pytest.mark.parametrize("variables", WRONG.values(), ids=WRONG.keys())
def test_settings_that_would_do_nothing_are_refused(
    variables: dict[str, str], tmp_path: Path
) -> None:
    """At the start, with what is wrong."""
    with pytest.raises(ConfigurationError, match="reverse"):
        load_settings({"CHECKREIN_DATA_DIR": str(tmp_path), **variables})
    told = {
        "CHECKREIN_REVERSE_PORT": "0",
        "CHECKREIN_REVERSE": "a=https://a.test, b=https://b.test",
    }
    settings = load_settings({"CHECKREIN_DATA_DIR": str(tmp_path), **told})
    assert settings.entrances.reverse == ("a=https://a.test", "b=https://b.test")
