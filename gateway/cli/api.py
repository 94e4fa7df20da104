"""A small synchronous client of the control plane's API, for commands.

Turns a call into JSON or a `CommandError` with a sentence and what to do. Never goes through a
proxy: a shell that is governed itself must still be able to approve. The key goes into a header
and nowhere else.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from gateway.cli.datadir import load_running, open_data_dir, read_key
from gateway.cli.failures import CommandError
from gateway.cli.options import LIST_COUNT_MAX

TIMEOUT_SECONDS = 10.0
"""Beyond the seconds that the server was asked to wait: it is on this machine or near."""

STREAM_SECONDS = 60.0
"""For the next bytes of a long answer."""

RESPONSE_BYTES_MAX = 64 * 1024 * 1024
"""A page of records is at most some megabytes; a server that sends more is not ours."""

REFUSAL_BYTES_MAX = 2 * 1024 * 1024
"""An envelope may carry some hundred problems of files."""

PAGE_RECORDS = 1000
"""How many records are fetched at once: the most that the API gives."""

Json = dict[str, Any]

_ADVICE = {
    401: "the key is not known there; check CHECKREIN_API_KEY, or name the right `--data-dir`",
    403: "use a key with the permission, or of the group: `checkrein keys create --help`",
    404: "check the id or name; the `list` beside this command shows what exists",
    409: "somebody or something was faster; look again at what is there now",
    429: "wait a little, then try again",
}

_ADVICE_OF_CODE = {
    "ALREADY_EXISTS": "",
    "APPROVAL_NOT_PENDING": "look again with `checkrein approvals show ID`",
    "BUNDLE_NONE": "publish one with `checkrein bundles publish PATH`",
    "BUNDLE_NO_KEY": "make one with `openssl genpkey -algorithm ed25519`, for the control plane",
    "BUNDLE_UNVERIFIED": "publish them with `checkrein bundles publish PATH`",
    "ERASED_BEFORE": "`checkrein audit retention erasures` shows by whom and why",
    "ERASURE_HELD": "`checkrein audit retention` shows the hold; `release` there ends it",
    "ERASURE_TOO_SOON": "answer or resolve what is open first, then try again",
    "FAILED_PRECONDITION": "",
    "GRANTS_FULL": "`checkrein grants list --status ACTIVE` shows them",
    "GRANT_REFUSED": "ask for less, or approve this once: `checkrein approvals approve --help`",
    "KEY_OVER": "make a new one with `checkrein keys create NAME`",
    "RUN_ENDED": "look again with `checkrein runs show ID`",
    "RUN_UNNAMED": "stop the agent: `checkrein stop agent NAME --reason WHY`",
    "INCIDENT_HANDLED": "look again with `checkrein incidents show ID`",
    "OUTCOME_SETTLED": "`checkrein outcomes list --status settled` shows what was found",
    "STOPS_FULL": "`checkrein stops` shows them",
    "STOP_LIFTED": "`checkrein stops --all` shows by whom",
}
"""By the code of the envelope, or by its finer reason code, where the status alone would give the
wrong advice."""


class Refused(CommandError):
    """The control plane said no. `detail` is its whole envelope: what stands beside the message."""

    def __init__(self, message: str, advice: str, detail: Json) -> None:
        super().__init__(message, advice)
        self.detail = detail


class Api:
    """One control plane and one key."""

    def __init__(self, url: str, key: str, patience_seconds: float = TIMEOUT_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._patience_seconds = patience_seconds
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirects(), *_verification(url)
        )

    def get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        wait_seconds: float = 0,
        work_seconds: float = 0,
    ) -> Json:
        """GET with the query parameters that are not None; `wait_seconds` asks for a long poll,
        `work_seconds` is how long the server may work on it."""
        given = {n: str(value) for n, value in (query or {}).items() if value is not None}
        if wait_seconds:
            given["waitSeconds"] = f"{wait_seconds:g}"
        where = path + ("?" + urllib.parse.urlencode(given) if given else "")
        seconds = self._patience_seconds + wait_seconds + work_seconds
        return self._call("GET", where, None, seconds)

    def post(self, path: str, body: Mapping[str, object], work_seconds: float = 0) -> Json:
        """POST a JSON object; `work_seconds` is how long the server may work on it."""
        seconds = self._patience_seconds + work_seconds
        return self._call("POST", path, json.dumps(body).encode(), seconds)

    def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """PATCH with a JSON object."""
        return self._call("PATCH", path, json.dumps(body).encode(), self._patience_seconds)

    def put(self, path: str, body: Mapping[str, object]) -> Json:
        """PUT a JSON object."""
        return self._call("PUT", path, json.dumps(body).encode(), self._patience_seconds)

    def _call(self, method: str, path: str, body: bytes | None, seconds: float) -> Json:
        headers = {"x-api-key": self._key, "accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 - the operator's own URL, checked below
            self.url + path, data=body, headers=headers, method=method
        )
        try:
            with self._opener.open(request, timeout=seconds) as response:
                data = response.read(RESPONSE_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error) from None
        except (OSError, ValueError) as error:
            raise CommandError(
                f"the control plane at {self.url} can't be reached: {_cause(error)}",
                "is `checkrein up` running? name its directory with `--data-dir`, or set "
                "CHECKREIN_API_URL and CHECKREIN_API_KEY",
            ) from None
        return _parsed(data, self.url)

    @contextlib.contextmanager
    def stream(self, path: str, query: Mapping[str, object] | None = None) -> Iterator[IO[bytes]]:
        """The bytes of an answer as they come, for what may be larger than memory.

        Raises:
            CommandError: the control plane said no, or can't be reached any more.
        """
        given = {n: str(value) for n, value in (query or {}).items() if value is not None}
        where = path + ("?" + urllib.parse.urlencode(given) if given else "")
        request = urllib.request.Request(  # noqa: S310 - the operator's own URL, checked below
            self.url + where, headers={"x-api-key": self._key}
        )
        try:
            with self._opener.open(request, timeout=STREAM_SECONDS) as response:
                yield response
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error) from None
        except (urllib.error.URLError, TimeoutError, http.client.HTTPException) as error:
            raise CommandError(
                f"the control plane at {self.url} broke off: {_cause(error)}", "try it again"
            ) from None

    def records(self, query: Mapping[str, object] | None = None) -> Iterator[Json]:
        """Every record, oldest first, page by page."""
        cursor: object = None
        while True:
            asked = {**(query or {}), "after": cursor, "limit": PAGE_RECORDS}
            page = self.get("/v1/records", asked)
            yield from page["records"]
            if len(page["records"]) < PAGE_RECORDS:
                return
            cursor = page["nextCursor"]

    def pages(self, path: str, name: str, query: Mapping[str, object] | None = None) -> list[Json]:
        """All that a list has, page by page; `name` is the list's field."""
        found: list[Json] = []
        cursor: object = None
        while True:
            page = self.get(path, {"limit": LIST_COUNT_MAX, **(query or {}), "cursor": cursor})
            found += page[name]
            cursor = page.get("nextCursor")
            if cursor is None:
                return found


