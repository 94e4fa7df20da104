"""The running product that the end-to-end tests share: one oracle, one stack, two gateways.

`ordinary` holds a request for 40 s, longer than any test; `brief` answers `approval_pending` after
one second. Tests that kill or starve something start a stack of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support import providers
from tests.support.agents import CLIENTS, Client
from tests.support.oracle import Oracle
from tests.support.stack import Stack, Upstreams, start_stack
from tests.support.upstream_files import make_upstream_files

BRIEF_HOLD_SECONDS = "1"
LOG_CHARS = 3_000


@pytest.fixture(scope="session")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstreams]:
    """The oracle, with a CA of its own."""
    folder: Path = tmp_path_factory.mktemp("upstreams")
    files = make_upstream_files(folder)
    with Oracle(files.certificate, files.key, providers.answer) as oracle:
        yield Upstreams(oracle.port, files.ca, oracle)


@pytest.fixture(scope="session")
def stack(upstreams: Upstreams) -> Iterator[Stack]:
    """Control plane and both gateways, for tests that leave them alive."""
    running = start_stack("shared", upstreams)
    try:
        running.add_gateway("ordinary")
        running.add_gateway("brief", {"CHECKREIN_HOLD_SECONDS_MAX": BRIEF_HOLD_SECONDS})
        yield running
    finally:
        running.close()


@pytest.fixture
def tag() -> str:
    """A word that no other request of this run carries; letters and digits only."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    """Every real client in turn."""
    found: Client = request.param
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the processes said meanwhile."""
    report = yield
    values = getattr(item, "funcargs", {}).values()
    for running in (value for value in values if isinstance(value, Stack)):
        if report.failed:
            for name, gateway in running.gateways.items():
                report.sections.append((f"gateway {name}", gateway.process.log[-LOG_CHARS:]))
            report.sections.append(("control plane", running.control.process.log[-LOG_CHARS:]))
    return report
