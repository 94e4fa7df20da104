"""Derives an operation's kind from the best authority there is: the provider's own access level or
trait, then OAuth scopes, then the verb of its name, then the method.

Never calls a read what it isn't sure of: what no authority settles is UNKNOWN. A DELETE is never a
read; a PUT or PATCH only where the authority and the name both say so; a POST only by the word of
the authority or of a verb that means nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from gateway.canonicalize.naming.words import singular
from gateway.model.action import Kind

_PLAIN = {
    Kind.READ: "get list read search find count describe retrieve lookup preview",
    Kind.CREATE: "create add register copy upload fork import open",
    Kind.UPDATE: "update set edit modify rename move mark close reopen archive unarchive enable"
    " disable attach detach lock unlock merge pin unpin replace restore",
    Kind.DELETE: "delete remove terminate destroy purge",
    Kind.EXECUTE: "run execute start stop restart reboot cancel confirm capture finalize pay"
    " invoke dispatch void rerun trigger complete",
    Kind.SEND: "send post publish notify schedule",
    Kind.ADMIN: "grant revoke invite",
}
"""Verbs that mean one thing everywhere: an author's action says its kind by them alone."""
_WIDER = {
    Kind.READ: "query view show download head exists check validate verify compare explain"
    " estimate scan browse fetch",
    Kind.CREATE: "put insert new clone duplicate provision allocate request ingest record track"
    " store comment make",
    Kind.UPDATE: "patch change configure tag untag associate disassociate upsert save assign"
    " unassign apply reset rotate suspend resume activate deactivate link unlink join leave"
    " follow unfollow star unstar subscribe unsubscribe transfer dismiss block unblock"
    " unsuspend acknowledge resolve snooze mute unmute hide unhide watch unwatch reorder"
    " reprioritize promote demote convert undelete overwrite toggle renew extend increment"
    " decrement adjust vote unvote swap switch redact revert resize unpublish ignore"
    " favorite unfavorite write downgrade",
    Kind.DELETE: "drop deregister revoke unregister clear truncate release erase wipe trash",
    Kind.EXECUTE: "submit retry approve reject accept decline deploy rollback failover process"
    " generate compute export abort commit reverse redeem pause exec connect proxy evaluate"
    " simulate test sync refresh render call redeliver rerequest migrate upgrade rebuild"
    " reindex drain cordon resend replay launch calculate translate transcribe ping exchange"
    " login logout build analyze perform answer do escalate conclude print install uninstall",
    Kind.SEND: "reply forward broadcast dial",
    Kind.ADMIN: "authorize impersonate",
}
"""Verbs that mean this in the names that providers give. They revoke tokens and sessions, which is
a deletion; a person who writes `revoke_role` takes a permission back."""


def _by_verb(table: Mapping[Kind, str]) -> dict[str, Kind]:
    return {word: kind for kind, words in table.items() for word in words.split()}


_KIND_BY_PLAIN_VERB = _by_verb(_PLAIN)
KIND_BY_VERB = _KIND_BY_PLAIN_VERB | _by_verb(_WIDER)
_PREFIXES = frozenset(
    {"batch", "bulk", "transact", "admin", "async", "bidi", "streaming", "mass", "multi", "force"}
)
"""Words before the verb that say how, not what."""
_UNSURE_READS = frozenset(
    {"request", "query", "check", "validate", "verify", "scan", "fetch", "download", "exists"}
)
"""Verbs that read in most APIs and act in some; believed only where the method agrees."""
_NOUNS_TOO = frozenset(
    {
        "release", "tag", "link", "transfer", "schedule", "request", "process", "export", "record",
        "track", "post", "message", "test", "build", "run", "star", "block", "watch", "vote",
        "open", "new", "fork", "copy", "import", "merge", "commit", "call", "reply", "ping",
        "render", "calculate", "compute", "evaluate", "analyze", "translate", "change", "move",
        "mute", "resolve", "follow", "generate",
    }
)  # fmt: skip
"""Verbs that are nouns too, or compute without a trace: `GET .../releases` and `.../export` read,
so here a GET is believed before the name."""
_LAST_READS = frozenset({"get", "list", "search", "describe", "lookup", "retrieve"})
"""The only reading verbs that are believed as the last word of a name (`item_get`)."""
_JOINTS = frozenset({"or", "and", "then"})
_UNSPOILT = (Kind.READ, Kind.UNKNOWN)


def kind_of_action(action: str) -> Kind | None:
    """The kind that an author's action means by its verb alone, or None where that isn't plain."""
    return _KIND_BY_PLAIN_VERB.get(action.partition("_")[0])


def verb_in(words: Sequence[str]) -> str | None:
    """The first word that is a verb of the table, behind `batch` and the like."""
    for position, word in enumerate(words):
        if word in KIND_BY_VERB:
            return word
        if word not in _PREFIXES or position > 1:
            return None
    return None


def verb_of(words: Sequence[str]) -> str | None:
    """As `verb_in`, or the verb that a name ends with: `item_public_token_exchange`."""
    first = verb_in(words)
    if first is not None or not words:
        return first
    last = words[-1]
    if KIND_BY_VERB.get(last) is Kind.READ:
        acts = any(KIND_BY_VERB.get(word, Kind.READ) is not Kind.READ for word in words[1:-1])
        return last if last in _LAST_READS and not acts else None
    return last if last in KIND_BY_VERB else None


