"""Derives a kind from the first word of an action's name, where a mapper doesn't give one.

Only words that mean one thing everywhere are here; the rest has to be written out. The HTTP
method never makes a kind milder.
"""

from __future__ import annotations

from gateway.model.action import Kind

_WORDS = {
    Kind.READ: "get list read search find count describe retrieve lookup preview",
    Kind.CREATE: "create add register copy upload fork import open",
    Kind.UPDATE: "update set edit modify rename move mark close reopen archive unarchive enable"
    " disable attach detach lock unlock merge pin unpin replace restore",
    Kind.DELETE: "delete remove terminate destroy purge",
    Kind.EXECUTE: "run execute start stop restart reboot cancel confirm capture finalize pay invoke"
    " dispatch void rerun trigger complete",
    Kind.SEND: "send post publish notify schedule",
    Kind.ADMIN: "grant revoke invite",
}

KIND_BY_VERB = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def kind_of(action: str) -> Kind | None:
    """The kind that an action's name means, or None where its verb is not in the table."""
    return KIND_BY_VERB.get(action.partition("_")[0])
