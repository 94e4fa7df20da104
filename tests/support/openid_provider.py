"""A small OpenID provider that checks what the specifications ask of one, over real HTTP.

It signs with its own code, so that what the dashboard verifies was made by another hand; `forge`
lets a test put anything else in the token's place.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT_ID = "checkrein & co"
CLIENT_SECRET = "s3cret:with/odd+characters"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


class Signer:
    """Makes tokens of every kind, good and bad."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65_537, 2_048)
        self.ec = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> dict[str, Any]:
        public = self.rsa.public_key().public_numbers()
        point = self.ec.public_key().public_numbers()
        return {
            "keys": [
                {"kty": "oct", "kid": "odd", "k": b64(b"secret")},
                {"kty": "RSA", "kid": "r1", "use": "sig", "n": number(public.n), "e": "AQAB"},
                {
                    "kty": "EC",
                    "kid": "e1",
                    "crv": "P-256",
                    "x": b64(point.x.to_bytes(32)),
                    "y": b64(point.y.to_bytes(32)),
                },
            ]
        }

    def token(self, claims: Mapping[str, Any], kind: str = "RS256", **header: Any) -> str:
        """`header` replaces fields of the header."""
        head = {"alg": kind, "kid": {"ES256": "e1"}.get(kind, "r1"), **header}
        signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{signed}.{b64(self._signature(kind, signed.encode()))}"

    def _signature(self, alg: str, signed: bytes) -> bytes:
        if alg == "RS256":
            return self.rsa.sign(signed, padding.PKCS1v15(), SHA256())
        if alg == "ES256":
            r, s = decode_dss_signature(self.ec.sign(signed, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        if alg == "HS256":
            # What a confused verifier takes for the key: the public modulus.
            modulus = self.jwks()["keys"][1]["n"]
            return hmac.new(modulus.encode(), signed, hashlib.sha256).digest()
        return b""


@dataclass
class Provider:
    """`email` signs in at once; `claims` replaces claims (None takes one away)."""

    issuer: str = ""
    email: str = "alice@example.com"
    claims: dict[str, Any] = field(default_factory=dict)
    forge: Callable[[Mapping[str, Any]], str] | None = None
    signer: Signer = field(default_factory=Signer)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def authorize(self, query: Mapping[str, str]) -> str:
        """What the browser is sent back to, once the person has signed in."""
        for name, wanted in (
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("code_challenge_method", "S256"),
        ):
            if query.get(name) != wanted:
                self.faults.append(name)
        if "openid" not in query["scope"].split():
            self.faults.append("scope")
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(query)
        back = {"code": code, "state": query["state"], "iss": self.issuer}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    async def discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response(self.signer.jwks())

    async def token(self, request: web.Request) -> web.Response:
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        given = base64.b64decode(pair).decode().split(":")
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        challenge = b64(hashlib.sha256(str(form["code_verifier"]).encode()).digest())
        if (
            scheme != "Basic"
            or [unquote(one) for one in given] != [CLIENT_ID, CLIENT_SECRET]
            or asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
            or form["grant_type"] != "authorization_code"
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "1",
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            "email": self.email,
            "email_verified": True,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        made = self.forge(claims) if self.forge else self.signer.token(claims)
        return web.json_response({"id_token": made, "access_token": "x", "token_type": "Bearer"})


@asynccontextmanager
async def openid_provider() -> AsyncIterator[Provider]:
    """A provider on a free port of this machine."""
    provider = Provider()
    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", provider.discovery)
    application.router.add_get("/keys", provider.keys)
    application.router.add_post("/token", provider.token)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
