"""Promise: what is secret is in no record, table, log, page, answer, notification or metric.

Secrets of every shape go through the whole product, by every way that there is into it. Then all
that it has kept, said and sent is searched for them, in every spelling.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import asyncpg

from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings, Role
from tests.support.control_api import ApiError
from tests.support.database import url_of
from tests.support.oracle import Answer, Oracle, Understood
from tests.support.planted import Planted
from tests.support.planted_requests import HOSTS, OWN, Sent, requests
from tests.support.raw_client import RawClient
from tests.support.receivers import FakeSlack, serving_mail, serving_receiver, serving_slack
from tests.support.stack import ControlPlane, Gateway, Stack, Upstreams, make_folder
from tests.support.upstream_files import make_upstream_files

KEY_FILES = frozenset(
    {
        "ca.key", "leaf.key", "admin.key", "gateway.key", "agent.key", "secrets.key", "bundle.key",
        "log.key", "redaction_key", "signing_key",
    }
)  # fmt: skip
"""Files whose names say that they hold keys."""

PAGES_MAX = 150
ANSWER_SECONDS_MAX = 30.0
COMMANDS = (
    ("audit", "tail"), ("audit", "tail", "--json"), ("approvals", "list"), ("approvals", "list",
    "--json"), ("channels", "list"), ("keys", "list"), ("incidents", "list"), ("runs", "list"),
)  # fmt: skip
_LINK = re.compile(r'(?:href|src|action|hx-get)="(/dashboard[^"#]*)')


@dataclass
class Product:
    """The whole of it. `heard` is what it told others by its channels."""

    stack: Stack
    database: EmbeddedPostgres
    planted: Planted
    heard: Callable[[], list[tuple[str, bytes]]]
    said: list[tuple[str, bytes]]

    @property
    def gateway(self) -> Gateway:
        return self.stack.gateways["planted"]


async def test_no_planted_secret_is_kept_said_or_sent() -> None:
    """But for the upstream, which gets what the agent sent it."""
    async with product() as subject:
        await asyncio.to_thread(_send_all, subject)
        await asyncio.to_thread(_answer_all, subject)
        await _read_everything(subject)
        leaks = [leak async for leak in _leaks(subject)]
    assert leaks == [], "\n".join(leaks)


# --- the product, and what is planted -------------------------------------------------------------


@asynccontextmanager
async def product() -> AsyncIterator[Product]:
    """Everything on, everything logged, and a secret wherever an operator gives one."""
    planted = Planted()
    folder = make_folder("planted")
    files = make_upstream_files(folder, HOSTS)
    async with contextlib.AsyncExitStack() as running:
        oracle = running.enter_context(
            Oracle(files.certificate, files.key, lambda seen: _upstream(planted, seen))
        )
        database = EmbeddedPostgres(
            folder / "postgres", folder / "postgres.log", PostgresSettings()
        )
        await database.start()
        running.push_async_callback(database.stop)
        webhook = await running.enter_async_context(serving_receiver())
        slack = await running.enter_async_context(serving_slack())
        mail = await running.enter_async_context(serving_mail())
        control = ControlPlane(
            folder,
            {
                "CHECKREIN_DATABASE_URL": url_of(database, Role.SUPERUSER, "postgres"),
                "CHECKREIN_LOG_LEVEL": "DEBUG",
                "CHECKREIN_SLACK_API_URL": slack.url,
                "CHECKREIN_WEBHOOK_ALLOW": "127.0.0.1",
                "CHECKREIN_PUBLIC_URL": "http://127.0.0.1:1",
                "CHECKREIN_OIDC_ISSUER": "http://127.0.0.1:1",
                "CHECKREIN_OIDC_CLIENT_ID": "checkrein",
                "CHECKREIN_OIDC_CLIENT_SECRET": planted.make("oidc"),
            },
        )
        stack = Stack(folder, control, Upstreams(oracle.port, files.ca, oracle, HOSTS))
        running.callback(stack.close)
        await asyncio.to_thread(control.start)
        for role in ("admin", "gateway", "agent"):
            planted.note(control.key(role))
        await asyncio.to_thread(_add_channels, stack, planted, webhook.url, mail.port)
        settings = {"CHECKREIN_LOG_LEVEL": "DEBUG", "CHECKREIN_HOLD_SECONDS_MAX": "0.05"}
        await asyncio.to_thread(stack.add_gateway, "planted", settings)

        def heard() -> list[tuple[str, bytes]]:
            hooks = [("a webhook", h.body + repr(h.headers).encode()) for h in webhook.heard]
            mails = [("a mail", each.as_bytes()) for each in mail.mails]
            return hooks + mails + [("Slack", json.dumps(call).encode()) for call in slack.calls]

        yield Product(stack, database, planted, heard, [])


def _add_channels(stack: Stack, planted: Planted, hook: str, mail_port: int) -> None:
    """Three that work, and one whose server can't be spoken with."""
    planted.note(FakeSlack.TOKEN)
    planted.note(FakeSlack.SECRET)
    signing = "whsec_" + base64.b64encode(planted.make("webhook").encode().ljust(32, b".")).decode()
    person = {
        "name": "ann@example.test",
        "permissions": ["ApprovalRead", "ApprovalWrite"],
        "groups": [],
    }
    ann = stack.api.call("POST", "/v1/keys", person)
    planted.note(ann["key"])
    people = [{"address": "ann@example.test", "keyId": ann["keyId"]}]
    mail: dict[str, object] = {"host": "127.0.0.1", "port": mail_port, "sender": "a@example.test"}
    kinds: dict[str, dict[str, object]] = {
        "hook": {"webhook": {"url": hook, "signingSecret": signing}},
        "slack": {"slack": {"channel": "C0FINANCE", "botToken": FakeSlack.TOKEN,
                            "signingSecret": FakeSlack.SECRET}},
        "mail": {"email": {**mail, "security": "none"}},
        "broken": {"email": {**mail, "username": "u", "password": planted.make("smtp")}},
    }  # fmt: skip
    for name, kind in kinds.items():
        made = stack.api.call("POST", "/v1/channels", {"name": name, **kind})["channel"]
        path = f"/v1/channels/{made['channelId']}"
        if "email" in kind:
            stack.api.call("POST", f"{path}/people", {"people": people})
        stack.api.call("POST", f"{path}/test", {})


