"""Mailchimp's Marketing API, from the classes of its JavaScript SDK: one a resource.

Operations are the SDK's paths (`campaigns.send`). The host is the data centre's (`us21.api...`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind

PROVIDER = "mailchimp"
SOURCES = (
    Source(
        "npm",
        "@mailchimp/mailchimp_marketing",
        "3.0.80",
        "Apache-2.0",
        "91c78dee8cb714e4ed3d1fd8ed2fade7faeb40f708fed7b15bcfd27128ed84e6",
    ),
)
HOSTS = ("*.api.mailchimp.com",)
JUDGEMENT = Judgement(
    kinds={
        "lists.batchListMembers": Kind.UPDATE,
        "lists.deleteListMemberPermanent": Kind.DELETE,
        "lists.deleteListMember": Kind.DELETE,
        "lists.addListMember": Kind.CREATE,
        "lists.setListMember": Kind.UPDATE,
        "lists.updateListMember": Kind.UPDATE,
        "lists.createSegmentMember": Kind.CREATE,
        "lists.removeSegmentMember": Kind.DELETE,
        "lists.batchSegmentMembers": Kind.UPDATE,
        "batches.start": Kind.UPDATE,
        "campaigns.cancelSend": Kind.EXECUTE,
    },
    admin=re.compile(r"^authorizedApps\.|Webhooks?$|^verifiedDomains\.(?!get)"),
    sends=re.compile(
        r"^campaigns\.(?:send|sendTestEmail|schedule|resume|createResend)$|sendChecklist"
        r"|^messages\.|^surveys\.publish|^landingPages\.publish"
    ),
    executes=re.compile(r"^automations\.(?:start|pause|archive)|customerJourneys\.trigger"),
    credentials=re.compile(r"^authorizedApps\.link$|^lists\.createListWebhook$"),
    irreversible=re.compile(r"Permanent$|^automations\.archive$"),
    actions={
        "campaigns.create": "create_campaign",
        "campaigns.send": "send_campaign",
        "lists.addListMember": "create_contact",
        "lists.setListMember": "update_contact",
        "lists.updateListMember": "update_contact",
        "lists.deleteListMember": "delete_contact",
        "lists.deleteListMemberPermanent": "delete_contact",
        "templates.create": "create_email_template",
        "templates.updateTemplate": "update_email_template",
        "templates.deleteTemplate": "delete_email_template",
    },
    params={
        "lists.addListMember": {
            "email": RowParam("body.email_address"),
            "status": RowParam("body.status"),
        },
        "lists.setListMember": {
            "email": RowParam("body.email_address"),
            "status": RowParam("body.status"),
        },
        "campaigns.create": {
            "type": RowParam("body.type"),
            "audience": RowParam("body.recipients.list_id"),
            "subject": RowParam("body.settings.subject_line"),
        },
        "campaigns.sendTestEmail": {"to": RowParam("body.test_emails", "list")},
        "campaigns.schedule": {"scheduled_at": RowParam("body.schedule_time")},
    },
    posts_act=True,
)
_CALL = re.compile(
    r"this\.(\w+)WithHttpInfo = function\(|callApi\(\s*'([^']+)', '([A-Z]+)'", re.DOTALL
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the whole API."""
    folder = folders["@mailchimp/mailchimp_marketing"] / "package" / "src" / "api"
    found: dict[tuple[str, str], Call] = {}
    for path in sorted(folder.glob("*Api.js")):
        for call in _calls(path):
            shape = shape_of(call.template)
            found.setdefault((call.method, shape), call)
    return [NewSection("mailchimp", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _calls(path: Path) -> Iterator[Call]:
    owner = path.stem.removesuffix("Api")
    owner = owner[0].lower() + owner[1:]
    nouns = [singular(word) for word in words_of(owner)]
    name = ""
    for found, template, method in _CALL.findall(path.read_text()):
        if found:
            name = found
            continue
        words = words_of(name)
        yield Call(
            f"{owner}.{name}",
            method,
            f"/3.0{template}",
            (words[0], *(words[1:] or nouns)),
        )
