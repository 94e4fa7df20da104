"""The real product as a set of processes: one control plane, any number of gateways, an oracle.

It sets only what an operator would set: variables and files. No object of the product lives in the
test's process, so that a test can't pass by reaching around a process border.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shutil
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.agent_environment import agent_environment
from tests.support.control_api import ControlApi
from tests.support.oracle import Oracle
from tests.support.processes import NotReady, ReadyProcess
from tests.support.providers import HOSTS

SUPPORT = Path(__file__).parent
ROOT = SUPPORT.parents[1]
POLICIES = SUPPORT / "policies"
MAPPERS = (ROOT / "mappers", SUPPORT / "mappers")
PORT_SECONDS_MAX = 60.0
TAKEN = ("address already in use", "the port is taken")
LAST_WORDS_CHARS = 500


def make_folder(name: str) -> Path:
    """A short folder that another user may pass through.

    pytest's own are closed to others, and embedded Postgres runs as one when we are root; a Unix
    socket's path has 107 bytes at most.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"cr-{name}-"))
    folder.chmod(0o755)
    return folder


def _start_on_its_port(process: ReadyProcess) -> Mapping[str, Any]:
    """Start it again and again where a connection of somebody was given its port while it was
    gone: until that connection is over."""
    deadline = time.monotonic() + PORT_SECONDS_MAX
    while True:
        try:
            return process.start()
        except NotReady as ended:
            last = ended.said[-LAST_WORDS_CHARS:]
            if time.monotonic() > deadline or not any(words in last for words in TAKEN):
                raise
        time.sleep(0.1)


class ControlPlane:
    """A control plane with its embedded Postgres, in a folder of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = folder / "control"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.process = ReadyProcess(
            "controlplane",
            {
                "CHECKREIN_DATA_DIR": str(self.data_dir),
                "CHECKREIN_API_PORT": "0",
                "CHECKREIN_LOG_LEVEL": "WARNING",
                **(settings or {}),
            },
            folder / "control.log",
        )

    def start(self) -> None:
        """Start it; after the first time, on the same port."""
        ready = _start_on_its_port(self.process)
        self.process.environment["CHECKREIN_API_PORT"] = ready["api_url"].rpartition(":")[2]

    @property
    def url(self) -> str:
        url: str = self.process.ready["api_url"]
        return url

    def key(self, role: str) -> str:
        """The bootstrap key of a role: `admin`, `gateway` or `agent`."""
        return Path(self.process.ready[f"{role}_key_file"]).read_text().strip()

    @property
    def api(self) -> ControlApi:
        return ControlApi(self.url, self.key("admin"))


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where every known name really is, and the CA that a gateway must trust to go there."""

    port: int
    ca_file: Path
    oracle: Oracle | None = None
    hosts: Sequence[str] = HOSTS

    @property
    def connect_to(self) -> str:
        """Every known name leads to the port, in curl's notation."""
        return ",".join(f"{host}:443:127.0.0.1:{self.port}" for host in self.hosts)


