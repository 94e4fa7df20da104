"""The client of the control plane: every way to fail is one kind of fault, within its deadline."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.settings import ControlSettings
from gateway.model.errors import ConfigurationError, ControlPlaneError
from tests.support.fake_control_plane import KEY, FakeControlPlane, Scripted, fake_control_plane


@pytest.fixture
async def plane() -> AsyncIterator[FakeControlPlane]:
    """A scripted control plane."""
    async with fake_control_plane() as fake:
        yield fake


def settings_for(url: str, seconds_max: float = 20.0) -> ControlSettings:
    return ControlSettings(
        api_url=url, api_key=KEY, control_seconds_max=seconds_max, response_bytes_max=100_000
    )


@pytest.fixture
async def client(plane: FakeControlPlane) -> AsyncIterator[ControlPlaneClient]:
    """A client of it."""
    client = ControlPlaneClient(settings_for(plane.url))
    yield client
    await client.close()


FAILURES: dict[str, tuple[Scripted, str, int, bool]] = {
    "it hangs": ("hang", "control.unreachable", 0, True),
    "it cuts the connection": ("cut", "control.unreachable", 0, True),
    "it answers half a body": ("garbage", "control.unreadable", 0, True),
    "it answers 200 with a web page": ("html", "control.unreadable", 0, True),
    "it answers a list": ("list", "control.unreadable", 0, True),
    "it answers too much": ("long", "control.unreadable", 0, True),
    "it redirects": ("redirect", "control.rejected", 307, False),
    "it fails": (500, "control.rejected", 500, True),
    "it is starting": (503, "control.rejected", 503, True),
    "it is busy": (429, "control.rejected", 429, True),
    "the key is wrong": (401, "control.rejected", 401, False),
    "the key may not": (403, "control.rejected", 403, False),
}


@pytest.mark.parametrize("what", FAILURES)
async def test_every_failure_is_a_fault(plane: FakeControlPlane, what: str) -> None:
    """With its code, the status, and whether trying again can help; never with the key."""
    client = ControlPlaneClient(settings_for(plane.url, 0.3 if what == "it hangs" else 20.0))
    scripted, code, status, is_retryable = FAILURES[what]
    plane.script = [scripted, scripted]  # a GET on a lost connection is sent once more
    started = time.monotonic()
    with pytest.raises(ControlPlaneError) as caught:
        await client.fetch_directory()
    assert time.monotonic() - started < 15
    await client.close()
    found = caught.value
    assert (found.code, found.status, found.retryable) == (code, status, is_retryable)
    assert KEY not in str(found)
    assert len(plane.calls) == (2 if what == "it cuts the connection" else 1)
    assert plane.calls[0].key == KEY


async def test_nobody_there_is_unreachable() -> None:
    """As when the control plane is down."""
    client = ControlPlaneClient(settings_for("http://127.0.0.1:1"))
    with pytest.raises(ControlPlaneError) as caught:
        await client.fetch_directory()
    assert (caught.value.code, caught.value.retryable) == ("control.unreachable", True)
    await client.close()


async def test_no_address_is_unreachable() -> None:
    """A gateway without a control plane refuses what needs one."""
    client = ControlPlaneClient(ControlSettings())
    with pytest.raises(ControlPlaneError, match="can't be reached"):
        await client.fetch_directory()
    await client.close()


async def test_the_environment_is_no_way_there(
    plane: FakeControlPlane, client: ControlPlaneClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agents' proxy variables would send the gateway through itself."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await client.fetch_directory() == {"agents": [], "revision": "r1"}


async def test_what_a_log_says_is_understood(
    plane: FakeControlPlane, client: ControlPlaneClient
) -> None:
    """The reason and the expected seq of a gap."""
    with pytest.raises(Rejected) as caught:
        await client.ship_records("gw_a", [b'{"seq":7,"prev":"x"}'], "a head")
    found = caught.value
    assert (found.reason, found.expected_seq, found.status) == ("RECORD_GAP", 1, 409)


async def test_an_id_cannot_leave_its_place(client: ControlPlaneClient) -> None:
    """The control plane names approvals; one that is a path would reach another route."""
    for approval_id in ("../agents", "a/b", "", "a?b", "a%2fb", "ä"):
        with pytest.raises(ControlPlaneError):
            await client.fetch_approval(approval_id)


async def test_a_reason_is_a_word(plane: FakeControlPlane, client: ControlPlaneClient) -> None:
    """What the other side calls its error can't carry anything else into a log."""
    plane.script = [400]
    with pytest.raises(Rejected, match="answered 400 `SCRIPTED`"):
        await client.fetch_directory()
    plane.answers["/v1/agents/directory"] = {"error": {"code": "A\nB"}}
    assert await client.fetch_directory() == {"error": {"code": "A\nB"}}


def test_the_key_is_never_shown(tmp_path: Path) -> None:
    """Not by the settings, not by the fault that its file can't be read."""
    assert KEY not in repr(settings_for("http://x"))
    path = tmp_path / "gateway.key"
    path.write_text(KEY + "\n")
    from_file = ControlSettings(api_url="http://x", api_key_file=str(path))
    assert from_file.load_key() == KEY
    with pytest.raises(ConfigurationError, match="the gateway's key can't be read"):
        replace(from_file, api_key_file=str(tmp_path / "missing")).load_key()
