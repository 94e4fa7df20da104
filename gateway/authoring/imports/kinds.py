"""Derives an operation's kind from the best authority there is: the provider's own access level or
trait, then OAuth scopes, then the verb of its name, then the method.

Never calls a read what it isn't sure of: what no authority settles is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.action import Kind

_WORDS = {
    Kind.READ: "get list read search find count describe retrieve lookup preview query view show"
    " download head exists check validate verify compare explain estimate scan browse fetch",
    Kind.CREATE: "create add register copy upload fork import open put insert new clone duplicate"
    " provision allocate request",
    Kind.UPDATE: "update set edit modify rename move mark close reopen archive unarchive enable"
    " disable attach detach lock unlock merge pin unpin replace restore patch change configure tag"
    " untag associate disassociate upsert save assign unassign apply reset rotate suspend resume"
    " activate deactivate link unlink join leave follow unfollow star unstar subscribe unsubscribe"
    " transfer",
    Kind.DELETE: "delete remove terminate destroy purge drop deregister revoke unregister clear"
    " truncate release",
    Kind.EXECUTE: "run execute start stop restart reboot cancel confirm capture finalize pay invoke"
    " dispatch void rerun trigger complete submit retry approve reject accept decline deploy"
    " rollback failover promote process generate compute export abort commit reverse redeem pause"
    " exec connect proxy",
    Kind.SEND: "send post publish notify schedule reply forward broadcast",
    Kind.ADMIN: "grant invite authorize impersonate",
}
KIND_BY_VERB = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_PREFIXES = frozenset({"batch", "bulk", "transact", "admin", "async", "bidi", "streaming"})
"""Words before the verb that say how, not what."""
_UNSURE_READS = frozenset(
    {"request", "query", "check", "validate", "verify", "scan", "fetch", "download", "exists"}
)
"""Verbs that read in most APIs and act in some; believed only where the method agrees."""


def verb_in(words: Sequence[str]) -> str | None:
    """The first word that is a verb of the table, behind `batch` and the like."""
    for position, word in enumerate(words):
        if word in KIND_BY_VERB:
            return word
        if position or word not in _PREFIXES:
            return None
    return None


def derived_kind(words: Sequence[str], method: str = "", *, is_read: bool | None = None) -> Kind:
    """The kind of an operation whose name has these words.

    `is_read` is the authority's word (an access level, a `readonly` trait, a scope), None where it
    is silent. `method` is empty where it says nothing (RPC over POST).
    """
    verb = verb_in(words)
    named = KIND_BY_VERB[verb] if verb else Kind.UNKNOWN
    if is_read:
        return Kind.READ
    if is_read is False and named is Kind.READ:
        named = Kind.UNKNOWN
    if named is Kind.READ and method not in ("", "GET", "HEAD", "POST", "OPTIONS"):
        named = Kind.UNKNOWN
    if named is Kind.READ and verb in _UNSURE_READS and method == "POST":
        named = Kind.UNKNOWN
    if named is not Kind.UNKNOWN:
        return named
    return _by_method(method, is_read)


def _by_method(method: str, is_read: bool | None) -> Kind:
    match method:
        case "GET" | "HEAD" if is_read is None:
            return Kind.READ
        case "DELETE":
            return Kind.DELETE
        case "PUT" | "PATCH":
            return Kind.UPDATE
        case _:
            return Kind.EXECUTE if is_read is False else Kind.UNKNOWN
