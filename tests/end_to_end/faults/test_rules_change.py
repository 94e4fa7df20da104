"""Promise: rules change while requests run, and no request or connection is lost by it; what can't
be used changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import CLIENTS, Told, run_agent
from tests.support.control_api import ApiError
from tests.support.stack import MAPPERS, POLICIES, Gateway, Stack, Upstreams, start_stack
from tests.support.steady import SteadyReads

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

URLLIB = next(client for client in CLIENTS if client.name == "urllib")
READS = "https://api.stripe.com/v1/charges/ch_1"
RELOADS = int(os.environ.get("CHECKREIN_TEST_RELOADS", "50"))
"""Raise it, and pytest's --timeout, for a long run."""
SECONDS_MAX = 20.0
STALE_SECONDS = 3

PROOF = (POLICIES / "proof.yaml").read_text()
WITHOUT_READS = PROOF.replace("effect: ALLOW, reason: SAFE_READ", "effect: BLOCK, reason: NO_READS")
BROKEN = PROOF.replace("priority: 10", "priority: ten")


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Rules in files, to be written to."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@contextmanager
def deciding_by(policies: Path, stack: Stack, name: str, **settings: str) -> Iterator[Gateway]:
    """A gateway of one's own with these files."""
    gateway = stack.add_gateway(name, {"CHECKREIN_POLICIES": str(policies), **settings})
    try:
        yield gateway
    finally:
        gateway.process.close()


@pytest.fixture
def own(upstreams: Upstreams) -> Iterator[Stack]:
    """A control plane of one's own."""
    running = start_stack("rules", upstreams)
    try:
        yield running
    finally:
        running.close()


def wait(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} within {SECONDS_MAX:.0f} s")


def notes_of(gateway: Gateway) -> dict[str, str]:
    """What readiness tells beside being ready or not."""
    url = gateway.process.ready["metrics_url"].replace("/metrics", "/readyz")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            body = json.loads(response.read())
    except urllib.error.HTTPError as error:
        body = json.loads(error.read())
    notes: dict[str, str] = body["notes"] | body["failing"]
    return notes


def loads(stack: Stack, gateway: Gateway) -> list[dict[str, Any]]:
    """Every `policy_loaded` that a gateway recorded."""
    records = stack.api.records(gateway.gateway_id)
    entries = [record.fields for record in records if "policy_loaded" in record.line]
    return [fields for fields in entries if fields.get("event") == "policy_loaded"]


def read(gateway: Gateway, tag: str) -> Told:
    return run_agent(URLLIB, "read", tag, gateway.environment_of_agent)


# --- files ----------------------------------------------------------------------------------------


def test_row_07_fifty_reloads_of_files_under_load(stack: Stack, policies: Path) -> None:
    """Each is taken and recorded, and every request in between is answered by the upstream."""
    file = policies / "proof.yaml"
    # So often that the test does not wait: a change is taken once two looks see the same.
    often = {"CHECKREIN_RELOAD_POLL_SECONDS": "0.05"}
    with deciding_by(policies, stack, "reloading", **often) as gateway:
        with SteadyReads(gateway, READS) as reads:
            reads.wait_more(20)
            for number in range(RELOADS):
                new = policies / ".proof.yaml.new"
                new.write_text(PROOF.replace("person", f"person {number}"))
                before = gateway.process.log.count("rules loaded")
                new.replace(file)
                wait(
                    lambda before=before: gateway.process.log.count("rules loaded") > before,
                    "the change is taken",
                )
                reads.wait_more(4)

        assert reads.failures == []
        assert set(reads.statuses) == {200}
        wait(lambda: len(loads(stack, gateway)) == RELOADS, "every load is recorded")
        assert len({fields["detail"] for fields in loads(stack, gateway)}) == RELOADS


def test_row_08_a_bad_file_keeps_the_old_rules_and_shouts(
    stack: Stack, policies: Path, tag: str
) -> None:
    """With file and line, in readiness, metric and record; mended, the new rules decide; SIGHUP
    makes it look at once."""
    # So rarely that only the signal can be why it looked.
    rarely = {"CHECKREIN_RELOAD_POLL_SECONDS": "3600"}
    line = 1 + next(n for n, text in enumerate(BROKEN.splitlines()) if "priority: ten" in text)
    place = f"proof.yaml:{line}:"
    with deciding_by(policies, stack, "shouting", **rarely) as gateway:

        def write(text: str) -> None:
            (policies / "proof.yaml").write_text(text)
            os.kill(gateway.process.pid, signal.SIGHUP)

        write(BROKEN)
        wait(lambda: place in notes_of(gateway).get("rules", ""), "it is shouted about")
        assert gateway.metric("checkrein_gateway_ruleset_refused") == 1
        refused = {"kind": "gateway", "event": "policy_refused", "gateway": gateway.gateway_id}
        stack.api.wait_record(refused, place)
        assert read(gateway, tag).ok

        write(WITHOUT_READS)
        wait(lambda: "rules" not in notes_of(gateway), "it is mended")
        told = read(gateway, tag)
        assert not told.ok
        assert "NO_READS" in told.message + told.output


