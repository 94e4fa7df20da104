"""`checkrein up` keeps its promises: one ready line, all data over restarts, one stack a place."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.command import Checkrein, end, json_lines
from tests.support.terminal import on_terminal, read_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

READY_FIELDS = [
    "proxy_url", "ca_file", "ca_bundle_file", "api_url", "metrics_url", "admin_key_file",
    "tenant_id", "data_dir",
]  # fmt: skip
SECONDS_MAX = 30.0


Up = tuple[Checkrein, subprocess.Popen[str], dict[str, Any]]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running stack for the tests that leave it alive."""
    checkrein = Checkrein(tmp_path_factory.mktemp("up"))
    process, ready = checkrein.start_up()
    yield checkrein, process, ready
    assert end(process) == 0
    assert checkrein.wait_no_leftovers() == []


def blocked_call(checkrein: Checkrein) -> subprocess.CompletedProcess[str]:
    """A call that the starter policy blocks, by a governed curl."""
    return checkrein.here("run", "--", "curl", "-sS", "https://api.stripe.com/v1/payouts", "-d",
                          "amount=900000")  # fmt: skip


def test_the_ready_line(up: Up) -> None:
    """The documented fields in their order; files that are there; keys that only we can read."""
    checkrein, _, ready = up

    assert list(ready) == READY_FIELDS
    assert ready["data_dir"] == str(checkrein.data_dir)
    parts = urlsplit(ready["proxy_url"])
    assert (parts.hostname, parts.username) == ("127.0.0.1", "agent")
    assert parts.password is not None
    assert re.match(r"cr_[a-z2-9]{5}_agent_", parts.password)
    for field in ("ca_file", "ca_bundle_file", "admin_key_file"):
        assert Path(ready[field]).is_file()
    assert Path(ready["admin_key_file"]).stat().st_mode & 0o077 == 0
    with urllib.request.urlopen(ready["api_url"] + "/healthz", timeout=SECONDS_MAX) as response:
        assert response.status == 200


def test_a_second_up_on_the_same_directory_is_told(up: Up) -> None:
    """Whose it is, where its proxy is, what to do; exit 1, and the first goes on."""
    checkrein, process, ready = up

    done = checkrein.here("up", "--json")

    assert done.returncode == 1
    assert f"another `checkrein up` (pid {process.pid}) uses the data directory" in done.stderr
    assert f"its proxy is http://{ready['proxy_url'].rpartition('@')[2]}" in done.stderr
    assert "_agent_" not in done.stderr
    assert process.poll() is None


def test_a_taken_port_names_its_option(up: Up, tmp_path: Path) -> None:
    """Exit 2, the port and the option that changes it; nothing is started."""
    other = Checkrein(tmp_path)
    port = str(urlsplit(up[2]["api_url"]).port)

    done = other.here("up", "--proxy-port", "0", "--metrics-port", "0", "--api-port", port)

    assert done.returncode == 2
    assert f"error: port {port} is taken" in done.stderr
    assert "--api-port 0" in done.stderr
    assert other.leftovers() == []


BAD_OPTIONS = {
    "a policy that can't be read": (
        ("--policies", "{bad}"), "`spec`", "the gateway ended with exit status 2",
    ),
    "a connect-to that is none": (("--connect-to", "nonsense"), "nonsense", "help: "),
}  # fmt: skip