class Gateway:
    """A gateway in a folder of its own; `environment_of_agent` is what an operator would give to
    an agent."""

    def __init__(
        self,
        folder: Path,
        name: str,
        control: ControlPlane,
        upstreams: Upstreams,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.control = control
        self.upstreams = upstreams
        self._environment_of_agent: dict[str, str] = {}
        self.data_dir = folder / name
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.process = ReadyProcess(
            "gateway", self._settings(name, settings or {}), folder / f"{name}.log"
        )

    def _settings(self, name: str, settings: Mapping[str, str]) -> dict[str, str]:
        return {
            "CHECKREIN_DATA_DIR": str(self.data_dir),
            "CHECKREIN_GATEWAY_ID": name,
            "CHECKREIN_PROXY_PORT": "0",
            "CHECKREIN_METRICS_PORT": "0",
            "CHECKREIN_API_URL": self.control.url,
            "CHECKREIN_API_KEY": self.control.key("gateway"),
            "CHECKREIN_POLICIES": str(POLICIES),
            "CHECKREIN_MAPPERS": os.pathsep.join(str(path) for path in MAPPERS),
            "CHECKREIN_CONNECT_TO": self.upstreams.connect_to,
            "CHECKREIN_UPSTREAM_CA": str(self.upstreams.ca_file),
            "CHECKREIN_HOLD_SECONDS_MAX": "40",
            "CHECKREIN_DRAIN_SECONDS_MAX": "2.5",
            **settings,
        }

    def start(self) -> None:
        """Start it; after the first time, on the same port, so that agents find it again."""
        ready = _start_on_its_port(self.process)
        self.process.environment["CHECKREIN_PROXY_PORT"] = str(ready["proxy_port"])

    @property
    def gateway_id(self) -> str:
        gateway_id: str = self.process.ready["gateway_id"]
        return gateway_id

    @property
    def port(self) -> int:
        port: int = self.process.ready["proxy_port"]
        return port

    @property
    def ca_file(self) -> Path:
        return Path(self.process.ready["ca_file"])

    def content_digest(self, content: bytes) -> str:
        """What its record must say of a body or a query, by `gateway/record/README.md`."""
        key = (self.data_dir / "redaction_key").read_bytes().strip()
        made_of_it = hashlib.sha256(b"checkrein.content.v1\n" + key).digest()
        return hmac.digest(made_of_it, content, "sha256").hex()

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        url = self.process.ready["metrics_url"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as response:
            text = response.read().decode()
        found = re.search(rf"^{name} ([0-9.e+]+)$", text, re.MULTILINE)
        assert found is not None, f"no metric {name}"
        return float(found[1])

    @property
    def environment_of_agent(self) -> dict[str, str]:
        """The variables that `checkrein run` would set, with the agent's own key."""
        if not self._environment_of_agent:
            ready = self.process.ready
            self._environment_of_agent = agent_environment(
                self.data_dir,
                f"http://agent:{self.control.key('agent')}@127.0.0.1:{self.port}",
                Path(ready["ca_file"]),
                Path(ready["ca_bundle_file"]),
            )
        return self._environment_of_agent


@dataclass(slots=True)
class Stack:
    """A running product. `gateway` is for ordinary holds, `brief` gives up waiting at once."""

    folder: Path
    control: ControlPlane
    upstreams: Upstreams
    gateways: dict[str, Gateway] = field(default_factory=dict)

    @property
    def oracle(self) -> Oracle:
        assert self.upstreams.oracle is not None
        return self.upstreams.oracle

    @property
    def api(self) -> ControlApi:
        return self.control.api

    @property
    def gateway(self) -> Gateway:
        return self.gateways["ordinary"]

    @property
    def brief(self) -> Gateway:
        return self.gateways["brief"]

    def add_gateway(self, name: str, settings: Mapping[str, str] | None = None) -> Gateway:
        """Start one more gateway on this control plane."""
        gateway = Gateway(self.folder, name, self.control, self.upstreams, settings)
        self.gateways[name] = gateway
        gateway.start()
        return gateway

    def close(self) -> None:
        """End every process and remove the folder."""
        for gateway in self.gateways.values():
            gateway.process.close()
        self.control.process.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def with_own_gateway(
    stack: Stack, settings: Mapping[str, str], upstreams: Upstreams | None = None
) -> Iterator[Stack]:
    """The same control plane, and as `gateway` one that no other test uses."""
    own = Stack(stack.folder, stack.control, upstreams or stack.upstreams)
    name = f"own-{uuid.uuid4().hex[:8]}"
    gateway = Gateway(own.folder, name, own.control, own.upstreams, settings)
    own.gateways["ordinary"] = gateway
    try:
        gateway.start()
        yield own
    finally:
        gateway.process.close()


def start_stack(
    name: str, upstreams: Upstreams, settings: Mapping[str, str] | None = None
) -> Stack:
    """A control plane of its own, without a gateway yet."""
    folder = make_folder(name)
    control = ControlPlane(folder, settings)
    control.start()
    return Stack(folder, control, upstreams)
