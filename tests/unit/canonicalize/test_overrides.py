"""Entries that are keyed by an operation's own name: what they change, how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.catalog.file import NewSection, write_catalog
from gateway.model.action import Action, Kind
from gateway.model.errors import ConfigurationError

MAIL = Row(
    "mail.send", "POST /send", Kind.SEND, "send_mail", "mail", "",
    {"subject": RowParam("body.subject")}, reversible=False,
)  # fmt: skip
SECTIONS = [
    NewSection("mail", [MAIL], ("mail.cloud.test",)),
    NewSection(
        "disks",
        [
            Row(
                "disks.delete",
                "DELETE /disks/{disk}",
                Kind.DELETE,
                "delete_disk",
                "disk",
                "path.disk",
            )
        ],
        ("disks.cloud.test",),
    ),
]


def load(folder: Path, operations: str) -> Canonicalizer:
    """A provider with a host for each of two sections, and these entries over them."""
    (folder / "catalogs").mkdir()
    data = write_catalog("cloud", "cloud", [], SECTIONS)
    (folder / "catalogs" / "cloud.cat").write_bytes(data)
    path = folder / "cloud.yaml"
    path.write_text(
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: cloud}\nspec:\n"
        f"  provider: cloud\n  extends: catalog:cloud\n  operations:\n{operations}"
    )
    return Canonicalizer.load([path])


def send(canonicalizer: Canonicalizer, body: str) -> Action:
    headers = [("content-type", "application/json")]
    request = build_request("POST", "https://mail.cloud.test/send", headers, body.encode())
    (action,) = canonicalizer.canonicalize(request).actions
    return action


def test_an_entry_changes_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    """Action and params are new; kind, target and what can't be undone are the catalog's."""
    recipients = "{from: 'body.to, body.cc', type: mail_addresses}"
    entry = f"    mail.send: {{action: send_email, params: {{recipients: {recipients}}}}}\n"

    action = send(load(tmp_path, entry), '{"to": "Ann <A@x.com>", "cc": ["b@x.com"]}')

    assert (action.action, action.kind, action.target.type) == ("send_email", Kind.SEND, "mail")
    assert dict(action.params) == {"recipients": ["a@x.com", "b@x.com"]}
    assert not action.reversible


def test_conditions_tell_entries_apart(tmp_path: Path) -> None:
    """More conditions before fewer, as everywhere."""
    entry = (
        "    mail.send:\n      - {action: send_email}\n"
        "      - {action: create_draft, kind: create, when: {body.draft: true}}\n"
    )
    canonicalizer = load(tmp_path, entry)

    assert send(canonicalizer, "{}").action == "send_email"
    assert send(canonicalizer, '{"draft": 1}').action == "create_draft"


PROBLEMS: dict[str, tuple[str, str]] = {
    "an operation that is nowhere": (
        "mail.sned: send_email", "has no operation `mail.sned` (help: did you mean `mail.send`?)",
    ),
    "an address of another path": (
        "mail.send: {target: {type: mail, id: path.disk}}", "`path.disk` is not in the path",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_mistakes_are_told_once(tmp_path: Path, case: str) -> None:
    """One problem, at its line, however many hosts the catalog has."""
    entry, message = PROBLEMS[case]

    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, f"    {entry}\n")

    (problem,) = caught.value.problems
    assert message in str(problem)
    assert problem.line == 8


def test_an_operation_of_another_host_is_not_missing(tmp_path: Path) -> None:
    """Each host has a section; an entry need be in one of them."""
    canonicalizer = load(tmp_path, "    disks.delete: delete_volume\n    mail.send: send_email\n")

    assert canonicalizer.check() == []
