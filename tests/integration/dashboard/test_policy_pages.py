"""Pages of policies: written, checked, compared, put in force as it was seen, and never lost."""

from __future__ import annotations

import re
import uuid

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.content import shipped_policies
from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)

NEW = "/dashboard/policies/new"


def document(name: str, effect: str = "BLOCK", message: str = "refunds are not made here") -> str:
    return (
        "apiVersion: checkrein/v1\n"
        "kind: Policy\n"
        f"metadata: {{name: {name}}}\n"
        "spec:\n"
        "  defaultEffect: BLOCK\n"
        "  rules:\n"
        f"    - {{id: refunds, priority: 10, match: {{action: create_refund}}, effect: {effect}, "
        f"reason: NO_REFUNDS, message: {message}}}\n"
    )


def a_name() -> str:
    return f"p-{uuid.uuid4().hex[:8]}"


async def kept(browser: Browser, text: str) -> str:
    """The path of a policy that was just written."""
    shown = await browser.submit(NEW, NEW, {"document": text, "save": "1"})
    assert shown.status == 303, shown.text
    return shown.location.partition("/activate")[0]


def hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found is not None, name
    return found[1]


@pytest.fixture
async def in_force(signed_in: Browser) -> tuple[Browser, str, str]:
    """A browser, and the path and name of a policy of which version 1 is in force."""
    name = a_name()
    path = await kept(signed_in, document(name))
    page = (await signed_in.get(f"{path}/activate")).text
    fields = {"etag": hidden(page, "etag"), "version": "1", "comment": "first"}
    went = await signed_in.submit(f"{path}/activate", f"{path}/activate", fields)
    assert went.status == 303, went.text
    return signed_in, path, name


async def test_a_policy_is_written_put_in_force_and_taken_out(
    client: Client, in_force: tuple[Browser, str, str]
) -> None:
    """Each step says what it did, and the API sees the same."""
    browser, path, name = in_force
    other = await kept(browser, document(a_name()))
    page = (await browser.get(f"{other}/activate")).text
    fields = {"etag": hidden(page, "etag"), "version": "1"}
    await browser.submit(f"{other}/activate", f"{other}/activate", fields)

    shown = (await browser.get(path)).text
    assert "in force" in shown
    assert "refunds are not made here" in shown
    assert name in (await browser.get("/dashboard/policies?status=ACTIVE")).text
    assert name not in (await browser.get("/dashboard/policies?status=DRAFT")).text
    policy = (await client.call("GET", f"/v1/policies/{path.rpartition('/')[2]}")).body["policy"]
    assert (policy["status"], policy["version"]) == ("ACTIVE", 1)

    fields = {"etag": hidden(shown, "etag"), "comment": "season is over"}
    went = await browser.submit(path, f"{path}/deactivate", fields)
    assert "no longer in force" in (await browser.follow(went)).text
    policy = (await client.call("GET", f"/v1/policies/{path.rpartition('/')[2]}")).body["policy"]
    assert policy["status"] == "ARCHIVED"


