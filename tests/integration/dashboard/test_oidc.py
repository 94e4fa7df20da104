"""Sign-in by an OpenID provider: a real one, and every token that must not be believed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from controlplane.settings import OidcSettings, load_settings
from controlplane.store.embedded import EmbeddedPostgres
from gateway.model.errors import ConfigurationError
from tests.support.control_plane import Client, running_plane
from tests.support.dashboard import Browser, Shown, browsing, person_key
from tests.support.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Provider,
    Signer,
    b64,
    openid_provider,
)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider at which `alice@example.com` signs in."""
    async with openid_provider() as found:
        yield found


@pytest.fixture
async def client(
    provider: Provider, postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """A control plane that trusts the provider, and knows alice."""
    settings = OidcSettings(provider.issuer, CLIENT_ID, CLIENT_SECRET)
    async with running_plane(postgres_server, database_name, data_dir, oidc=settings) as found:
        keys = (await found.call("GET", "/v1/keys")).body["keys"]
        if not any(key["name"] == "Alice@example.com" for key in keys):
            await person_key(found, "Alice@example.com", "ApprovalRead", "ApprovalWrite")
        yield found


async def begin(browser: Browser) -> Mapping[str, str]:
    """Go to the provider; what it is asked."""
    shown = await browser.get("/dashboard/sign-in/elsewhere?next=/dashboard/approvals")
    assert shown.status == 303, shown.text
    return {name: values[0] for name, values in parse_qs(urlsplit(shown.location).query).items()}


async def sign_in(browser: Browser, provider: Provider) -> Shown:
    """The whole way there and back."""
    where = urlsplit(provider.authorize(await begin(browser)))
    return await browser.get(f"{where.path}?{where.query}", Sec_Fetch_Site="cross-site")


async def test_a_person_of_the_organisation_comes_in(browser: Browser, provider: Provider) -> None:
    """Their verified address is the name of their key, and that says what they may do."""
    assert "Sign in with your organisation" in (await browser.get("/dashboard/sign-in")).text

    shown = await sign_in(browser, provider)

    assert shown.status == 200
    assert 'content="0; url=/dashboard/approvals"' in shown.text
    assert provider.faults == []
    account = (await browser.get("/dashboard/account")).text
    assert "Alice@example.com" in account
    assert "your organisation" in account
    assert "ApprovalWrite" in account
    assert "PolicyWrite" not in account


async def test_elliptic_keys_are_good_too(browser: Browser, provider: Provider) -> None:
    """ES256 by its key identifier."""
    provider.forge = lambda claims: provider.signer.token(claims, "ES256")

    assert (await sign_in(browser, provider)).status == 200
    assert (await browser.get("/dashboard/account")).status == 200


def other_key(claims: Mapping[str, Any]) -> str:
    return Signer().token(claims)


FORGED: dict[str, Callable[[Provider], Callable[[Mapping[str, Any]], str]]] = {
    "unsigned": lambda p: lambda claims: p.signer.token(claims, "none"),
    "unsigned, in another spelling": lambda p: lambda claims: p.signer.token(claims, "NoNe"),
    "signed with the public key as a secret": lambda p: lambda c: p.signer.token(c, "HS256"),
    "signed by somebody else": lambda p: other_key,
    "signed as one kind and named another": lambda p: (
        lambda c: p.signer.token(c, "ES256", alg="RS256")
    ),
    "with a key in its own header": lambda p: lambda c: Signer().token(c, jwk={"kty": "RSA"}),
    "with an extension that must be understood": lambda p: (
        lambda c: p.signer.token(c, crit=["exp"])
    ),
    "changed after signing": lambda p: lambda c: _changed(p.signer.token(c)),
    "with the signature cut off": lambda p: lambda c: p.signer.token(c).rsplit(".", 1)[0] + ".",
    "no token": lambda p: lambda c: "nonsense",
    "huge": lambda p: lambda c: p.signer.token({**c, "x": "y" * 20_000}),
}

CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another client": {"aud": "another"},
    "no client": {"aud": None},
    "several clients, given to another": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "several clients, given to none": {"aud": [CLIENT_ID, "another"]},
    "over": {"exp": 1_000_000_000},
    "no end": {"exp": None},
    "an end that is text": {"exp": "9999999999"},
    "made in the future": {"iat": 9_999_999_999},
    "of another sign-in": {"nonce": "other"},
    "without a nonce": {"nonce": None},
    "an address that is not verified": {"email_verified": False},
    "an address that is said to be verified": {"email_verified": "true"},
    "no word of it": {"email_verified": None},
    "no address": {"email": None},
    "addresses": {"email": ["alice@example.com"]},
    "somebody unknown": {"email": "mallory@example.com"},
    "a machine": {"email": "gateway"},
    "the admin's key by its name": {"email": "admin"},
}


