"""The control plane's HTTP API as a person's tool would call it: answers approvals, reads records.

Uses the standard library only, so that no client of ours vouches for itself.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

CALL_SECONDS_MAX = 35.0
POLL_SECONDS = 0.05
PAGE_RECORDS = 1_000

# The environment's proxies are for agents; an operator's call goes straight to loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiError(Exception):
    """The API said no; `code` is its envelope's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the control plane stores it: the exact line, and what it says."""

    gateway_id: str
    seq: int
    line: str

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.line)
        return fields


class ControlApi:
    """One operator with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._key = key

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """One call; the JSON answer.

        Raises:
            ApiError: any status from 400.
        """
        text = urllib.parse.urlencode({key: value for key, value in query.items() if value})
        request = urllib.request.Request(
            f"{self.url}{path}" + (f"?{text}" if text else ""),
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-key": self._key, "content-type": "application/json"},
            method=method,
        )
        try:
            with _OPENER.open(request, timeout=CALL_SECONDS_MAX) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            envelope = json.loads(error.read() or b"{}").get("error", {})
            raise ApiError(
                error.code, envelope.get("code", ""), envelope.get("message", "")
            ) from None

    # --- approvals --------------------------------------------------------------------------------

    def approvals(self, status: str = "") -> list[dict[str, Any]]:
        """The newest approvals first."""
        found: list[dict[str, Any]] = self.call("GET", "/v1/approvals", status=status)["approvals"]
        return found

    def approval_ids(self) -> frozenset[str]:
        """All that are known now, on every page, so that a new one can be told from them."""
        found: set[str] = set()
        cursor = ""
        while True:
            page = self.call("GET", "/v1/approvals", cursor=cursor)
            found.update(approval["approvalId"] for approval in page["approvals"])
            cursor = page["nextCursor"]
            if not cursor:
                return frozenset(found)

    def approval(self, approval_id: str) -> dict[str, Any]:
        """One approval."""
        found: dict[str, Any] = self.call("GET", f"/v1/approvals/{approval_id}")["approval"]
        return found

    def wait_pending(self, known: Collection[str], seconds: float = 20.0) -> dict[str, Any]:
        """The pending approval that is not among `known`, once there is one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for approval in self.approvals("PENDING"):
                if approval["approvalId"] not in known:
                    return approval
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"no new approval within {seconds:.0f} s")

    def wait_status(self, approval_id: str, status: str, seconds: float = 10.0) -> dict[str, Any]:
        """The approval, once it has this status."""
        deadline = time.monotonic() + seconds
        while True:
            approval = self.approval(approval_id)
            if approval["status"] == status:
                return approval
            if time.monotonic() > deadline:
                raise AssertionError(f"{approval_id} is {approval['status']}, not {status}")
            time.sleep(POLL_SECONDS)

    def resolve(self, approval_id: str, resolution: str, reason: str = "") -> dict[str, Any]:
        """APPROVE, REJECT or CANCEL it as `judge@example.test`."""
        body: Mapping[str, str] = {
            "resolution": resolution,
            "resolvedBy": "judge@example.test",
            "reason": reason,
        }
        answered: dict[str, Any] = self.call("POST", f"/v1/approvals/{approval_id}/resolve", body)
        approval: dict[str, Any] = answered["approval"]
        return approval

    # --- records ----------------------------------------------------------------------------------

    def records(self, gateway_id: str = "") -> list[StoredRecord]:
        """Every stored record, in order of arrival."""
        found, _ = self._records_after("0", gateway_id)
        return found

    def wait_record(
        self, wanted: Mapping[str, object], about: str = "", seconds: float = 15.0
    ) -> dict[str, Any]:
        """The newest stored record with these fields whose line mentions `about`."""
        deadline = time.monotonic() + seconds
        cursor = "0"
        while time.monotonic() < deadline:
            # The server answers as soon as there is a new record, or after a second.
            found, cursor = self._records_after(cursor, wait_seconds=1)
            for record in reversed(found):
                fields = record.fields
                if about in record.line and wanted.items() <= fields.items():
                    return fields
        raise AssertionError(f"no record {dict(wanted)} about {about!r} within {seconds:.0f} s")

    def _records_after(
        self, cursor: str, gateway_id: str = "", wait_seconds: float = 0
    ) -> tuple[list[StoredRecord], str]:
        found: list[StoredRecord] = []
        while True:
            page = self.call(
                "GET",
                "/v1/records",
                after=cursor,
                limit=PAGE_RECORDS,
                gatewayId=gateway_id,
                waitSeconds=0 if found else wait_seconds,
            )
            cursor = page["nextCursor"]
            for record in page["records"]:
                found.append(StoredRecord(record["gatewayId"], record["seq"], record["line"]))
            if len(page["records"]) < PAGE_RECORDS:
                return found, cursor
