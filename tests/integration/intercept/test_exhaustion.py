"""A listener that has no file descriptor left waits, and takes the connection afterwards."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from gateway.intercept import listener
from tests.integration.intercept.agent import GET, running_proxy


class ExhaustedSocket:
    """A listening socket whose first accepts find no descriptor."""

    def __init__(self, sock: socket.socket, refusals: int) -> None:
        self.calls = 0
        self._sock = sock
        self._refusals = refusals

    def accept(self) -> tuple[socket.socket, object]:
        self.calls += 1
        if self.calls <= self._refusals:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._sock.accept()

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


async def test_no_descriptor_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting pauses instead of spinning, and the agent is served when there is room again."""
    monkeypatch.setattr(listener, "EXHAUSTED_SECONDS", 0.05)
    async with running_proxy(tmp_path) as proxy:
        assert proxy.listener._sock is not None
        exhausted = ExhaustedSocket(proxy.listener._sock, refusals=2)
        monkeypatch.setattr(proxy.listener, "_sock", exhausted)
        agent = await proxy.tunnel()
        assert (await agent.ask(GET)).status == 200
        assert exhausted.calls <= 5