@pytest.mark.parametrize(("words", "said", "also"), BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_bad_options_are_said(words: tuple[str, ...], said: str, also: str, tmp_path: Path) -> None:
    """What the gateway refuses to start with is what the person reads; nothing stays."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: Policy\n")
    other = Checkrein(tmp_path)
    ports = ("--proxy-port", "0", "--metrics-port", "0", "--api-port", "0")

    done = other.here("up", *ports, *(word.format(bad=bad) for word in words))

    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert also in done.stderr
    assert other.wait_no_leftovers() == []


def test_the_record_is_shown_exported_and_verified(up: Up, tmp_path: Path) -> None:
    """A governed call is in `audit tail`; the export verifies, and an edited one does not."""
    checkrein, _, _ = up
    assert "MONEY_OUT_FORBIDDEN" in blocked_call(checkrein).stdout
    file = tmp_path / "record.jsonl"

    deadline = time.monotonic() + SECONDS_MAX
    while "MONEY_OUT_FORBIDDEN" not in checkrein.here("audit", "tail", "-n", "50").stdout:
        assert time.monotonic() < deadline
    verified = checkrein.here("audit", "verify", "--json")
    exported = checkrein.here("audit", "export", "-o", str(file))
    offline = checkrein.run(
        "audit", "verify", str(file), "--key", json.loads(exported.stdout)["key"]
    )

    assert verified.returncode == 0
    assert json.loads(verified.stdout)["intact"] is True
    assert exported.returncode == 0
    assert offline.returncode == 0

    lines = file.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if "MONEY_OUT_FORBIDDEN" in line)
    lines[number] = lines[number].replace('"BLOCK"', '"ALLOW"')
    file.write_text("\n".join(lines) + "\n")
    edited = checkrein.run("audit", "verify", str(file), "--json")

    assert edited.returncode == 1
    found = json.loads(edited.stdout)["breaks"][0]
    assert (found["index"], found["seq"]) == (number - 1, json.loads(lines[number])["seq"])

    line = json.loads(lines[number].replace('"ALLOW"', '"BLOCK"'))
    proof = checkrein.here("audit", "prove", line["decision_id"], "-o", str(tmp_path / "proof"))
    size = str(json.loads(exported.stdout)["size"])
    grown = checkrein.here("audit", "consistency", size, "-o", str(tmp_path / "grown"))
    handed_on = checkrein.run("audit", "verify", str(tmp_path / "proof"), str(tmp_path / "grown"),
                              "--key", json.loads(exported.stdout)["key"])  # fmt: skip
    assert [proof.returncode, grown.returncode, handed_on.returncode] == [0, 0, 0]


def test_approvals_are_listed_shown_and_answered(up: Up) -> None:
    """A held call is in the list; by a shortened id it is shown and denied, and the agent reads
    why."""
    checkrein, _, _ = up
    call = start_change(checkrein, "ch_1")
    approval = wait_for_pending(checkrein)

    shown = checkrein.here("approvals", "show", approval["approvalId"][:8])
    denied = checkrein.here("approvals", "deny", approval["approvalId"][:8], "--reason", "not now")
    again = checkrein.here("approvals", "deny", approval["approvalId"][:8], "--reason", "not now")
    answer, _ = call.communicate(timeout=SECONDS_MAX)

    assert json.loads(shown.stdout)["target"] == {"type": "charge", "id": "ch_1"}
    assert denied.returncode == 0, denied.stderr
    assert json.loads(denied.stdout)["status"] == "DENIED"
    assert "APPROVAL_DENIED" in answer
    assert "not now" in answer
    assert again.returncode == 1
    assert "APPROVAL_NOT_PENDING" in again.stderr


def start_change(checkrein: Checkrein, charge: str) -> subprocess.Popen[str]:
    """A call that the starter policy holds without looking at its target, under way."""
    where = ("--data-dir", str(checkrein.data_dir))
    url = f"https://api.stripe.com/v1/charges/{charge}"
    return checkrein.start("run", *where, "--", "curl", "-sS", url, "-d", "description=x")


def wait_for_pending(checkrein: Checkrein) -> dict[str, Any]:
    """The one approval that waits."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        listed = checkrein.here("approvals", "list", "--status", "PENDING", "--json")
        found: list[dict[str, Any]] = json.loads(listed.stdout)["approvals"]
        if found:
            return found[0]
    raise AssertionError("nothing waits")


def test_watch_writes_what_comes_and_ends_cleanly(up: Up) -> None:
    """In a pipe it writes JSON lines; SIGINT ends it with 0."""
    checkrein, _, _ = up
    call = start_change(checkrein, "ch_2")
    watch = checkrein.start("approvals", "watch", "--data-dir", str(checkrein.data_dir))
    assert watch.stdout is not None
    while (approval := json.loads(watch.stdout.readline()))["status"] != "PENDING":
        pass
    checkrein.here("approvals", "deny", approval["approvalId"], "--reason", "no")
    changed = json.loads(watch.stdout.readline())
    call.communicate(timeout=SECONDS_MAX)

    assert (changed["approvalId"], changed["status"]) == (approval["approvalId"], "DENIED")
    assert end(watch, signal.SIGINT) == 0


def test_one_key_answers_in_watch(up: Up) -> None:
    """On a terminal a card is shown, `d` asks for a reason, and the agent reads it."""
    checkrein, _, _ = up
    where = ("--data-dir", str(checkrein.data_dir))
    with on_terminal(checkrein, "approvals", "watch", *where) as (watch, terminal):
        # Typed before there is a card, so it can't be about it.
        read_until(terminal, b"Waiting for approvals")
        os.write(terminal, b"a")
        call = start_change(checkrein, "ch_3")
        card = read_until(terminal, b"[q]uit")
        os.write(terminal, b"d")
        read_until(terminal, b"reason")
        os.write(terminal, b"not this one\r")
        read_until(terminal, b"denied: ")
        answer, _ = call.communicate(timeout=SECONDS_MAX)
        os.write(terminal, b"q")
        assert watch.wait(SECONDS_MAX) == 0

    assert b"ch_3" in card
    assert "APPROVAL_DENIED" in answer
    assert "not this one" in answer


def test_the_variables_make_a_shell_governed(up: Up) -> None:
    """`eval "$(checkrein env)"` is enough for curl to be governed."""
    checkrein, _, _ = up
    variables = checkrein.here("env").stdout
    environment = {"PATH": os.environ["PATH"], "VARIABLES": variables}

    done = subprocess.run(
        ["sh", "-c", 'eval "$VARIABLES"; exec curl -sS https://api.stripe.com/v1/payouts -d a=1'],
        env=environment, capture_output=True, text=True, check=False, timeout=SECONDS_MAX,
    )  # fmt: skip

    assert "MONEY_OUT_FORBIDDEN" in done.stdout, done.stderr


def test_the_doctor_is_let_in(up: Up) -> None:
    """It knocks at the running gateway, and finds the CA in order."""
    checkrein, _, _ = up

    findings = {
        f["name"]: f for f in json.loads(checkrein.here("doctor", "--json").stdout)["findings"]
    }

    assert findings["gateway"]["governed"] is True
    assert findings["CA"]["governed"] is True
    assert findings["curl"]["governed"] is True


def test_a_killed_gateway_comes_back(up: Up) -> None:
    """It listens on the same port again, and calls are governed as before."""
    checkrein, _, ready = up
    state = json.loads((checkrein.data_dir / "checkrein.json").read_text())
    os.kill(state["pids"]["gateway"], signal.SIGKILL)

    deadline = time.monotonic() + SECONDS_MAX
    while json.loads((checkrein.data_dir / "checkrein.json").read_text())["pids"] == state["pids"]:
        assert time.monotonic() < deadline

    address = urlsplit(ready["proxy_url"])
    place = (address.hostname or "", address.port or 0)
    socket.create_connection(place, timeout=SECONDS_MAX).close()
    assert "MONEY_OUT_FORBIDDEN" in blocked_call(checkrein).stdout
    log = (checkrein.data_dir / "logs" / "supervisor.log").read_text()
    assert "the gateway ended with signal SIGKILL; it is started again" in log


def test_a_restart_keeps_all_data(tmp_path: Path) -> None:
    """Tenant, keys, agents and the record are there after a stop and a start."""
    checkrein = Checkrein(tmp_path)
    process, first = checkrein.start_up()
    blocked_call(checkrein)
    assert checkrein.here("agents", "create", "billing-bot").returncode == 0
    before = json_lines(checkrein.here("audit", "export", "--lines").stdout)
    assert end(process) == 0
    assert not (checkrein.data_dir / "checkrein.json").exists()

    process, second = checkrein.start_up()
    try:
        after = json_lines(checkrein.here("audit", "export", "--lines").stdout)
        agents = json.loads(checkrein.here("agents", "list").stdout)["agents"]
        governed = checkrein.here("run", "--agent", "billing-bot", "--", "curl", "-sS",
                                  "https://api.stripe.com/v1/payouts", "-d", "a=1")  # fmt: skip
        verified = checkrein.here("audit", "verify")
    finally:
        assert end(process) == 0

    assert second["tenant_id"] == first["tenant_id"]
    assert second["proxy_url"].rpartition("@")[0] == first["proxy_url"].rpartition("@")[0]
    assert after[: len(before)] == before
    assert {agent["name"] for agent in agents} == {"agent", "billing-bot"}
    assert "MONEY_OUT_FORBIDDEN" in governed.stdout
    assert verified.returncode == 0, verified.stdout
    assert checkrein.wait_no_leftovers() == []


def test_up_takes_its_policies_as_a_bundle(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`--policy-source control`: the files become the first bundle, and the gateway runs it; given
    again they are not published again."""
    checkrein = Checkrein(tmp_path_factory.mktemp("bundle"))
    for policy in ("observer", "starter"):
        process, _ = checkrein.start_up("--policy-source", "control", "--policies", policy)
        try:
            (bundle,) = json.loads(checkrein.here("bundles", "list").stdout)["bundles"]
            deadline = time.monotonic() + SECONDS_MAX
            while True:
                (gateway,) = json.loads(checkrein.here("gateways").stdout)["gateways"]
                if gateway["isUpToDate"]:
                    break
                assert time.monotonic() < deadline, gateway
            assert (bundle["sequence"], gateway["revision"]) == (1, bundle["revision"])
        finally:
            assert end(process) == 0


NO_READS = """\
apiVersion: checkrein/v1
kind: Policy
metadata: {name: no-reads}
spec:
  defaultEffect: ALLOW
  rules:
    - id: no-reads
      priority: 1
      match: {provider: stripe, kind: read}
      effect: BLOCK
      message: nobody reads charges today
"""

IN_FORCE_SECONDS_MAX = 20.0
"""A second, on a machine that does nothing else meanwhile; and less than the 25 s after which a
gateway asks anew that nobody told anything."""


def test_what_is_activated_is_in_force_soon(up: Up, tmp_path: Path) -> None:
    """Where nobody names files, the control plane's active policies rule: the shipped starter at
    first, and whatever is activated."""
    checkrein, _, _ = up
    file = tmp_path / "no-reads.yaml"
    file.write_text(NO_READS)
    listed = json.loads(checkrein.here("policies", "list", "--json").stdout)["policies"]
    assert [(one["name"], one["status"]) for one in listed] == [("starter", "ACTIVE")]
    done = checkrein.here("policies", "create", str(file), "--activate", "--json")
    activated_at = time.monotonic()
    bundle = json.loads(done.stdout)["activated"]["bundle"]
    try:
        while True:
            (gateway,) = json.loads(checkrein.here("gateways", "--json").stdout)["gateways"]
            if gateway["revision"] == bundle["revision"]:
                break
            assert time.monotonic() - activated_at < IN_FORCE_SECONDS_MAX
        assert (gateway["source"], gateway["isUpToDate"]) == ("control", True)
        read = checkrein.here("run", "--", "curl", "-sS", "https://api.stripe.com/v1/charges/ch_1")
        assert "nobody reads charges today" in read.stdout
    finally:
        checkrein.here("policies", "deactivate", "no-reads")


def test_files_that_are_named_rule_and_that_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """An active policy changes nothing there, and whoever looks at the gateways sees why."""
    checkrein = Checkrein(tmp_path_factory.mktemp("files"))
    process, _ = checkrein.start_up("--policies", "starter")
    try:
        deadline = time.monotonic() + SECONDS_MAX
        found: list[dict[str, Any]] = []
        while not found:
            found = json.loads(checkrein.here("gateways").stdout)["gateways"]
            assert time.monotonic() < deadline
        assert (found[0]["source"], found[0]["isUpToDate"]) == ("files", False)
    finally:
        assert end(process) == 0