async def test_what_differs_is_shown_before_it_is_in_force(
    in_force: tuple[Browser, str, str],
) -> None:
    """The rule, the line and the effect, on the page that asks for the yes and on any two."""
    browser, path, name = in_force
    edited = document(name, effect="ALLOW")
    fields = {"document": edited, "etag": hidden((await browser.get(f"{path}/edit")).text, "etag")}
    went = await browser.submit(f"{path}/edit", f"{path}/edit", {**fields, "save": "1"})
    assert went.location == f"{path}/activate?version=2"
    asked = (await browser.follow(went)).text
    for place in (asked, (await browser.get(f"{path}/diff?before=1&after=2")).text):
        assert "line-removed" in place
        assert "effect: ALLOW" in place
        assert ">changed<" in place
    assert "What it would have changed" in asked
    assert "Version 2 is a draft and not in force" in (await browser.get(path)).text


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (document("x").replace("priority: 10, ", ""), "7:", "priority"),
        (document("x").replace("effect: BLOCK", "efect: BLOCK"), "7:", "efect"),
        ("a: [", "2:1", "YAML"),
        ("", "", "policy"),
    ],
)
async def test_a_bad_policy_is_explained_line_by_line_and_kept_in_the_editor(
    signed_in: Browser, text: str, place: str, why: str
) -> None:
    """By Check, by Keep, and by the script's question: the same findings, and the text stays."""
    for fields in ({"check": "1"}, {"save": "1"}):
        shown = await signed_in.submit(NEW, NEW, {"document": text, **fields})
        assert shown.status == (200 if "check" in fields else 422)
        assert why in shown.text
        assert 'class="findings"' in shown.text
        assert text.replace('"', "&#34;") in shown.text
    part = await signed_in.submit(NEW, "/dashboard/policies/try", {"document": text, "check": "1"})
    assert part.status == 200
    assert "<html" not in part.text
    assert place in part.text


async def test_cases_are_run_and_the_preview_tells_what_would_change(signed_in: Browser) -> None:
    """In the editor, without keeping anything."""
    cases = (
        "cases:\n  - name: a refund passes\n"
        "    action: {provider: stripe, action: create_refund, kind: create}\n"
        "    expect: {effect: ALLOW}\n"
    )
    name = a_name()
    for effect, said in (("ALLOW", "The case holds"), ("BLOCK", "a refund passes")):
        fields = {"document": document(name, effect=effect), "cases": cases, "check": "1"}
        shown = await signed_in.submit(NEW, NEW, fields)
        assert said in shown.text
        assert "Nothing is recorded yet" in shown.text or "Of the last" in shown.text
    fields = {"document": document(name), "cases": "nonsense: [", "check": "1"}
    assert "cases can&#39;t be read" in (await signed_in.submit(NEW, NEW, fields)).text
    assert name not in (await signed_in.get("/dashboard/policies")).text


async def test_a_lost_race_costs_no_text(in_force: tuple[Browser, str, str]) -> None:
    """Who saves second is told, keeps the text, and can keep it on top of the other's version."""
    browser, path, name = in_force
    etag = hidden((await browser.get(f"{path}/edit")).text, "etag")
    mine, theirs = document(name, message="mine"), document(name, message="theirs")
    fields = {"etag": etag, "base": "1", "save": "1"}
    edit = f"{path}/edit"
    assert (await browser.submit(edit, edit, {**fields, "document": theirs})).status == 303
    late = await browser.submit(edit, edit, {**fields, "document": mine})
    assert late.status == 409
    assert "Somebody changed this policy" in late.text
    assert mine in late.text
    assert f"{path}/diff?before=1&amp;after=2" in late.text
    again = {**fields, "document": mine, "etag": hidden(late.text, "etag")}
    assert (await browser.submit(edit, edit, again)).location == f"{path}/activate?version=3"


async def test_a_stale_yes_puts_nothing_in_force(
    client: Client, in_force: tuple[Browser, str, str]
) -> None:
    """What somebody saw is what is activated, or it is asked again."""
    browser, path, name = in_force
    policy_id = path.rpartition("/")[2]
    body = {"document": document(name, effect="ALLOW")}
    await client.call("POST", f"/v1/policies/{policy_id}/versions", body)
    seen = hidden((await browser.get(f"{path}/activate?version=2")).text, "etag")
    await client.call("POST", f"/v1/policies/{policy_id}/versions", body)
    fields = {"etag": seen, "version": "2", "comment": "my reason"}
    late = await browser.submit(path, f"{path}/activate", fields)
    assert late.status == 409
    assert "changed since" in late.text
    assert "my reason" in late.text
    now = (await client.call("GET", f"/v1/policies/{policy_id}")).body["policy"]
    assert now["version"] == 1


