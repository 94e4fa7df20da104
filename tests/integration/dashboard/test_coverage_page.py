"""The page of coverage: what no mapper knows is counted, named, and never trusted."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.integration.dashboard.test_overview import decision, page_with, ship
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)

PAGE = "/dashboard/coverage"


def unmapped(number: int, place: str, **more: Any) -> dict[str, Any]:
    """A decision about what no mapper knows, as a gateway writes it."""
    action = {
        "operation": "unknown",
        "action": "unknown",
        "kind": "unknown",
        "target": {"type": "endpoint", "id": place},
    }
    host, _, path = place.partition("/")
    return decision(
        number, "BLOCK", provider="unknown", actions=[action], method="POST",
        authority=f"{host}:443", path=f"/{path}", **more,
    )  # fmt: skip


async def test_what_no_mapper_knows_is_named(
    client: Client, signed_in: Browser, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """By host, with how often, the newest request and the command; what is mapped is not there,
    and neither is another tenant's."""
    mapped = {"operation": "stripe.refunds.create", "action": "create_refund", "kind": "create"}
    await ship(
        client,
        "gw-coverage",
        [
            unmapped(1, "api.shop.test/v1/orders"),
            unmapped(2, "api.shop.test/v1/orders/7"),
            unmapped(3, "other.test/x", agent="other-bot"),
            decision(4, "ALLOW", actions=[mapped]),
        ],
    )

    text = await page_with(signed_in, "other.test", PAGE)

    assert "<b>3</b><span>about what no mapper knows" in text
    assert "POST /v1/orders/7" in text
    assert "--draft --host api.shop.test -o" in text
    assert "api.stripe.com" not in text
    row = text.partition("<code>api.shop.test</code>")[2].partition("</tr>")[0]
    assert '<td class="num">2</td><td class="num">2</td><td class="num">1</td>' in row
    called = text.partition('id="called"')[2]
    assert "<td>stripe</td>" in called.partition("<details>")[0]
    assert "<li>github " in called.partition("<details>")[2]

    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    async with browsing(client) as other:
        await other.sign_in(key)
        shown = (await other.get(PAGE)).text
        assert "api.shop.test" not in shown
        assert "Everything is mapped" in shown


async def test_nothing_that_was_sent_is_markup(client: Client, signed_in: Browser) -> None:
    """Host, path, provider and decision are whatever an agent, or a broken gateway, wrote."""
    entries = [
        unmapped(20 + number, f"{probe}/{probe}", decision_id=f"{probe}{number}")
        for number, probe in enumerate(PROBES)
    ]
    odd = {**unmapped(40, "odd.test/"), "method": ["x"], "authority": {"a": 1}, "path": None}
    await ship(client, "gw-coverage-probes", [*entries, odd])

    await page_with(signed_in, "odd.test", PAGE)

    shown = await signed_in.get(PAGE)
    for probe in PROBES:
        assert_inert(shown.text, probe)


async def test_who_may_not_audit_gets_no_link_to_a_decision(client: Client) -> None:
    """An author sees what to map; the decisions themselves are for others."""
    await person_key(client, "mapper-author", "PolicyRead")
    async with browsing(client) as browser:
        await browser.sign_in("mapper-author")
        shown = await browser.get(PAGE)
        assert shown.status == 200
        assert "/dashboard/decisions/" not in shown.text
