"""HubSpot's API, from the sources of its Python SDK, and of its Node SDK where that has more.

Every object type has the same acts: `basic_api` on one object, `batch_api` on many, `search_api`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.authoring.imports.sdk.hubspot import read_hubspot_calls, read_hubspot_node_calls
from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.python_calls import SdkCall
from gateway.authoring.imports.sdk.rows import NamedCall, act_words, judged_row, without_aliases
from gateway.authoring.imports.wires import shape_of, wire_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "hubspot"
SOURCES = (
    Source(
        "pypi",
        "hubspot-api-client",
        "12.0.0",
        "Apache-2.0",
        "5426627ff808fdf259d5b5e4791667a323a2a82d36a834e7e43ec8e8f021aa08",
    ),
    Source(
        "npm",
        "@hubspot/api-client",
        "14.0.1",
        "ISC",
        "fbab080fb612a0ab5968827281d8e4bb6b2ed596272e7d02ce30454f43b4b2db",
    ),
)
READING_POSTS = (
    (re.compile(r"\.do_search$|crm_v3_lists_search$"), "a search with its filters in the body"),
    (re.compile(r"batch_api\.(?:read|get_page)$|batch_read$|\.read_batch$"), "reads many at once"),
    (re.compile(r"\.read_(?:folders|table_rows|draft_table_rows)$"), "reads many at once"),
    (re.compile(r"\.translate_legacy_list_id_to_list_id_batch$"), "maps old ids to new ones"),
    (re.compile(r"validation_api\.do_validate$"), "says whether a template is one"),
)
"""What reads by POST, and why; each pattern means every operation that it finds."""
_ADMIN = re.compile(
    r"settings\.users\.|\.oauth\.|\.webhooks\.settings_api\.|visitor_ident|smtp_tokens"
)
_CREDENTIALS = re.compile(r"visitor_identification\.|oauth\.\w+\.create|\.create_token$|password$")
_IRREVERSIBLE = re.compile(r"\.merge$|\.purge\w*$|reset_password|archive|\.gdpr")
_ACTS = {
    "hubspot.marketing.emails.marketing_emails_api.publish_or_send": Kind.SEND,
    "hubspot.crm.lists.lists_api.schedule_or_update_conversion": Kind.UPDATE,
    "hubspot.events.send.basic_api.send": Kind.CREATE,
    "hubspot.events.send.batch_api.send": Kind.CREATE,
}
"""An e-mail goes out; an event is noted, and goes to nobody."""
_PLAIN = frozenset({"basic", "batch", "search", "core", "advanced"})
_FAMILIES = frozenset({"crm", "cms", "objects", "v4"})
"""Parts of a path that say nothing about the thing."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    python = list(read_hubspot_calls(folders["hubspot-api-client"]))
    known = {_shape(call) for call in python}
    node = [
        call
        for call in read_hubspot_node_calls(folders["@hubspot/api-client"])
        if _shape(call) not in known
    ]
    preferred = {call.name for call in node if not re.search(r"_v\d_|_v\d$", call.path[-1])}
    named = without_aliases(PROVIDER, [*python, *node], preferred=preferred)
    judgement = Judgement(
        reads=dict(_reading(named)),
        acts=_ACTS,
        admin=_ADMIN,
        credentials=_CREDENTIALS,
        irreversible=_IRREVERSIBLE,
    )
    return [NewSection(PROVIDER, [_row(call, judgement) for call in named])]


def _shape(call: SdkCall) -> str:
    return shape_of(wire_of(call.method, call.template)[0])


def _reading(calls: Iterable[NamedCall]) -> Iterable[tuple[str, str]]:
    for named in calls:
        if named.call.method == "POST":
            for pattern, reason in READING_POSTS:
                if pattern.search(named.operation):
                    yield named.operation, reason


def _row(named: NamedCall, judgement: Judgement) -> Row:
    *places, api, method = named.call.path
    kept = {"do_search": "search", "get_page": "list"}.get(method, method)
    thing = api.removesuffix("_api")
    batch = ["batch"] if thing == "batch" and "batch" not in words_of(kept) else []
    places = [place for place in places if place not in _FAMILIES]
    path = [*places, *([] if thing in _PLAIN else [thing]), "_".join([*batch, kept])]
    words = act_words(path, named.call.method)
    # An archived object is deleted for the API, and can be restored in HubSpot for some weeks.
    meant = ["delete" if word == "archive" else word for word in words_of(kept)]
    return judged_row(
        named.operation,
        # A file's path has slashes in it.
        wire_of(named.call.method, named.call.template.replace("/{path}", "/{path+}"))[0],
        words,
        (),
        judgement.kind_of(named.operation, meant, named.call.method),
        judgement,
        {},
    )
