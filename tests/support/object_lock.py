"""A storage that speaks S3 as far as checkpoints need it: it takes a PUT with a true signature, a
checksum and a lock in compliance mode, and refuses to write over what is locked."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.model.aws_signature import AwsKeys

KEYS = AwsKeys("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPx")
REGION = "eu-central-2"


class ObjectLock:
    """`versions` of each object, by path; `answers` are the statuses of the next requests."""

    def __init__(self) -> None:
        self.versions: dict[str, list[str]] = {}
        self.answers: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.answers:
            return web.Response(status=self.answers.pop(0))
        if request.headers["authorization"] != self._authorization(request, body):
            return web.Response(status=403)
        digest = hashlib.sha256(body)
        until = datetime.fromisoformat(request.headers["x-amz-object-lock-retain-until-date"])
        if (
            request.headers["x-amz-content-sha256"] != digest.hexdigest()
            or request.headers["x-amz-checksum-sha256"]
            != base64.b64encode(digest.digest()).decode()
            or request.headers["x-amz-sdk-checksum-algorithm"] != "SHA256"
            or request.headers["x-amz-object-lock-mode"] != "COMPLIANCE"
            or (until - datetime.now(UTC)).days < 364
        ):
            return web.Response(status=400)
        self.versions.setdefault(request.path, []).append(body.decode())
        return web.Response(status=200)

    def _authorization(self, request: web.Request, body: bytes) -> str:
        """What botocore would have sent."""
        _, _, rest = request.headers["authorization"].partition("SignedHeaders=")
        names = rest.partition(",")[0].split(";")
        assert {"host", "x-amz-object-lock-mode", "x-amz-checksum-sha256"} <= set(names)
        wanted = AWSRequest(
            "PUT", str(request.url), {name: request.headers[name] for name in names}, body
        )
        wanted.context = {
            "timestamp": request.headers["x-amz-date"],
            "payload_signing_enabled": True,
        }
        credentials = Credentials(KEYS.access_key_id, KEYS.secret_access_key)
        auth = S3SigV4Auth(credentials, "s3", REGION)
        signed = auth.string_to_sign(wanted, auth.canonical_request(wanted))
        return (
            f"AWS4-HMAC-SHA256 Credential={auth.scope(wanted)}, SignedHeaders={';'.join(names)}, "
            f"Signature={auth.signature(signed, wanted)}"
        )


@asynccontextmanager
async def serving_storage() -> AsyncIterator[ObjectLock]:
    """The storage on a socket of its own."""
    storage = ObjectLock()
    application = web.Application()
    application.router.add_put("/{path:.*}", storage.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    storage.url = f"http://{host}:{port}"
    try:
        yield storage
    finally:
        await runner.cleanup()
