"""What the first words of an SQL statement say: the act, its kind, and whether it can be undone.

Never READ: that is for `sql_tree` to find out from the whole statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.model.action import Kind

_TABLE: Mapping[Kind, str] = {
    Kind.CREATE: "insert create copy load put import upsert attach multitableinsert undrop",
    Kind.UPDATE: "update alter merge replace rename comment exchange restore",
    Kind.DELETE: "delete drop truncate remove detach purge",
    Kind.EXECUTE: "call exec execute do prepare deallocate vacuum analyze analyse reindex refresh"
    " optimize cluster listen notify unlisten kill system set reset lock unload export declare"
    " begin if for while loop case repeat return raise open fetch close discard checkpoint"
    " msck repair cache uncache clear use handler resume suspend backup watch"
    " signal start commit rollback end abort savepoint release install uninstall let unset",
    Kind.ADMIN: "grant revoke deny reassign security",
}
KIND_BY_WORD: Mapping[str, Kind] = {
    word: kind for kind, words in _TABLE.items() for word in words.split()
}
READING_WORDS = frozenset(
    {"select", "with", "values", "table", "show", "describe", "desc", "explain", "from", "list",
     "ls", "pragma", "exists"}
)  # fmt: skip
"""First words of statements that may only read."""
_NEUTRAL = frozenset({"begin", "start", "commit", "rollback", "end", "abort"})
_NEUTRAL_REST = frozenset(
    {"transaction", "work", "tran", "isolation", "level", "read", "write", "only", "committed",
     "serializable", "repeatable", "uncommitted", "deferred", "immediate", "exclusive"}
)  # fmt: skip
_IRREVERSIBLE = frozenset({"drop", "truncate", "delete", "remove", "purge", "unload", "export"})
_EXPORTS = frozenset({"to", "program", "select", "with"})
"""In a COPY: it writes out of the database, or runs a program."""
_PRINCIPALS = frozenset(
    {
        "user", "role", "group", "policy", "permission", "permissions", "owner", "privileges",
        "integration", "share", "account", "login", "authorization", "session_authorization",
        "quota", "credential", "credentials", "secret", "recipient", "provider", "security",
        "masking", "network", "reservation", "capacity", "certificate", "key", "profile",
    }
)  # fmt: skip
"""What stands behind CREATE, ALTER, DROP, SET and USE where it is about who may do what."""
_FILLERS = frozenset(
    {
        "or", "replace", "if", "not", "exists", "current", "local", "session", "row", "access",
        "column", "database", "default", "temporary", "temp", "api", "notification", "storage",
        "external", "resource", "application",
    }
)  # fmt: skip
_NAMES_FOLLOW = frozenset(
    {
        "table", "view", "index", "schema", "function", "procedure", "sequence", "materialized",
        "type", "trigger",
    }
)  # fmt: skip


def verb_of_words(words: Sequence[str]) -> str:
    """The statement's name: its first word, and `statement` where there is none."""
    return words[0] if words else "statement"


def kind_of_words(words: Sequence[str]) -> Kind:
    """The kind that the first words alone tell; UNKNOWN for what may be a read."""
    verb = verb_of_words(words)
    if verb in ("create", "alter", "drop", "set", "use", "comment") and _is_about_access(words):
        return Kind.ADMIN
    if verb == "create" and words[1:3] == ("or", "replace"):
        return Kind.UPDATE
    if verb == "alter" and not {"drop", "delete"}.isdisjoint(words[2:]):
        return Kind.DELETE
    if verb == "copy" and not _EXPORTS.isdisjoint(words[1:]):
        return Kind.EXECUTE
    return KIND_BY_WORD.get(verb, Kind.UNKNOWN)


def _is_about_access(words: Sequence[str]) -> bool:
    for word in words[1:5]:
        if word in _PRINCIPALS:
            return True
        if word in _NAMES_FOLLOW:
            break
        if word not in _FILLERS and words[0] != "alter":
            break
    return words[0] == "alter" and not _PRINCIPALS.isdisjoint(_behind_name(words))


def _behind_name(words: Sequence[str]) -> Sequence[str]:
    """`ALTER TABLE t OWNER TO u`, `ALTER TABLE t DISABLE ROW LEVEL SECURITY`."""
    rest = list(words[3:])
    if "owner" in rest or "security" in rest or "policy" in rest:
        return rest
    return ()


def is_neutral(words: Sequence[str]) -> bool:
    """Whether it is a bracket around other statements, which does nothing that those don't."""
    return bool(words) and words[0] in _NEUTRAL and _NEUTRAL_REST.issuperset(words[1:])


def is_reversible(words: Sequence[str]) -> bool:
    """Whether what the statement does can be undone by another one."""
    if words[:3] == ("create", "or", "replace") or "overwrite" in words[:4]:
        return False
    return verb_of_words(words) not in _IRREVERSIBLE and "drop" not in words[:6]