def derived_kind(words: Sequence[str], method: str = "", *, is_read: bool | None = None) -> Kind:
    """The kind of an operation whose name has these words.

    `is_read` is the authority's word (an access level, a `readonly` trait, a scope), None where it
    is silent. `method` is empty where it says nothing (RPC over POST).
    """
    verb = verb_of(words)
    named = _second_act(words) or (KIND_BY_VERB[verb] if verb else Kind.UNKNOWN)
    if is_read:
        settled = method not in ("DELETE", "PUT", "PATCH") or (
            named is Kind.READ and method != "DELETE"
        )
        if settled:
            return Kind.READ
    if is_read is False and named is Kind.READ:
        named = Kind.UNKNOWN
    if named is Kind.READ and method not in ("", "GET", "HEAD", "POST", "OPTIONS"):
        named = Kind.UNKNOWN
    if named is Kind.READ and verb in _UNSURE_READS and method in ("", "POST"):
        named = Kind.UNKNOWN
    if verb in _NOUNS_TOO and method in ("GET", "HEAD") and is_read is None:
        return Kind.READ
    if named is not Kind.UNKNOWN:
        return named
    return _by_method(method, is_read)


def _second_act(words: Sequence[str]) -> Kind | None:
    """What `get_or_create` and `list_and_delete` do beside reading."""
    for before, word in pairwise(words):
        if before in _JOINTS and KIND_BY_VERB.get(word, Kind.READ) is not Kind.READ:
            first = KIND_BY_VERB.get(words[0], Kind.READ)
            return KIND_BY_VERB[word] if first in _UNSPOILT else None
    return None


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


# --- who may do what ------------------------------------------------------------------------------

_ACCESS = frozenset(
    {
        "role", "permission", "membership", "collaborator", "acl", "saml", "sso", "scim", "mfa",
        "idp", "credential", "secret", "token", "apikey", "password", "passkey",
        "entitlement", "impersonation", "signin", "oidc", "oauth", "owner", "admin", "maintainer",
    }
)  # fmt: skip
"""Nouns that say who may do what, wherever they stand in what is changed."""
_PEOPLE = frozenset({"user", "member", "invitation", "invite", "account_holder", "seat"})
"""Nouns that do so only where they are the very thing that is changed (`create_user`)."""
_ACCESS_PAIRS = frozenset(
    {
        ("api", "key"), ("access", "key"), ("ssh", "key"), ("gpg", "key"), ("deploy", "key"),
        ("signing", "key"), ("app", "key"), ("application", "key"), ("private", "key"),
        ("service", "account"), ("branch", "protection"), ("access", "policy"), ("access", "rule"),
        ("identity", "provider"), ("auth", "method"), ("security", "policy"), ("ip", "allow"),
        ("iam", "policy"), ("allow", "list"), ("ip", "whitelist"), ("team", "member"),
        ("group", "member"), ("two", "factor"), ("sub", "user"), ("access", "group"),
    }
)  # fmt: skip
_KEYS = frozenset({"token", "secret", "credential", "apikey", "password", "passkey", "jwt"})
_KEY_PAIRS = frozenset(
    {("api", "key"), ("access", "key"), ("app", "key"), ("application", "key"), ("private", "key")}
)
_MINTS = frozenset(
    {
        "create", "generate", "rotate", "regenerate", "refresh", "exchange", "reveal", "reset",
        "renew", "issue", "mint", "add", "new", "request", "reroll", "roll",
    }
)  # fmt: skip
_PREPOSITIONS = frozenset({"for", "in", "to", "by", "from", "on", "with", "of", "at", "via", "as"})


def object_of(words: Sequence[str]) -> list[str]:
    """What the verb acts on, in the singular: `[set, memberships, for, user]` -> `[membership]`."""
    verb = verb_of(words)
    rest = list(words)
    if verb is not None and verb in rest:
        at = rest.index(verb)
        rest = rest[at + 1 :] if at < len(rest) - 1 else rest[:at]
    kept: list[str] = []
    for word in rest:
        if word in _PREPOSITIONS:
            break
        kept.append(singular(word))
    return kept


def changes_access(words: Sequence[str]) -> bool:
    """Whether an operation with these words (its verb first) is about who may do what."""
    nouns = object_of(words)
    if not nouns:
        return False
    pairs = set(pairwise(nouns))
    return (
        not _ACCESS.isdisjoint(nouns) or nouns[-1] in _PEOPLE or not _ACCESS_PAIRS.isdisjoint(pairs)
    )


def raised_kind(kind: Kind, words: Sequence[str]) -> Kind:
    """ADMIN for what changes permissions or identities; every other kind as it is."""
    return Kind.ADMIN if kind is not Kind.READ and changes_access(words) else kind


def sensitivity(kind: Kind, words: Sequence[str]) -> str:
    """`credentials` for what makes secrets and so sends them back, else empty.

    What a GET of a secret answers is the provider's own affair (its name, or its value), so reads
    are marked by their importers.
    """
    if kind is Kind.READ or not _MINTS.intersection(words[:3]):
        return ""
    nouns = object_of(words)
    pairs = set(pairwise(nouns))
    return "" if _KEYS.isdisjoint(nouns) and _KEY_PAIRS.isdisjoint(pairs) else "credentials"