def _upstream(planted: Planted, seen: Understood) -> Answer:
    """It answers with secrets of its own, and with what it was sent; some requests fail. A digest
    that anybody could make of what was sent is as good as a secret that is short."""
    for content in filter(None, (seen.body, seen.query.encode())):
        planted.note(hashlib.sha256(content).hexdigest())
    told = {"you_sent": seen.body.decode("latin-1"), "secret": planted.make("answer")}
    status = 500 if "password" in told["you_sent"] else 200
    cookie = (("set-cookie", f"sid={planted.make('setcookie')}"),)
    return Answer(status, json.dumps(told).encode(), headers=cookie)


def _send_all(subject: Product) -> None:
    planted, gateway = subject.planted, subject.gateway
    key = subject.stack.control.key("agent")
    client = RawClient(gateway.port, key, gateway.ca_file)
    with ThreadPoolExecutor(8) as threads:
        sent = {
            name: threads.submit(_status, client, each) for name, each in requests(planted).items()
        }
        for stranger in (
            RawClient(gateway.port, planted.make("wrongkey"), gateway.ca_file),
            RawClient(gateway.port, key, gateway.ca_file, planted.make("nobody", "sk_live_")),
        ):
            threads.submit(stranger.connect, f"{OWN}:443".encode()).result()
        run = RawClient(
            gateway.port, key, gateway.ca_file, f"agent+{planted.make('r', 'sk_live_')}"
        )
        threads.submit(run.inside, OWN, requests(planted)["the query"].data).result()
        threads.submit(
            client.plain, f"GET http://{planted.make('dns')}.test/ HTTP/1.1\r\n".encode()
        )
        statuses = {name: status.result() for name, status in sent.items()}
    # Sent on, refused, blocked, held, failed by the upstream: each kind of way was gone.
    assert None not in statuses.values(), statuses
    assert {200, 400, 403, 428, 500} <= set(statuses.values()), statuses


def _status(client: RawClient, sent: Sent) -> int | None:
    """The status of the first answer, however long it takes."""
    with client.open_tls(sent.host) as sock:
        sock.settimeout(ANSWER_SECONDS_MAX)
        sock.sendall(sent.data)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65_536)
            if not piece:
                return None
            data += piece
    return int(data.split()[1])


def _answer_all(subject: Product) -> None:
    """People answer; then everything is shipped."""
    api = subject.stack.api
    for number, approval in enumerate(api.approvals("PENDING")):
        resolution = "APPROVE" if number % 2 else "REJECT"
        api.resolve(approval["approvalId"], resolution, "as discussed")
    subject.gateway.process.stop()
    subject.gateway.start()


