"""Names become words, nouns their singular, and both a derived action."""

from __future__ import annotations

import pytest

from gateway.canonicalize.naming.words import derived_action, singular, words_of

WORDS = {
    "camel case with acronyms": ("AttachDBInstance", "attach db instance"),
    "an acronym at the end": ("createAPIKey", "create api key"),
    "a plural acronym": ("listVPCs", "list vpcs"),
    "dashes and a group": ("repos/create-fork", "repos create fork"),
    "dots": ("chat.postMessage", "chat post message"),
    "a brand's own spelling": ("getOAuthTokens", "get oauth tokens"),
    "digits": ("S3Bucket2", "s 3 bucket 2"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_name_has_words(case: str) -> None:
    """A provider's spelling is taken apart."""
    name, words = WORDS[case]

    assert words_of(name) == words.split()


SINGULARS = {
    "policies": "policy", "buckets": "bucket", "addresses": "address", "status": "status",
    "statuses": "status", "boxes": "box", "branches": "branch", "databases": "database",
    "keys": "key", "ids": "id", "vpcs": "vpc", "indices": "index", "people": "person",
    "access": "access", "kubernetes": "kubernetes", "analyses": "analysis", "class": "class",
    "classes": "class", "news": "news", "releases": "release", "caches": "cache", "sms": "sms",
}  # fmt: skip


@pytest.mark.parametrize("plural", SINGULARS)
def test_a_noun_has_a_singular(plural: str) -> None:
    """Plurals lose their ending, and words that only look like plurals keep it."""
    assert singular(plural) == SINGULARS[plural]
    assert singular(SINGULARS[plural]) == SINGULARS[plural]


ACTIONS = {
    "the last noun is singular": ("delete", ["bucket", "policies"], "delete_bucket_policy"),
    "no noun": ("ping", [], "ping"),
    "no verb at all": ("", [], "call_operation"),
    "a digit in front": ("2fa", ["code"], "call_operation"),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_an_action_is_verb_and_noun(case: str) -> None:
    """A derived action is `verb_noun`, or a name that says nothing."""
    verb, nouns, action = ACTIONS[case]

    assert derived_action(verb, nouns) == action
