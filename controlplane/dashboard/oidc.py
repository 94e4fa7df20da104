"""Sign-in by an OpenID provider: authorization code with PKCE, state and nonce.

The provider says who somebody is, by a verified e-mail address; what they may do is said here, by
the key of that name. What is fetched comes from the configured issuer, over https, and is bounded.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp

from controlplane.dashboard.id_tokens import (
    Expected,
    SigningKey,
    TokenError,
    key_id_of,
    read_keys,
    verified_email,
    verify,
)
from controlplane.faults import ControlFault, Fault
from controlplane.settings import OidcSettings

FLOW_SECONDS: Final = 600
"""How long somebody may take at their provider."""

FETCH_SECONDS_MAX: Final = 10.0
FETCH_BYTES_MAX: Final = 256 * 1024
KNOWN_SECONDS: Final = 600.0
"""How long the provider's addresses and keys are kept; a key that is not known is asked for again,
but not more often than `ASK_AGAIN_SECONDS`."""
ASK_AGAIN_SECONDS: Final = 10.0

CODE_LENGTH_MAX: Final = 4_096
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way, as its browser keeps it."""

    state: str
    nonce: str
    verifier: str
    wanted: str


@dataclass(slots=True)
class _Known:
    """What the provider says of itself."""

    authorize_url: str
    token_url: str
    keys_url: str
    takes_basic: bool
    keys: Sequence[SigningKey]
    asked_at: float


class OidcError(Exception):
    """The sign-in came to nothing; why, for the log."""


class OidcClient:
    """Speaks with one provider."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._known: _Known | None = None
        self._asking = asyncio.Lock()
        secret = settings.client_secret.encode()
        self._flow_key = hmac.new(secret, b"checkrein-flow", hashlib.sha256).digest()

    async def begin(self, wanted: str, back_url: str) -> tuple[str, str]:
        """Where to send the browser, and the cookie that it keeps meanwhile.

        Raises:
            OidcError: the provider can't be asked.
        """
        known = await self._provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Flow(state, nonce, verifier, wanted)
        challenge = _b64(hashlib.sha256(flow.verifier.encode()).digest())
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": back_url,
                "scope": "openid email",
                "state": flow.state,
                "nonce": flow.nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        joint = "&" if urlsplit(known.authorize_url).query else "?"
        return f"{known.authorize_url}{joint}{query}", self._seal(flow)

    async def finish(self, cookie: str, query: Mapping[str, str], back_url: str) -> tuple[str, str]:
        """The verified e-mail address of who came back, and where they wanted to go.

        Raises:
            OidcError: it is not the sign-in that this browser began, or it came to nothing.
        """
        flow = self._open(cookie)
        state, code = query.get("state", ""), query.get("code", "")
        if flow is None or not hmac.compare_digest(
            state.encode("utf-8", "replace"), flow.state.encode()
        ):
            raise OidcError("another browser began this sign-in, or it took too long")
        if query.get("iss", self._settings.issuer) != self._settings.issuer:
            raise OidcError("another provider answered")
        if not code or len(code) > CODE_LENGTH_MAX:
            raise OidcError("the provider gave no code")
        token = await self._exchange(code, flow.verifier, back_url)
        expected = Expected(
            self._settings.issuer, self._settings.client_id, flow.nonce, time.time()
        )
        try:
            keys = await self._keys_for(key_id_of(token))
            return verified_email(verify(token, keys, expected)), flow.wanted
        except TokenError as error:
            raise OidcError(f"the provider's token: {error}") from None

    async def _exchange(self, code: str, verifier: str, back_url: str) -> str:
        known, settings = await self._provider(), self._settings
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back_url,
            "code_verifier": verifier,
        }
        headers = {}
        if known.takes_basic:
            # RFC 6749, 2.3.1: both are form-encoded first.
            pair = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            fields |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        answer = await _fetch("POST", known.token_url, fields, headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the provider gave no token")
        return token

    async def _provider(self) -> _Known:
        async with self._asking:
            known = self._known
            if known is not None and time.monotonic() - known.asked_at < KNOWN_SECONDS:
                return known
            issuer = self._settings.issuer
            told = await _fetch("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
            if told.get("issuer") != issuer:
                raise OidcError("the provider calls itself by another name than its issuer")
            methods = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            known = _Known(
                _https(told.get("authorization_endpoint")),
                _https(told.get("token_endpoint")),
                _https(told.get("jwks_uri")),
                isinstance(methods, list) and "client_secret_basic" in methods,
                (),
                time.monotonic(),
            )
            known.keys = read_keys(await _fetch("GET", known.keys_url))
            self._known = known
            return known

    async def _keys_for(self, key_id: str | None) -> Sequence[SigningKey]:
        """The provider's keys; asked for anew when it signs with one that is not known yet."""
        known = await self._provider()
        is_known = key_id is None or any(key.key_id in (None, key_id) for key in known.keys)
        if not is_known and time.monotonic() - known.asked_at >= ASK_AGAIN_SECONDS:
            self._known = None
            known = await self._provider()
        return known.keys

    def _seal(self, flow: Flow) -> str:
        ends_at = int(time.time()) + FLOW_SECONDS
        text = _b64(
            json.dumps([ends_at, flow.state, flow.nonce, flow.verifier, flow.wanted]).encode()
        )
        return f"{text}.{self._proof(text)}"

    def _open(self, cookie: str) -> Flow | None:
        text, _, proof = cookie.partition(".")
        if not hmac.compare_digest(proof.encode("utf-8", "replace"), self._proof(text).encode()):
            return None
        ends_at, *rest = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Flow(*rest) if time.time() < ends_at else None

    def _proof(self, text: str) -> str:
        return hmac.new(self._flow_key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


async def _fetch(
    method: str,
    url: str,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """A JSON object from the provider. No redirect is followed: it could lead anywhere."""
    _https(url)
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as http,
            http.request(
                method,
                url,
                data=fields,
                headers={"Accept": "application/json", **(headers or {})},
                allow_redirects=False,
            ) as response,
        ):
            body = await response.content.read(FETCH_BYTES_MAX + 1)
            while len(body) <= FETCH_BYTES_MAX and (more := await response.content.read(65_536)):
                body += more
            if response.status != 200:
                raise OidcError(f"the provider answered with {response.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise OidcError(f"the provider can't be reached ({type(error).__name__})") from error
    if len(body) > FETCH_BYTES_MAX:
        raise OidcError("the provider's answer is too long")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise OidcError("the provider's answer can't be read") from None
    if not isinstance(value, dict):
        raise OidcError("the provider's answer can't be read")
    return value


def _https(url: object) -> str:
    """An address that nobody on the way can read or change."""
    parts = urlsplit(url) if isinstance(url, str) else None
    is_private = parts is not None and parts.scheme == "http" and parts.hostname in _LOOPBACK
    if parts is None or not parts.hostname or (parts.scheme != "https" and not is_private):
        raise OidcError("the provider's addresses must begin with https")
    return str(url)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unavailable() -> ControlFault:
    """What a person is told when the provider can't be asked."""
    return ControlFault(
        Fault.UNAVAILABLE, "your organisation's sign-in can't be reached now; use a key instead"
    )
