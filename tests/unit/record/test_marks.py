"""What stands in the place of a secret: equal for equal ones, of no use without the key."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model.action import ParamValue
from gateway.model.errors import ConfigurationError
from gateway.record import marks
from gateway.record.redact import (
    redact_params,
    redact_target,
    redact_text,
    redact_undeclared,
)
from gateway.record.redaction_key import load_redaction_key

MARK = re.compile(r"\[redacted:[0-9a-f]{12}\]")
STRIPE = "sk_live_51H8abcDEFghi"


@pytest.fixture(autouse=True)
def key() -> Iterator[None]:
    """A process with a key of its own."""
    marks.use_key(b"k" * 32)
    yield
    marks.use_key(None)


def test_equal_secrets_have_equal_marks_wherever_they_stand() -> None:
    """By name, by shape, in a text, in a long text, in a free map: so they correlate."""
    mark = marks.mark(STRIPE)
    assert MARK.fullmatch(mark)
    assert redact_params({"api_key": STRIPE, "note": STRIPE}) == {"api_key": mark, "note": mark}
    assert redact_text(f"use {STRIPE} now") == f"use {mark} now"
    assert redact_text(f"use {STRIPE} now" + "." * 600).startswith(f"use {mark} now...")
    assert redact_params({"metadata": {"x": STRIPE}}) == {"metadata": {"x": mark}}
    assert redact_text(mark) == mark


def test_another_secret_or_another_key_gives_another_mark() -> None:
    """Else a mark could be looked up."""
    before = marks.mark(STRIPE)
    assert marks.mark(STRIPE + "j") != before
    marks.use_key(b"j" * 32)
    assert marks.mark(STRIPE) != before
    marks.use_key(None)
    assert marks.mark(STRIPE) == "[redacted]"


def test_content_has_a_digest_that_only_the_key_can_try() -> None:
    """The published HMAC, under a key that marks nothing else; none where there is no key."""
    for content in (b"", b"pin=1234", b"x" * 1_000):
        expected = hmac.new(marks.content_key(b"k" * 32), content, "sha256").hexdigest()
        assert marks.content_digest(content) == expected
    marked = marks.mark("pin=1234")
    assert marks.content_digest(b"pin=1234")[:12] not in marked  # type: ignore[index]
    before = marks.content_digest(b"pin=1234")
    marks.use_key(b"j" * 32)
    assert marks.content_digest(b"pin=1234") != before
    marks.use_key(None)
    assert marks.content_digest(b"pin=1234") is None


UNDECLARED: dict[str, tuple[ParamValue, bool]] = {
    "text": ("open sesame", False),
    "one word": ("hunter2", False),
    "a long number": (10**9, False),
    "a long number as text": ("1234567890", False),
    "a list of texts": (["hunter2"], False),
    "nested text": ({"a": {"b": "hunter2"}}, False),
    "a truth value": (True, True),
    "nothing": (None, True),
    "an empty text": ("", True),
    "an amount": (9000, True),
    "an amount as text": ("90.00", True),
    "a truth value as text": ("true", True),
    "what a mapper reads too": ("ch_1", True),
}


@pytest.mark.parametrize(("value", "is_shown"), UNDECLARED.values(), ids=UNDECLARED.keys())
def test_what_nobody_declared_is_a_secret(value: ParamValue, is_shown: bool) -> None:
    """Unless it can't be one. The names stay."""
    found = redact_undeclared({"field": value}, known=frozenset({"ch_1"}))
    assert list(found) == ["field"]
    assert (found["field"] == value) is is_shown
    if not is_shown:
        assert MARK.search(str(found))
        assert "hunter2" not in str(found)


def test_what_is_in_a_declared_map_is_not_declared() -> None:
    """A mapper that reads `metadata` has never seen what agents put into it."""
    found = redact_params({"text": "hello", "to": ["a@b.c"], "metadata": {"n": 1, "k": "hello"}})
    assert (found["text"], found["to"]) == ("hello", ["a@b.c"])
    assert found["metadata"] == {"n": 1, "k": marks.mark("hello")}


PATHS: dict[str, tuple[bytes, str]] = {
    "a token in the path": (b"/reset/Zx81hGq0LmWc77TtQpA2/now", "/reset/#/now"),
    "words": (b"/v1/customers/purchase-orders-of-today", "/v1/customers/purchase-orders-of-today"),
    "a short id": (b"/v1/orders/ord_12345", "/v1/orders/ord_12345"),
}


@pytest.mark.parametrize(("target", "shown"), PATHS.values(), ids=PATHS.keys())
def test_a_path_that_no_mapper_knows_shows_no_token(target: bytes, shown: str) -> None:
    """What a mapper knows it declares; there, an id is an id."""
    found, _ = redact_target(target, is_unmapped=True)
    assert MARK.sub("#", found) == shown
    assert redact_target(target)[0] == target.decode()


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """The next start, and another gateway with the same file, mark alike."""
    made = load_redaction_key(tmp_path / "data", "")
    file = tmp_path / "data" / "redaction_key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_redaction_key(tmp_path / "data", "") == made
    assert load_redaction_key(tmp_path / "other", str(file)) == made
    assert [path.name for path in file.parent.iterdir()] == ["redaction_key"]


UNUSABLE = {"is empty": b"", "is too short": b"123456789012345 \n", "is endless": b"x" * 5_000}


@pytest.mark.parametrize("content", [*UNUSABLE.values(), None], ids=[*UNUSABLE, "is not there"])
def test_a_key_file_that_can_not_be_used_stops_the_start(
    tmp_path: Path, content: bytes | None
) -> None:
    """And says what to put there."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_redaction_key(tmp_path, str(file))
    assert "openssl rand" in caught.value.problems[0].help