async def test_every_shipped_policy_can_be_begun_from(signed_in: Browser) -> None:
    """As they are they pass the editor's check, cases and all; so does the example."""
    for name in ("", *shipped_policies()):
        page = (await signed_in.get(f"{NEW}?from={name}")).text
        text = page.partition('aria-describedby="keys">\n')[2].partition("</textarea>")[0]
        text = text.replace("&#39;", "'").replace("&#34;", '"').replace("&gt;", ">")
        text = text.replace("&lt;", "<").replace("&amp;", "&")
        fields = {"document": text, "check": "1"}
        part = await signed_in.submit(NEW, "/dashboard/policies/try", fields)
        assert 'data-verdict="good"' in part.text, (name, part.text)
    assert (await signed_in.get(f"{NEW}?from=../../etc/passwd")).status == 200


async def test_nothing_in_a_policy_is_markup(signed_in: Browser) -> None:
    """Text, message, comment and findings are shown as text."""
    for probe in PROBES:
        quoted = "'" + probe.replace("'", "''").replace("\u202e", "") + "'"
        text = document(a_name(), message=quoted)
        shown = await signed_in.submit(NEW, NEW, {"document": text + f"# {probe}", "check": "1"})
        assert_inert(shown.text, probe)
        broken = text.replace("priority: 10", f"priority: {quoted}")
        part = await signed_in.submit(
            NEW, "/dashboard/policies/try", {"document": broken, "check": "1"}
        )
        assert 'class="findings"' in part.text
        assert_inert(part.text, probe)
        path = await kept(signed_in, text)
        for page in ("", "/edit", "/activate", "/diff"):
            assert_inert((await signed_in.get(path + page)).text, probe)


async def test_who_may_not_write_sees_no_editor(client: Client, signed_in: Browser) -> None:
    """Reading is theirs; the buttons are not there, and the routes behind them refuse."""
    path = await kept(signed_in, document(a_name()))
    name = f"reader-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "PolicyRead")
    async with browsing(client) as browser:
        await browser.sign_in(name)
        shown = (await browser.get(path)).text
        assert "Edit" not in shown
        assert "Put in force" not in shown
        token = (await browser.get("/dashboard/account")).token
        for page in (NEW, f"{path}/edit", f"{path}/activate"):
            assert (await browser.get(page)).status == 403, page
        for page in (NEW, f"{path}/edit", f"{path}/activate", f"{path}/deactivate",
                     "/dashboard/policies/try"):  # fmt: skip
            fields = {"csrf": token, "document": "x", "save": "1"}
            assert (await browser.post(page, fields)).status == 403, page


async def test_another_tenants_policy_is_not_there(
    client: Client, signed_in: Browser, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """Neither to be read nor to be changed."""
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    path = await kept(signed_in, document(a_name()))
    async with browsing(client) as browser:
        await browser.sign_in(key)
        token = (await browser.get("/dashboard/account")).token
        for page in ("", "/edit", "/activate", "/diff"):
            assert (await browser.get(path + page)).status == 404, page
        for page in ("/edit", "/activate", "/deactivate"):
            fields = {"csrf": token, "document": "x", "save": "1", "etag": "1", "version": "1",
                      "comment": "x"}  # fmt: skip
            assert (await browser.post(path + page, fields)).status == 404, page


async def test_no_address_breaks_the_pages(signed_in: Browser) -> None:
    """Whatever stands in it, the answer is a page."""
    path = await kept(signed_in, document(a_name()))
    for page, status in (
        (f"{path}?version=0", 404),
        (f"{path}?version=99999999999999", 404),
        (f"{path}?version=\u0661", 404),
        (f"{path}/diff?before=1&after=7", 404),
        (f"{path}/diff?before=-1", 404),
        (f"{path}/edit?version=x", 404),
        ("/dashboard/policies/nonsense", 404),
        ("/dashboard/policies?status=nonsense&cursor=x", 200),
    ):
        assert (await signed_in.get(page)).status == status, page
