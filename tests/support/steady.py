"""Agents that read all the time over kept connections, and write down whatever is not an answer.

For what must be changed without anybody noticing: a dropped request or connection is a failure.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType

import requests

from tests.support.stack import Gateway

CALL_SECONDS_MAX = 20.0


class SteadyReads:
    """While open, `agents` threads read from `url`, each over one connection. `statuses` counts
    what was answered, `failures` holds what was not."""

    def __init__(self, gateway: Gateway, url: str, agents: int = 4) -> None:
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self._gateway = gateway
        self._url = url
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read) for _ in range(agents)]

    def __enter__(self) -> SteadyReads:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    def wait_more(self, count: int, seconds: float = 20.0) -> None:
        """Wait until so many more were answered."""
        goal, deadline = self.count + count, time.monotonic() + seconds
        while self.count < goal:
            assert time.monotonic() < deadline, f"only {self.count} of {goal}: {self.failures[:3]}"
            time.sleep(0.002)

    def _read(self) -> None:
        key = self._gateway.control.key("agent")
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": f"http://agent:{key}@127.0.0.1:{self._gateway.port}"}
            session.verify = str(self._gateway.ca_file)
            # A retry would hide what is looked for.
            session.mount("https://", requests.adapters.HTTPAdapter(max_retries=0))
            while not self._ending.is_set():
                self._once(session)

    def _once(self, session: requests.Session) -> None:
        try:
            status = session.get(self._url, timeout=CALL_SECONDS_MAX).status_code
        except requests.RequestException as error:
            with self._lock:
                self.failures.append(repr(error))
            return
        with self._lock:
            self.statuses[status] += 1
