"""Names a run, and finds or makes the key of the agent that it is for."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path

from gateway.cli.api import Api
from gateway.cli.datadir import DataDir, read_key, write_atomically
from gateway.cli.environment import with_run
from gateway.cli.failures import CommandError
from gateway.cli.probe import probe_proxy

GOAL_CHARACTERS_MAX = 32
"""What of a goal goes into the run's name; it travels with every connection."""

KNOWN_SECONDS_MAX = 5.0
"""How long a gateway may take to hear of a new agent."""

DEFAULT_AGENT = "agent"


def name_run(goal: str | None) -> str:
    """A fresh run id: the goal in letters that may stand in proxy credentials, and chance."""
    words = re.sub(r"[^a-z0-9]+", "-", (goal or "run").lower())[:GOAL_CHARACTERS_MAX].strip("-")
    return f"{words or 'run'}-{secrets.token_hex(4)}"


def agent_key(data_dir: DataDir, api: Api, agent: str) -> str:
    """The key by which `agent` is known; the agent is created when nobody knows it yet.

    Raises:
        CommandError: the agent exists and its key is not in this data directory.
    """
    if agent == DEFAULT_AGENT:
        return read_key(data_dir, DEFAULT_AGENT)
    file = agent_key_file(data_dir, agent)
    if file.is_file():
        return file.read_text().strip()
    existing = {known["name"] for known in api.pages("/v1/agents", "agents")}
    if agent in existing:
        raise CommandError(
            f"the key of agent `{agent}` is not in `{data_dir.path}`; it was shown once, when the "
            "agent was created",
            f"put it into `{file}`, or choose another name",
        )
    return create_agent(data_dir, api, agent, {})


def create_agent(data_dir: DataDir | None, api: Api, agent: str, labels: dict[str, str]) -> str:
    """Create an agent; keep its key (mode 0600) in the data directory, if there is one."""
    key = str(api.post("/v1/agents", {"name": agent, "labels": labels})["key"])
    if data_dir is not None:
        file = agent_key_file(data_dir, agent)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(file, key.encode() + b"\n", 0o600)
    return key


def agent_key_file(data_dir: DataDir, agent: str) -> Path:
    """Where the key of a named agent is kept.

    Raises:
        CommandError: the name could not be one of an agent.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", agent):
        raise CommandError(
            f"`{agent}` can't be the name of an agent",
            "use letters, digits, `.`, `_` and `-`, 64 at most",
        )
    return data_dir.path / "agents" / f"{agent}.key"


def proxy_url_for(proxy_url: str, agent: str, key: str, run_id: str) -> str:
    """The proxy URL of one run, once the gateway lets it in.

    Raises:
        CommandError: the gateway is not there, or does not know the agent in time.
    """
    url = with_run(proxy_url, agent, key, run_id)
    deadline = time.monotonic() + KNOWN_SECONDS_MAX
    while not (probe := probe_proxy(url)).is_let_in:
        if probe.status != 407 or time.monotonic() > deadline:
            raise CommandError(
                probe.fault or f"the gateway refused agent `{agent}` with status {probe.status}",
                "`checkrein doctor` looks closer",
            )
        time.sleep(0.1)
    return url
