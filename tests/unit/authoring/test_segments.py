"""Which segments of recorded paths are values, and what their variables are called."""

from __future__ import annotations

import pytest

from gateway.authoring.segments import folded, marked, template_of

TEMPLATES: dict[str, tuple[str, str]] = {
    "a number": ("v1/orders/1000/refunds", "/v1/orders/{order}/refunds"),
    "a UUID": ("users/9f8e7d6c-1111-2222-3333-444455556666", "/users/{user}"),
    "a prefixed id": ("v1/charges/ch_3PqKJ2AbcDe/capture", "/v1/charges/{charge}/capture"),
    "letters and digits mixed": ("carts/7f3a9c", "/carts/{cart}"),
    "a long id of capitals": ("Accounts/AC0123456789abcdef0123456789", "/Accounts/{account}"),
    "an issue key": ("browse/PROJ-12", "/browse/{browse}"),
    "an e-mail address": ("contacts/a@b.example", "/contacts/{contact}"),
    "a long text": (f"files/{'a' * 70}", "/files/{file}"),
    "a secret": ("keys/sk_live_abcdefghijkl", "/keys/{key}"),
    "what had to be encoded": ("names/a b", "/names/{name}"),
    "what a record hides": ("orders/[redacted]", "/orders/{order}"),
    "braces are no variable of ours": ("orders/{id}", "/orders/{order}"),
    "an id with an ending": ("orders/45.json", "/orders/{order}.json"),
    "an id with a verb": ("jobs/123:cancel", "/jobs/{job}:cancel"),
    "two ids below one name": ("orders/1/2", "/orders/{order}/{order_2}"),
    "a version": ("v1/v2beta1/2026-10/orders", "/v1/v2beta1/2026-10/orders"),
    "a date far from the beginning": ("a/b/c/2026-10-01", "/a/b/c/{c}"),
    "words": ("search", "/search"),
    "words with digits": ("oauth2/s3/sha256", "/oauth2/s3/sha256"),
    "a dot before a word": (".well-known/openid", "/.well-known/openid"),
    "an id at the beginning": ("1234/x", "/{id}/x"),
}


@pytest.mark.parametrize(("path", "template"), TEMPLATES.values(), ids=TEMPLATES)
def test_one_path(path: str, template: str) -> None:
    """What a segment looks like decides."""
    assert template_of(marked(path.split("/"))) == template


PARTS = ("plan", "usage", "quota", "owner", "logo", "theme")
ANIMALS = ("fish", "birds", "cows", "pigs", "cats", "dogs", "ants", "bees", "rats", "bats")


def fold(*paths: str) -> set[str]:
    asked = [path.split(" ") for path in paths]
    found = folded((method, marked(path.split("/"))) for method, path in asked)
    return {template_of(marks) for marks in found.values()}


SIBLINGS: dict[str, tuple[list[str], set[str]]] = {
    "five names below a plural": (
        [f"GET users/{name}" for name in ("alice", "bob", "carol", "dave", "erin")],
        {"/users/{user}"},
    ),
    "four are too few": (
        [f"GET users/{name}" for name in ("alice", "bob", "carol", "dave")],
        {"/users/alice", "/users/bob", "/users/carol", "/users/dave"},
    ),
    "what stands below a name stays": (
        [f"GET users/{name}" for name in ("al", "bo", "cy", "di", "ed")] + ["GET users/al/repos"],
        {"/users/{user}", "/users/{user}/repos"},
    ),
    "verbs and words of their own are no values": (
        [f"GET users/{name}" for name in ("al", "bo", "cy", "di", "ed", "me", "search", "export")],
        {"/users/{user}", "/users/me", "/users/search", "/users/export"},
    ),
    "names that are used in another way are no values": (
        [f"GET users/{name}" for name in ("al", "bo", "cy", "di", "ed")] + ["PUT users/quota"],
        {"/users/{user}", "/users/quota"},
    ),
    "collections at the top are no values": (
        [f"GET v1/{name}" for name in ANIMALS],
        {f"/v1/{name}" for name in ANIMALS},
    ),
    "two dozen below a singular": (
        [f"GET repo/{chr(97 + n)}x" for n in range(24)], {"/repo/{repo}"},
    ),
    "what stands below an id is no value": (
        [f"GET accounts/1/{name}" for name in PARTS],
        {f"/accounts/{{account}}/{n}" for n in PARTS},
    ),
    "plurals are collections, also below a plural": (
        [f"GET references/{name}" for name in ANIMALS],
        {f"/references/{name}" for name in ANIMALS},
    ),
    "a long text without a digit, beside ids": (
        ["GET orders/17", "GET orders/aBcDeFgHiJkLmNoPqR"], {"/orders/{order}"},
    ),
    "a long verb beside ids": (
        ["GET orders/17", "GET orders/findByCustomerAndStatus"],
        {"/orders/{order}", "/orders/findByCustomerAndStatus"},
    ),
    "names at two levels": (
        [f"GET teams/{team}/members/{who}" for team in ("ta", "tb", "tc", "td", "te")
         for who in ("ma", "mb")],
        {"/teams/{team}/members/ma", "/teams/{team}/members/mb"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("paths", "templates"), SIBLINGS.values(), ids=SIBLINGS)
def test_siblings(paths: list[str], templates: set[str]) -> None:
    """The number of alike siblings decides where a segment looks like a word."""
    assert fold(*paths) == templates