def _verification(url: str) -> tuple[urllib.request.BaseHandler, ...]:
    """Over TLS: with the root that CHECKREIN_API_CA_FILE names, else with the system's.

    Raises:
        CommandError: the file can't be used.
    """
    if not url.startswith("https:"):
        return ()
    import ssl

    file = os.environ.get("CHECKREIN_API_CA_FILE") or None
    try:
        roots = ssl.create_default_context(cafile=file)
    except (OSError, ValueError):
        raise CommandError(
            f"CHECKREIN_API_CA_FILE can't be used: `{file}`",
            "name a PEM file with the root of the control plane's certificate",
        ) from None
    return (urllib.request.HTTPSHandler(context=roots),)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key must not follow a redirect to somewhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def open_api(data_dir_path: Path | None) -> Api:
    """The API of the environment's variables, else of the stack that runs on the data directory.

    Raises:
        CommandError: no stack runs there, or its key can't be read.
    """
    url = os.environ.get("CHECKREIN_API_URL")
    key = os.environ.get("CHECKREIN_API_KEY")
    if data_dir_path is None and url:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise CommandError(f"CHECKREIN_API_URL is not a URL: `{url}`", "write http://HOST:PORT")
        return Api(url, key or read_key(open_data_dir(None), "admin"))
    data_dir = open_data_dir(data_dir_path)
    running = load_running(data_dir)
    if running is None:
        raise CommandError(
            f"no `checkrein up` runs on `{data_dir.path}`",
            "start it, name its directory with `--data-dir`, or set CHECKREIN_API_URL and "
            "CHECKREIN_API_KEY",
        )
    # An option that was given goes before the environment: this folder, and its own key.
    given = key if data_dir_path is None else None
    return Api(running.api_url, given or read_key(data_dir, "admin"))


def _refused(error: urllib.error.HTTPError) -> Refused:
    envelope: Json
    try:
        envelope = json.loads(error.read(REFUSAL_BYTES_MAX))["error"]
        message, code = str(envelope["message"]), str(envelope.get("code", ""))
        finer = str(envelope.get("reason_code", ""))
    except (ValueError, KeyError, TypeError, OSError):
        envelope = {}
        message, code, finer = f"the control plane answered with status {error.code}", "", ""
    sentence = f"{message} ({code})" if code else message
    by_status = _ADVICE.get(error.code, "")
    advice = _ADVICE_OF_CODE.get(finer, _ADVICE_OF_CODE.get(code, by_status))
    return Refused(sentence[:1].lower() + sentence[1:], advice, envelope)


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "it did not answer in time"
    return str(getattr(reason, "strerror", None) or reason).lower()


def _parsed(data: bytes, url: str) -> Json:
    try:
        value = json.loads(data) if len(data) <= RESPONSE_BYTES_MAX else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CommandError(f"{url} does not answer as a control plane does", "check the URL")
    return value
