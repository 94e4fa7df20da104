"""The API's first walk-through runs as it is written, with curl, against a real `checkrein up`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Checkrein, end

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("curl"), reason="no curl")]

SCRIPT = Path(__file__).with_name("walkthrough.sh")
STEPS_COUNT = 10
END = "---end-of-step---"


class Reader:
    """Types the steps into one shell, and reads what comes."""

    def __init__(self, api_url: str, metrics_url: str, key: str, tenant: str) -> None:
        text = SCRIPT.read_text().replace("http://localhost:8080", api_url)
        self._steps = re.split(r"^(?=# Step \d+:)", text, flags=re.MULTILINE)[1:]
        self._steps = [
            step.replace("http://localhost:9090/metrics", metrics_url) for step in self._steps
        ]
        assert len(self._steps) == STEPS_COUNT
        self._shell = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", "API_KEY": key, "TENANT": tenant},
        )  # fmt: skip

    def do(self, number: int, **filled: str) -> str:
        """What step `number` prints; `filled` are words that a reader puts in."""
        step = self.step(number)
        for placeholder, word in filled.items():
            marker = f"<{placeholder.replace('_', '-')}>"
            assert marker in step
            step = step.replace(marker, word)
        return self.type(step)

    def step(self, number: int) -> str:
        return self._steps[number - 1]

    def type(self, step: str) -> str:
        """What a line or more of the shell print."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{step}\necho\necho {END}\n")
        self._shell.stdin.flush()
        lines = iter(self._shell.stdout.readline, "")
        found = []
        for line in lines:
            if line.strip() == END:
                break
            found.append(line)
        return "".join(found).strip()

    def close(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait(timeout=5)
        self._shell.stdout.close()


@pytest.fixture(scope="module")
def up(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Checkrein, dict[str, Any]]]:
    """A fresh `checkrein up`."""
    checkrein = Checkrein(tmp_path_factory.mktemp("up"))
    process, ready = checkrein.start_up()
    yield checkrein, ready
    end(process)


@pytest.fixture
def reader(up: tuple[Checkrein, dict[str, Any]]) -> Iterator[Reader]:
    """Somebody with the admin's key."""
    _, ready = up
    key = Path(ready["admin_key_file"]).read_text().strip()
    found = Reader(ready["api_url"], ready["metrics_url"], key, ready["tenant_id"])
    yield found
    found.close()


def test_the_walk_through_runs_as_it_is_written(reader: Reader):
    """Ten steps: policy, run, approval, witness, incident, completion, learner, metrics."""
    policy = json.loads(reader.do(1))
    assert "error" not in policy, policy

    run_id = said(reader.do(2), "Run")

    said(reader.do(3), "Approval")
    assert json.loads(reader.do(4)) == {"witnessValid": True, "reasonCode": ""}
    assert json.loads(reader.do(5)) == {
        "witnessValid": False,
        "reasonCode": "WITNESS_HASH_MISMATCH",
    }

    incident = json.loads(reader.do(6))["incident"]
    assert (incident["severity"], incident["status"]) == ("HIGH", "OPEN")
    taken = json.loads(reader.do(7, id_from_step_6=incident["incidentId"]))["incident"]
    assert (taken["status"], taken["acknowledgedBy"]) == ("ACKNOWLEDGED", "operator-alice")

    run = json.loads(reader.do(8))
    assert (run["runId"], run["status"]) == (run_id, "COMPLETED")
    assert json.loads(reader.do(9))["mode"] == "MONITOR"
    counted = reader.do(10)
    for path in ("/v1/policies", "/v1/runs", "/v1/approvals", "/v1/incidents"):
        place = f'agentvault_request_count_total{{method="POST",path="{path}",status="201"}} 1.0'
        assert place in counted


def test_what_else_its_readers_are_promised(up: tuple[Checkrein, dict[str, Any]], reader: Reader):
    """The same create again with its key, a list of one's scope, and an envelope without a key."""
    _, ready = up
    policies = f"{ready['api_url']}/v1/policies"
    create = reader.step(1).replace('"code-agent-guardrails"', '"once"')
    keyed = create.replace("-H", '-H "Idempotency-Key: unique-key-123" -H', 1)
    first, again = reader.type(keyed), reader.type(keyed)
    assert json.loads(first) == json.loads(again)
    headers = '-H "x-api-key: $API_KEY"'
    listed = reader.type(f'curl -s "{policies}?scopeId=$TENANT&scopeType=ORG" {headers}')
    names = [policy["name"] for policy in json.loads(listed)["policies"]]
    assert names.count("once") == 1
    refused = json.loads(reader.type(f"curl -s {policies}"))["error"]
    assert (refused["code"], refused["message"]) == (
        "AUTH_INVALID_CREDENTIALS",
        "Invalid credentials.",
    )
    assert refused["request_id"]
    for probe in ("healthz", "readyz"):
        status = reader.type(f"curl -s -o /dev/null -w '%{{http_code}}' {ready['api_url']}/{probe}")
        assert status == "200"


def test_a_rotated_key_of_the_installation_is_in_its_file(up: tuple[Checkrein, dict[str, Any]]):
    """Commands go on with the new one; the one before is over."""
    checkrein, ready = up
    file = Path(ready["data_dir"]) / "agent.key"
    before = file.read_text()
    keys = json.loads(checkrein.here("keys", "list", "--json").stdout)["keys"]
    key_id = next(key["keyId"] for key in keys if key["agent"] == "agent")
    done = checkrein.here("keys", "rotate", key_id, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["files"] == [str(file)]
    assert file.read_text() == made["key"] + "\n" != before
    assert file.stat().st_mode & 0o077 == 0
    listed = json.loads(checkrein.here("keys", "list", "--json").stdout)["keys"]
    assert next(key["prefix"] for key in listed if key["keyId"] == key_id) == made["key"][:8]


def said(output: str, word: str) -> str:
    """The id that a step prints after a word."""
    found = re.search(rf"^{word}: ([0-9a-f-]{{36}})$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]
