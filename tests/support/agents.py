"""Runs an agent script in its own process, governed by nothing but environment variables.

Turns what the process printed into a `Told`: what its own SDK made of the gateway's answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "end_to_end" / "agents"
AGENT_SECONDS_MAX = 75.0


@dataclass(frozen=True, slots=True)
class Client:
    """A real client, and its native exception (or a base of it) for a refusal. `read_tags` is False
    where a read of this API carries nothing that a test could know it by."""

    name: str
    script: str
    arguments: tuple[str, ...]
    exception: str
    read_tags: bool = True


CLIENTS = (
    Client("stripe", "agent_stripe.py", (), "stripe._error.PermissionError"),
    Client("boto3-s3", "agent_boto3.py", ("s3",), "botocore.exceptions.ClientError"),
    Client("boto3-iam", "agent_boto3.py", ("iam",), "botocore.exceptions.ClientError"),
    Client("boto3-ec2", "agent_boto3.py", ("ec2",), "botocore.exceptions.ClientError"),
    Client(
        "boto3-sts", "agent_boto3.py", ("sts",), "botocore.exceptions.ClientError", read_tags=False
    ),
    Client("slack_sdk", "agent_slack.py", (), "slack_sdk.errors.SlackApiError"),
    Client("requests", "agent_requests.py", (), "requests.exceptions.HTTPError"),
    Client("httpx", "agent_httpx.py", (), "httpx.HTTPStatusError"),
    Client("urllib", "agent_urllib.py", (), "urllib.error.HTTPError"),
    Client("curl", "agent_curl.py", (), "curl: (22)"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the agent says happened. `kinds` are the exception's class and all its bases; `status`
    is None where the client has no HTTP status."""

    ok: bool
    kinds: tuple[str, ...]
    message: str
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    output: str = ""


class RunningAgent:
    """An agent's process. `finish` waits for it; `kill` is a crash of the agent."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it without a goodbye, as a crashed or evicted agent would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=10)

    def finish(self) -> Told:
        """Wait for the agent's end and read what it told."""
        try:
            output, errors = self._process.communicate(timeout=AGENT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return read_told(output, errors, self._process.returncode)


def start_agent(client: Client, act: str, tag: str, environment: Mapping[str, str]) -> RunningAgent:
    """Start the client's script: `act` is `read`, `risky` or `forbidden`."""
    script = str(SCRIPTS / client.script)
    process = subprocess.Popen(
        [sys.executable, script, *client.arguments, act, tag],
        env={**_CREDENTIALS, "PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return RunningAgent(process)


def run_agent(client: Client, act: str, tag: str, environment: Mapping[str, str]) -> Told:
    """Start it and wait for what it tells."""
    return start_agent(client, act, tag, environment).finish()


def read_told(output: str, errors: str, status: int) -> Told:
    """Read an agent's last line, or curl's heads and body."""
    if output.startswith("HTTP/"):
        return _read_curl(output, errors, status)
    if not output.strip():
        return Told(False, ("crashed",), errors, None, output=errors)
    told = json.loads(output.strip().splitlines()[-1])
    headers = {str(key).lower(): str(value) for key, value in told.get("headers", {}).items()}
    return Told(
        told["ok"],
        tuple(told.get("kinds", ())),
        told.get("message", ""),
        told.get("status"),
        headers,
        told.get("result", "") or errors,
    )


def _read_curl(output: str, errors: str, status: int) -> Told:
    """The last head is the upstream's; those before it are the proxy's and interim ones."""
    rest = output
    head = ""
    while rest.startswith("HTTP/"):
        head, _, rest = rest.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()
    headers = dict(_header(line) for line in lines[1:])
    code = int(lines[0].split()[1])
    return Told(status == 0, (errors.strip()[:10],), rest, code, headers, rest)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


_CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    # The SDKs read their configuration from a home; this one is empty.
    "HOME": "/nonexistent",
}
"""What an agent has of its own: the documentation's example credentials, valid nowhere."""
