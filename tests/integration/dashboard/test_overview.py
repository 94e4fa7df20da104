"""The overview's numbers: counted once as records are read, of one tenant alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from controlplane.dashboard.charts import Bar, nice_ceiling, stacked_bars
from controlplane.services.runs.facts import read_fact
from controlplane.services.runs.overview import KINDS_PER_MINUTE_MAX, OTHER, count_steps
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.projection import NewStep, SeenRecord
from tests.support.chains import chain
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)

NOW = datetime.now(UTC)


def decision(number: int, effect: str, **more: Any) -> dict[str, Any]:
    """A record of a decision, as a gateway writes it."""
    return {
        "kind": "intent" if effect == "ALLOW" else "decision",
        "at": (NOW - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "decision_id": f"dec_{number}",
        "request_id": f"req_{number}",
        "agent": "billing-bot",
        "provider": "stripe",
        "actions": [{"operation": "stripe.refunds.create", "action": "create_refund"}],
        "effect": effect,
        "mode": "enforce",
        "reason_code": "REFUND_BUDGET",
        "risk": {"score": 10, "factors": []},
        **more,
    }


def outcome(number: int, status: int | None, micros: Any) -> dict[str, Any]:
    return {
        "kind": "outcome",
        "at": (NOW - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "decision_id": f"dec_{number}",
        "outcome": "executed",
        "status": status,
        "duration_us": micros,
    }


async def ship(client: Client, gateway: str, entries: list[Mapping[str, Any]]) -> None:
    body = {"gatewayId": gateway, "records": chain(gateway, entries)}
    answer = await client.call("POST", "/v1/records", body, "gateway")
    assert answer.status == 200, answer


async def page_with(browser: Browser, words: str, path: str = "/dashboard") -> str:
    """The page's text, once it has the words: records are read a moment after they came."""
    async with asyncio.timeout(10):
        while True:
            text = unescape((await browser.get(path)).text)
            if words in text:
                return text
            await asyncio.sleep(0.05)


async def test_decisions_are_counted_and_drawn(
    client: Client,
    signed_in: Browser,
    postgres_server: EmbeddedPostgres,
    database_name: str,
) -> None:
    """By effect, action, reason and provider; an approved act counts once; no other tenant's."""
    await ship(
        client,
        "gw-overview",
        [
            decision(1, "ALLOW"),
            outcome(1, 200, 300_000),
            decision(2, "ALLOW"),
            outcome(2, 503, 500_000),
            decision(3, "BLOCK"),
            decision(4, "REQUIRE_APPROVAL"),
            decision(4, "REQUIRE_APPROVAL", kind="intent", approval={"id": "x"}),
            outcome(4, 200, 100_000),
            outcome(5, None, 9_000_000),
            decision(6, "BLOCK", mode="monitor", actions=[{"action": "<b>probe</b>"}]),
        ],
    )

    text = await page_with(signed_in, "Allow 2")

    assert "In the last hour: 2 ALLOW, 2 BLOCK, 1 REQUIRE_APPROVAL." in text
    assert "<b>5</b><span>decisions, last hour" in text
    assert "create_refund" in text
    assert 'billing-bot <span class="muted">REFUND_BUDGET' in text
    assert "300 ms" in text
    assert "500 ms" in text
    assert "(1 failed)" in text
    assert "&lt;b&gt;probe" in (await signed_in.get("/dashboard")).text
    for period in ("24h", "7d", "nonsense"):
        assert "create_refund" in (await signed_in.get(f"/dashboard?period={period}")).text

    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    async with browsing(client) as other:
        await other.sign_in(key)
        assert "create_refund" not in (await other.get("/dashboard")).text


async def test_answers_after_their_batch_find_their_provider(
    client: Client, signed_in: Browser
) -> None:
    """An outcome that comes in a later batch is of the provider of its decision."""
    first = decision(11, "ALLOW", provider="github")
    lines = chain("gw-late", [first, outcome(11, 200, 7_000_000)])
    for line in lines:
        body = {"gatewayId": "gw-late", "records": [line]}
        await client.call("POST", "/v1/records", body, "gateway")

    await page_with(signed_in, "7.0 s")


def test_names_without_end_stay_bounded() -> None:
    """An agent that makes up names is counted under `(other)` beyond a limit, and all of it is."""
    steps = [
        fact
        for number in range(500)
        if isinstance(
            fact := read_fact(_seen(decision(number, "ALLOW", agent=f"a{number}"))), NewStep
        )
    ]

    counts = count_steps(steps)

    assert len(counts) == KINDS_PER_MINUTE_MAX + 1
    assert sum(one.decisions for one in counts) == 500
    assert counts[-1].agent == OTHER


def _seen(fields: Mapping[str, Any]) -> SeenRecord:
    import json

    return SeenRecord(1, "gw", 1, str(fields["kind"]), json.dumps(fields), NOW)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 4), (4, 4), (5, 5), (11, 20), (99, 100), (101, 200), (12_345, 20_000)]
)
def test_axes_end_at_round_numbers(value: int, top: int) -> None:
    """The next 1, 2, 4, 5 or 8 times a power of ten."""
    assert nice_ceiling(value) == top


def test_a_chart_says_in_words_what_it_shows() -> None:
    """Title and description for who can't see it; numbers on each bar; nothing is markup."""
    drawn = stacked_bars([Bar(NOW, {"ALLOW": 2, "BLOCK": 1})], "Per <minute>", 'a "b"')

    assert '<title id="chart-title">Per &lt;minute&gt;</title>' in drawn
    assert "2 ALLOW, 1 BLOCK</title>" in drawn
    assert "style=" not in drawn
    assert stacked_bars([], "none", "none").count("<rect") == 0
