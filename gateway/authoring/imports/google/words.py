"""Turns the names of Google's methods into a verb and nouns: `storage.buckets.setIamPolicy` into
`set` and `bucket, iam, policy`.
"""

from __future__ import annotations

from gateway.authoring.imports.google.documents import Method
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.words import derived_action, singular, words_of

_RUN_TOGETHER = (
    "refund", "cancel", "request", "update", "create", "delete", "modify", "upload", "reject",
    "advance", "verify", "render", "trigger", "insert", "remove", "return", "claim", "fetch",
    "batch", "bulk", "list", "link", "ship", "query", "get", "add", "set", "run",
)  # fmt: skip
"""Verbs that older APIs write together with what they act on (`listdisbursements`)."""
_WHOLE = frozenset(
    {
        "setup", "address", "addresses", "addons", "settings", "batches", "listen", "additional",
        "runtime", "runtimes", "shipment", "runs", "sets", "lists", "linked", "getter", "queries",
        "requests", "updates", "returns", "links", "gets", "adds",
    }
)  # fmt: skip
_HOW = frozenset({"batch", "bulk", "async", "bidi", "streaming", "server", "custom", "force"})
_SAME = {"insert": "create", "patch": "update", "aggregated": "list", "aggregate": "aggregate"}
_PLAIN_LISTS = frozenset({"aggregatedList"})


def method_words(method: Method) -> list[str]:
    """The words of the last part of a method's id, those run together taken apart."""
    words = words_of(method.verb)
    first = words[0] if words else ""
    if first in KIND_BY_VERB or first in _WHOLE or first in _HOW:
        return words
    for verb in _RUN_TOGETHER:
        rest = first.removeprefix(verb)
        if rest != first and len(rest) > 1:
            return [verb, rest, *words[1:]]
    return words


def main_verb(words: list[str]) -> str:
    """The word that says what is done, behind `batch` and the like."""
    for word in words:
        if word not in _HOW:
            return word
    return words[0] if words else ""


def resource_nouns(method: Method) -> list[str]:
    """The words of what a method acts on, in the singular: `bucketAccessControls`."""
    words = words_of(method.resource)
    return [*words[:-1], singular(words[-1])] if words else []


def google_action(method: Method) -> str:
    """The derived `verb_noun` of a method: `delete_bucket`, `set_bucket_iam_policy`."""
    nouns = resource_nouns(method)
    if method.verb in _PLAIN_LISTS:
        return derived_action("list", nouns)
    words = method_words(method)
    how: list[str] = []
    while len(words) > 1 and words[0] in _HOW:
        how.append(words.pop(0))
    verb, *rest = words
    if method.http_method == "GET" and verb not in KIND_BY_VERB and not how:
        return derived_action("get", [*nouns, verb, *rest])
    verb = _SAME.get(verb, verb)
    return derived_action("_".join([*how, verb]), [*nouns, *rest])