# --- what is searched -----------------------------------------------------------------------------


async def _read_everything(subject: Product) -> None:
    """Every answer of the API that needs no more than an id, every page, every metric, and what
    the command prints."""
    await asyncio.to_thread(_read_api, subject)
    await asyncio.to_thread(_run_commands, subject)
    await _read_pages(subject)


def _read_api(subject: Product) -> None:
    api = subject.stack.api
    paths = api.call("GET", "/v1/openapi.json")["paths"]
    plain = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    approvals = api.approvals()
    ids = [f"/v1/approvals/{each['approvalId']}" for each in approvals]
    ids += [f"{path}/context" for path in ids] + [f"{path}/events" for path in ids]
    for path in plain + ids:
        with contextlib.suppress(ApiError, TimeoutError, ValueError):
            answer = api.call("GET", path, limit=None)
            subject.said.append((f"GET {path}", json.dumps(answer).encode()))
    read = [name for name, _ in subject.said]
    assert len(approvals) > 3
    assert "GET /v1/records" in read
    assert len(read) > 20, read


def _run_commands(subject: Product) -> None:
    control = subject.stack.control
    environment = {
        **os.environ, "CHECKREIN_API_URL": control.url, "CHECKREIN_API_KEY": control.key("admin"),
    }  # fmt: skip
    for arguments in COMMANDS:
        command = [sys.executable, "-m", "gateway.cli.main", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True)
        subject.said.append((" ".join(arguments), done.stdout + done.stderr))


async def _read_pages(subject: Product) -> None:
    """As a browser that follows every link."""
    url = subject.stack.control.url
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(f"{url}/dashboard/sign-in") as shown:
            found = re.search(r'name="csrf" value="([^"]+)"', await shown.text())
        assert found is not None
        fields = {"csrf": html.unescape(found[1]), "key": subject.stack.control.key("admin")}
        said = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        async with browser.post(f"{url}/dashboard/sign-in", data=fields, headers=said) as shown:
            assert shown.status == 200, await shown.text()
        waiting, seen = ["/dashboard"], {"/dashboard"}
        while waiting and len(seen) < PAGES_MAX:
            path = waiting.pop(0)
            if "/static/" in path or "/live" in path:
                continue
            async with browser.get(url + path) as shown:
                page = await shown.read()
            subject.said.append((f"page {path}", page + html.unescape(page.decode()).encode()))
            links = {html.unescape(link) for link in _LINK.findall(page.decode())} - seen
            seen |= links
            waiting += sorted(links)
        metrics = subject.gateway.process.ready["metrics_url"]
        for address in (metrics, metrics.replace("/metrics", "/readyz"), f"{url}/readyz"):
            async with browser.get(address) as shown:
                subject.said.append((address, await shown.read()))
    assert len(seen) > 20, sorted(seen)


async def _leaks(subject: Product) -> AsyncIterator[str]:
    planted = subject.planted
    heard = subject.heard()
    assert {place for place, _ in heard} == {"a webhook", "a mail", "Slack"}
    for place, data in [*subject.said, *heard]:
        for leak in planted.leaks(place, data):
            yield leak
    async for leak in _leaks_in_tables(subject):
        yield leak
    for leak in _leaks_in_files(subject):
        yield leak


async def _leaks_in_tables(subject: Product) -> AsyncIterator[str]:
    endpoint = subject.database.endpoint(Role.SUPERUSER, "postgres")
    connection = await asyncpg.connect(**endpoint.arguments())
    try:
        tables = await connection.fetch(
            "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
            "where schemaname not in ('pg_catalog', 'information_schema')"
        )
        assert len(tables) > 20
        for (table,) in tables:
            rows = await connection.fetch(f"select each::text from {table} each")
            text = "\n".join(row[0] for row in rows)
            for leak in subject.planted.leaks(f"table {table}", text.encode()):
                yield leak
    finally:
        await connection.close()


def _leaks_in_files(subject: Product) -> Iterator[str]:
    """Logs, the spool, whatever lies in the data directories; the database's own files hold what
    its tables do."""
    folder = subject.stack.folder
    spool = next((subject.gateway.data_dir / "spool").glob("records-*.jsonl"))
    assert len(spool.read_bytes()) > 10_000
    assert subject.gateway.process.log
    for part in (subject.gateway.data_dir, subject.stack.control.data_dir):
        yield from subject.planted.leaks_in_files(part, KEY_FILES)
    for log in folder.glob("*.log"):
        yield from subject.planted.leaks(log.name, log.read_bytes())
