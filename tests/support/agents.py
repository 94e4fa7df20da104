"""Runs an agent script in its own process, governed by nothing but environment variables.

Turns what the process printed into a `Told`: what its own SDK made of the gateway's answer.
Processes are forks of an interpreter of the same environment (`warm_interpreter`).
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

SCRIPTS = Path(__file__).parents[1] / "end_to_end" / "agents"
AGENT_SECONDS_MAX = 75.0
INTERPRETERS_MAX = 3
"""So many environments keep an interpreter: two shared gateways, and one of a test's own."""

_WARM = Path(__file__).with_name("warm_interpreter.py")


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

    def __init__(self, told: BinaryIO, output: BinaryIO, errors: BinaryIO) -> None:
        self._told = told
        self._output = output
        self._errors = errors
        first = told.readline()
        assert first, "the interpreter ended before it could become an agent"
        self._pid = int(first)
        self._status: int | None = None

    @property
    def is_running(self) -> bool:
        return not self._has_ended(0)

    def kill(self) -> None:
        """End it without a goodbye, as a crashed or evicted agent would."""
        if self.is_running:
            os.kill(self._pid, signal.SIGKILL)
            assert self._has_ended(10)
        self._read()

    def finish(self) -> Told:
        """Wait for the agent's end and read what it told."""
        if not self._has_ended(AGENT_SECONDS_MAX):
            self.kill()
            raise TimeoutError(f"the agent did not end within {AGENT_SECONDS_MAX:.0f} s")
        assert self._status is not None
        output, errors = self._read()
        return read_told(output, errors, self._status)

    def _read(self) -> tuple[str, str]:
        """What it wrote; once, after its end."""
        texts = []
        for file in (self._output, self._errors):
            with file:
                file.seek(0)
                texts.append(file.read().decode())
        return texts[0], texts[1]

    def _has_ended(self, seconds: float) -> bool:
        if self._status is None:
            poll = select.poll()
            poll.register(self._told, select.POLLIN)
            if not poll.poll(seconds * 1_000):
                return False
            self._status = int(self._told.readline())
            self._told.close()
        return True


class _Interpreter:
    """One that has libraries loaded, and forks. It ends with us, or once it is closed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_WARM)], env=dict(environment), stdin=theirs
            )

    def start(self, command: Sequence[str]) -> RunningAgent:
        """Have it become an agent that runs a script with arguments."""
        output, errors = (cast(BinaryIO, tempfile.TemporaryFile()) for _ in range(2))  # noqa: SIM115
        reader, writer = os.pipe()
        try:
            descriptors = [output.fileno(), errors.fileno(), writer]
            socket.send_fds(self._ours, [json.dumps(command).encode()], descriptors)
        finally:
            os.close(writer)
        return RunningAgent(cast(BinaryIO, os.fdopen(reader, "rb", buffering=0)), output, errors)

    def close(self) -> subprocess.Popen[bytes]:
        """Let it end when its last agent has; its process, to wait for."""
        self._ours.close()
        return self._process


_interpreters: dict[frozenset[tuple[str, str]], _Interpreter] = {}
_ending: list[subprocess.Popen[bytes]] = []


def _interpreter_for(environment: Mapping[str, str]) -> _Interpreter:
    """The one of this very environment; the one used least recently makes room for it."""
    key = frozenset(environment.items())
    found = _interpreters.pop(key, None) or _Interpreter(environment)
    _interpreters[key] = found
    _close_interpreters(INTERPRETERS_MAX)
    return found


def _close_interpreters(count_max: int) -> None:
    while len(_interpreters) > count_max:
        _ending.append(_interpreters.pop(next(iter(_interpreters))).close())


@atexit.register
def _end_interpreters() -> None:
    _close_interpreters(0)
    for process in _ending:
        process.wait(AGENT_SECONDS_MAX)


def start_agent(client: Client, act: str, tag: str, environment: Mapping[str, str]) -> RunningAgent:
    """Start the client's script: `act` is `read`, `risky` or `forbidden`."""
    own = {**_CREDENTIALS, "PATH": os.environ["PATH"], **environment}
    command = [str(SCRIPTS / client.script), *client.arguments, act, tag]
    return _interpreter_for(own).start(command)


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
