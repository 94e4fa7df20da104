"""Turns a provider's operation name into words, and words into a derived `verb_noun` action.

Derived names are a promise to the authors of policies: the same input gives the same name, in every
version. The taxonomy (`mappers/actions.yaml`) overrides them where it has a better one.
"""

from __future__ import annotations

import re

ACTION_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
PARAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORDS = re.compile(
    r"OAuth2?|GraphQL|GitHub|GitLab|IPv[46]|[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"
)
"""Brand spellings that would fall apart, plural acronyms (`VPCs`), then camel case."""
_UNCOUNTED = frozenset(
    {
        "access", "address", "alias", "atlas", "bias", "canvas", "chaos", "kubernetes",
        "analysis", "analytics", "apis", "aws", "basis", "bus",
        "business", "class", "cors", "credentials", "data", "dns", "dress", "express", "gas", "gis",
        "https", "ingress", "egress", "iops", "kms", "lens", "locus", "media", "metadata", "news",
        "os", "plus", "pos", "process", "progress", "rds", "redis", "saas", "series", "sms", "sns",
        "sqs", "ss", "status", "success", "tls", "ups", "us", "virus", "vss", "windows", "ws",
    }
)  # fmt: skip
"""Words that end in s and are not plural."""
_IRREGULAR = {
    "aliases": "alias", "addresses": "address", "analyses": "analysis", "people": "person",
    "children": "child", "indices": "index", "vertices": "vertex", "matrices": "matrix",
    "statuses": "status", "buses": "bus", "criteria": "criterion", "leaves": "leaf",
    "axes": "axis", "databases": "database", "bases": "base",
    "releases": "release", "responses": "response", "cases": "case", "purchases": "purchase",
    "phases": "phase", "licenses": "license", "leases": "lease", "uses": "use",
    "expenses": "expense", "courses": "course", "houses": "house", "warehouses": "warehouse",
    "archives": "archive", "movies": "movie", "cookies": "cookie", "properties": "property",
    "series": "series", "ids": "id", "ips": "ip", "vms": "vm", "dbs": "db", "quizzes": "quiz",
    "bonuses": "bonus", "viruses": "virus", "shelves": "shelf", "campuses": "campus",
    "corpuses": "corpus", "censuses": "census", "caches": "cache", "niches": "niche",
    "headaches": "headache", "axles": "axle", "biases": "bias", "atlases": "atlas",
    "canvases": "canvas", "synopses": "synopsis", "hypotheses": "hypothesis",
}  # fmt: skip


def words_of(name: str) -> list[str]:
    """`AttachRolePolicy`, `repos/create-fork`, `chat.postMessage` as lower-case words."""
    return [word.lower() for word in _WORDS.findall(name)]


def singular(word: str) -> str:
    """The singular of an English noun, good enough to be a name, and always the same."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCOUNTED or len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]


def derived_action(verb: str, nouns: list[str]) -> str:
    """`delete`, `[bucket, policies]` -> `delete_bucket_policy`."""
    kept = [*nouns[:-1], singular(nouns[-1])] if nouns else []
    text = "_".join([verb, *kept])[:80].strip("_")
    return text if ACTION_NAME.fullmatch(text) else "call_operation"