# --- bundles --------------------------------------------------------------------------------------


def publish(stack: Stack, text: str) -> dict[str, Any]:
    """Make this policy, with the mappers of the tests, what all gateways run."""
    mappers = [
        {"name": path.name, "text": path.read_text()} for path in sorted(MAPPERS[1].glob("*.yaml"))
    ]
    body = {"documents": [{"name": "proof.yaml", "text": text}], "mappers": mappers}
    found: dict[str, Any] = stack.api.call("POST", "/v1/bundles", body)["bundle"]
    return found


def wait_running(stack: Stack, bundle: dict[str, Any]) -> None:
    """Wait until every gateway has told the control plane that it runs this bundle."""

    def is_everywhere() -> bool:
        found = stack.api.call("GET", "/v1/gateways")["gateways"]
        running = {each["gatewayId"]: each["sequence"] for each in found}
        return all(
            running.get(gateway.gateway_id) == bundle["sequence"]
            for gateway in stack.gateways.values()
        )

    wait(is_everywhere, f"bundle {bundle['sequence']} runs everywhere")


def bundle_gateway(stack: Stack, **settings: str) -> Gateway:
    """A gateway without any policy of its own."""
    nothing = stack.folder / "nothing"
    nothing.mkdir(exist_ok=True)
    return stack.add_gateway(
        "ordinary",
        {
            "CHECKREIN_POLICY_SOURCE": "control",
            "CHECKREIN_POLICIES": str(nothing),
            "CHECKREIN_MAPPERS": "",
            **settings,
        },
    )


def test_row_08_bundles_come_from_the_control_plane(own: Stack, tag: str) -> None:
    """None: everything is refused. Published: it decides. Changed under load: nothing is lost. A
    bad one is never published. Gone: the last good one decides, also after a restart, until it is
    stale; and is taken up again when the control plane is back."""
    gateway = bundle_gateway(own, CHECKREIN_STALE_SECONDS_MAX=str(STALE_SECONDS))
    told = read(gateway, tag)
    assert "NO_POLICY" in told.message + told.output, told
    assert "policy" in notes_of(gateway)

    wait_running(own, publish(own, PROOF))
    assert read(gateway, tag).ok
    with SteadyReads(gateway, READS) as reads:
        for number in range(5):
            wait_running(own, publish(own, PROOF.replace("person", f"person {number}")))
            reads.wait_more(4)
    assert reads.failures == []
    assert set(reads.statuses) == {200}

    with pytest.raises(ApiError) as caught:
        publish(own, BROKEN)
    assert caught.value.status == 422
    wait_running(own, publish(own, WITHOUT_READS))
    assert "NO_READS" in read(gateway, tag).message
    bundle = own.api.call("POST", "/v1/bundles/1/activate", {})["bundle"]
    wait_running(own, bundle)
    assert read(gateway, tag).ok
    assert gateway.metric("checkrein_gateway_bundle_sequence") == bundle["sequence"]

    own.control.process.kill()
    assert gateway.process.stop() == 0
    gateway.start()
    assert gateway.metric("checkrein_gateway_bundle_sequence") == bundle["sequence"]
    wait(lambda: "not confirmed" in notes_of(gateway).get("policy", ""), "it is stale")
    told = read(gateway, tag)
    assert "BUNDLE_STALE" in told.message + told.output, told

    own.control.start()
    wait(lambda: "policy" not in notes_of(gateway), "it is confirmed again")
    assert read(gateway, tag).ok


def test_row_03_what_was_tampered_with_on_disk_does_not_decide(own: Stack, tag: str) -> None:
    """Not the rules, not an older bundle: nothing decides until the control plane gives it anew."""
    gateway = bundle_gateway(own)
    wait_running(own, publish(own, WITHOUT_READS))
    kept = gateway.data_dir / "bundle" / "newest.json"
    first = kept.read_text()
    wait_running(own, publish(own, PROOF))
    assert read(gateway, tag).ok

    for text, code in (
        (kept.read_text().replace("NO_READS", "SAFE_READ").replace("person", "robot"), "signature"),
        (first, "older"),
    ):
        assert gateway.process.stop() == 0
        own.control.process.kill()
        kept.write_text(text)
        gateway.start()
        assert f"bundle.{code}" in notes_of(gateway)["rules"]
        assert "NO_POLICY" in read(gateway, tag).message
        own.control.start()
        wait(lambda: "policy" not in notes_of(gateway), "the right one is fetched")
        assert read(gateway, tag).ok