def _changed(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{b64(b'{}')}.{signature}"


async def test_no_token_is_believed_that_is_not_good(client: Client, provider: Provider) -> None:
    """Each of them ends on a page without a session."""
    for name, forge in FORGED.items():
        provider.forge = forge(provider)
        async with browsing(client) as browser:
            shown = await sign_in(browser, provider)
            assert (shown.status, "checkrein" in browser.cookies) == (403, False), name
    provider.forge = None
    for name, claims in CLAIMS.items():
        provider.claims = claims
        async with browsing(client) as browser:
            shown = await sign_in(browser, provider)
            assert (shown.status, "checkrein" in browser.cookies) == (403, False), name
            assert "mallory" not in shown.text or name == "somebody unknown"


async def test_a_way_back_belongs_to_the_browser_that_began_it(
    client: Client, browser: Browser, provider: Provider
) -> None:
    """Another browser, another state, a second use, a changed cookie: refused."""
    where = urlsplit(provider.authorize(await begin(browser)))
    back = f"{where.path}?{where.query}"
    async with browsing(client) as other:
        assert (await other.get(back)).status == 403
        await begin(other)
        assert (await other.get(back)).status == 403
    flow = browser.cookies["checkrein-flow"]
    for cookie in ("", "x", flow[:-1] + ("0" if flow[-1] != "0" else "1"), "." + flow):
        browser.cookies["checkrein-flow"] = cookie
        assert (await browser.get(back)).status == 403
    browser.cookies["checkrein-flow"] = flow
    assert (await browser.get(f"{back}&iss=x".replace("iss=http", "was=http"))).status == 403
    assert (await browser.get(back)).status == 200
    browser.cookies = {"checkrein-flow": flow}
    assert (await browser.get(back)).status == 403, "a code is used once"


async def test_a_provider_that_is_away_leaves_the_key(client: Client, provider: Provider) -> None:
    """503 with what to do, and keys still work."""
    provider.issuer = "http://127.0.0.1:1"
    async with browsing(client) as browser:
        shown = await browser.get("/dashboard/sign-in/elsewhere")
        assert shown.status == 503
        assert "use a key instead" in shown.text
        assert (await browser.sign_in()).status == 303


def test_the_three_variables_stand_together() -> None:
    """All of them or none; the issuer by https; the secret never in a message."""
    base = {"CHECKREIN_DATA_DIR": "/tmp/x"}
    three = {
        "CHECKREIN_OIDC_ISSUER": "https://id.example/",
        "CHECKREIN_OIDC_CLIENT_ID": "a",
        "CHECKREIN_OIDC_CLIENT_SECRET": "hidden-secret",
    }
    assert load_settings(base).oidc is None
    found = load_settings({**base, **three}).oidc
    assert found == OidcSettings("https://id.example/", "a", "hidden-secret")
    assert "hidden-secret" not in repr(found)
    for name in three:
        with pytest.raises(ConfigurationError) as caught:
            load_settings({**base, **{key: v for key, v in three.items() if key != name}})
        assert "hidden-secret" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        load_settings({**base, **three, "CHECKREIN_OIDC_ISSUER": "http://id.example/"})
