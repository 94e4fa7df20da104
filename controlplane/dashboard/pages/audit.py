"""The audit explorer: decisions by a filter line, the newest first; and as a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from aiohttp import web

from controlplane.auth import Permission
from controlplane.dashboard.listing import cursor_number
from controlplane.dashboard.pages import log
from controlplane.dashboard.visit import ROOT, NavEntry, Page, Visit, get, redirect
from controlplane.faults import ControlFault, Fault
from controlplane.services.decisions.audit_filter import (
    CHOICES,
    NAMES,
    TEXT,
    WORDS,
    ParsedFilter,
    parse_filter,
    write_filter,
)
from controlplane.services.decisions.explorer import FoundPage
from controlplane.services.decisions.exports import CONTENT_TYPES, ExportFormat

PAGE_COUNT: Final = 50

READ: Final = (Permission.RECORD_READ, Permission.ADMIN)

FIELDS: Final = ("agent", "effect", "provider", "action", "rule", "outcome", "since")
"""For those who don't type; the line has all words."""


async def list_(visit: Visit) -> web.Response:
    """`GET /dashboard/audit`: `q` is the filter line. Fields of the form are put into it."""
    if any(name in visit.http.query for name in (*NAMES, TEXT)):
        return _as_line(visit)
    line = visit.query("q").strip()
    parsed = parse_filter(line, datetime.now(UTC))
    newest = await visit.services.explorer.newest_seen(visit.caller)
    found = FoundPage((), None)
    if not parsed.problems:
        found = await visit.services.explorer.search(
            visit.caller, parsed.wanted, cursor_number(visit), PAGE_COUNT
        )
        newest = max([newest, *(view.record_id for view in found.decisions[:1])])
    words = await visit.services.explorer.words(visit.caller)
    kept = await visit.services.logs.about(visit.caller)
    return await visit.page(
        "audit.html",
        line=line,
        parsed=parsed,
        found=found,
        newest=newest,
        fields=FIELDS,
        choices=CHOICES,
        known=words,
        words=WORDS,
        completions=_completions(words),
        log=kept,
        places=log.newest_of_places(kept.anchors),
    )


async def count_new(visit: Visit) -> web.Response:
    """`GET /dashboard/audit/new`: how many fit that came after the record `after`."""
    parsed = _understood(visit)
    after = visit.number("after") or 0
    count = await visit.services.explorer.new_count(visit.caller, parsed.wanted, after)
    return web.Response(
        text=json.dumps({"count": count}),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def export(visit: Visit) -> web.Response:
    """`GET /dashboard/audit/export`: what the filter finds, as a file."""
    parsed = _understood(visit)
    form = ExportFormat.CSV if visit.query("format") == ExportFormat.CSV else ExportFormat.JSONL

    async def still_may() -> bool:
        return await visit.services.sessions.still_holds(visit.session)

    lines = visit.services.exports.decisions(visit.caller, parsed.wanted, form, still_may)
    return web.Response(
        body=lines,
        content_type=CONTENT_TYPES[form],
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="decisions.{form}"',
            "Cache-Control": "no-store",
        },
    )


def _as_line(visit: Visit) -> web.Response:
    """The form's fields take the place of what the line says of the same."""
    terms = dict(parse_filter(visit.query("q"), datetime.now(UTC)).terms)
    for name in (*NAMES, TEXT):
        if name in visit.http.query:
            terms[name] = visit.query(name).strip()
    line = write_filter(terms)
    return redirect(f"{ROOT}/audit" + (f"?q={quote(line, safe='')}" if line else ""))


def _understood(visit: Visit) -> ParsedFilter:
    parsed = parse_filter(visit.query("q"), datetime.now(UTC))
    if parsed.problems:
        raise ControlFault(Fault.INVALID_ARGUMENT, parsed.problems[0].message)
    return parsed


def _completions(words: object) -> list[str]:
    """What a word of the line may become: names first, then what is known of each."""
    found = [f"{word.name}:" for word in WORDS]
    found += [f"{name}:{choice}" for name, choices in CHOICES.items() for choice in choices]
    found += [f"since:{age}" for age in ("15m", "1h", "1d", "1w")]
    if isinstance(words, dict):
        found += [write_filter({name: value}) for name, values in words.items() for value in values]
    return list(dict.fromkeys(found))


PAGE = Page(
    nav=NavEntry("Audit", "/audit", "d", "audit"),
    routes=(
        get("/audit", list_, *READ),
        get("/audit/new", count_new, *READ),
        get("/audit/export", export, *READ),
        get("/audit/log/checkpoint", log.checkpoint, *READ),
        get("/audit/log/export", log.export, *READ),
    ),
)
