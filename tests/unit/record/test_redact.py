"""What may be written down of what an agent sent: tables of names, shapes and limits."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

import pytest

from gateway.model.action import ParamValue
from gateway.record import marks
from gateway.record.redact import (
    REDACTED,
    RedactionLimits,
    is_secret_name,
    redact_params,
    redact_target,
    redact_text,
)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----"

SECRET_NAMES = (
    "authorization", "Authorization", "x-api-key", "api_key", "apiKey", "APIKEY", "token",
    "access_token", "accessToken", "refreshToken", "id_token", "password", "new-password",
    "dbPassword", "passwd", "pwd", "client_secret", "clientSecret", "secret", "SecretAccessKey",
    "aws_secret_access_key", "private_key", "privateKey", "cookie", "Set-Cookie", "session",
    "cvc", "cvv", "pin", "ssn", "otp", "passphrase", "signature", "X-Amz-Signature", "jwt",
    "credentials", "signing_key", "encryptionKey", "card_number", "cardNumber",
    "passcode", "verificationCode", "security_code", "one-time-code", "backupCodes", "2fa",
)  # fmt: skip
PUBLIC_NAMES = (
    "amount", "currency", "charge", "max_tokens", "prompt_tokens", "key", "bucket", "object_key",
    "author", "authority", "channel", "text", "tokenizer", "spinner", "passenger", "reason",
    "secretary_name_is_long"[:3], "number", "code", "status_code", "country_code", "zipCode",
    "description", "keyword",
)  # fmt: skip

SECRETS = {
    "a Stripe live key": "sk_live_51H8abcDEFghi",
    "a Stripe test key": "sk_test_51H8abcDEFghi",
    "a Stripe restricted key": "rk_live_51H8abcDEFghi",
    "a Stripe webhook secret": "whsec_AbCdEfGh1234567+/=",
    "an OpenAI key": "sk-proj-abcdefghijklmnopqrstuv",
    "an Anthropic key": "sk-ant-api03-abcdefghijklmnop",
    "an AWS key id": "AKIAIOSFODNN7EXAMPLE",
    "an AWS session key id": "ASIAIOSFODNN7EXAMPLE",
    "a Slack bot token": "xoxb-123456789012-abcdefABCDEF",
    "a Slack app token": "xapp-1-A123-456-abcdef",
    "a GitHub token": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "a GitHub server token": "ghs_abcdefghijklmnopqrstuvwxyz0123456789",
    "a fine-grained GitHub token": "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "a GitLab token": "glpat-abcdefghijklmnopqrst",
    "a JWT": JWT,
    "a JWT without signature": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    "a PEM block": PEM,
    "a Google key": "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "a Google access token": "ya29.a0AfH6SMBx-abcdef",
    "an npm token": "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "a PyPI token": "pypi-AgEIcHlwaS5vcmcCJGFiY2RlZg",
    "a SendGrid key": "SG.abcdefghijklmnopqrstuv.wxyz0123456789",
    "a Mailgun key": "key-0123456789abcdef0123456789abcdef",
    "a key of ours": "cr_k7m2q_agent_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "a key of ours in its older form": "cr_agent_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "a bearer header": "Bearer abcdef0123456789",
    "a basic header": "Basic dXNlcjpwYXNzd29yZA==",
    "a card number": "4242424242424242",
    "a card number with spaces": "4242 4242 4242 4242",
    "a card number beside other digits": "2026 4242 4242 4242 4242 17",
    "a card number with dashes": "3782-822463-10005",
    "a Telegram bot token": "123456789:AAabcdefghijklmnopqrstuvwxyz012345",
}
PUBLIC_TEXTS = (
    "ch_3MmlLrLkdIwHu7ix0snN0B15", "re_1Nispe2eZvKYlo2Cd31jOCgZ", "cus_NffrFeUfNV2Hib",
    "arn:aws:s3:::bucket/key", "requested_by_customer", "2026-11-21T04:10:16Z",
    "0123456789abcdef0123456789abcdef", "4242424242424241", "1763700000123456", "a-b-c-d-e-f-g-h",
    "a task-management-application-for-everybody", "https://example.com/a@b", "user@example.com",
    "12:34:56 on Monday, basically everybody", "Grüße an alle in Zürich", "sketchy token of love",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_field_of_this_name_is_secret(name: str) -> None:
    """Whatever its value, also a number, a list or a mapping."""
    assert is_secret_name(name)
    values: list[ParamValue] = ["hunter2", 123, ["hunter2"], {"value": "hunter2"}]
    for value in values:
        assert redact_params({name: value}) == {name: REDACTED}
        assert redact_params({"outer": {name: value}}) == {"outer": {name: REDACTED}}


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_a_field_of_this_name_is_public(name: str) -> None:
    """Its value is shown."""
    assert not is_secret_name(name)
    assert redact_params({name: "value"}) == {name: "value"}


@pytest.mark.parametrize("what", SECRETS)
def test_a_value_of_this_shape_is_secret(what: str) -> None:
    """Alone, within text, in a list, in a mapping, as a key, and in a path."""
    secret = SECRETS[what]
    assert redact_text(secret) == REDACTED
    assert redact_text(f"see ({secret}) there") == f"see ({REDACTED}) there"
    shown = redact_params({"text": f"is {secret}", "list": [secret]})
    assert shown == {"text": f"is {REDACTED}", "list": [REDACTED]}
    assert list(redact_params({secret: 1})) == [REDACTED]
    if secret.isprintable() and " " not in secret and "/" not in secret:
        path, _ = redact_target(f"/v1/things/{secret}/x?{secret}=1&{secret}&a={secret}".encode())
        assert secret not in path


def test_a_pem_block_that_was_cut_is_secret_to_the_end() -> None:
    """Where it would have ended, nobody knows."""
    for length in range(27, len(PEM)):
        assert redact_text(f"see {PEM[:length]}").startswith(f"see {REDACTED}")
        assert "MII" not in redact_text(f"see {PEM[:length]} and")


@pytest.mark.parametrize("text", PUBLIC_TEXTS)
def test_text_without_a_secret_stays(text: str) -> None:
    """Ids, times, digests and ordinary words are what a record is for."""
    assert redact_text(text) == text


def test_a_card_number_as_a_number_is_secret() -> None:
    """JSON carries it without quotes as easily."""
    assert redact_params({"a": 4242424242424242, "b": [4242424242424242]}) == {
        "a": REDACTED,
        "b": [REDACTED],
    }


def test_a_password_in_a_url_is_hidden() -> None:
    """The rest of the address stays."""
    assert redact_text("postgres://bob:hunter2@db/x") == f"postgres://{REDACTED}db/x"


def test_secret_addresses_are_hidden() -> None:
    """Some providers put the secret into the path."""
    for path in (
        b"/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        b"/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz012345",
        b"/bot123456789:AAabcdefghijklmnopqrstuvwxyz012345/sendMessage",
    ):
        shown, _ = redact_target(path)
        assert REDACTED in shown
        assert "XXXX" not in shown
        assert "abcdefgh" not in shown


TARGETS = {
    "no query": (b"/v1/charges", "/v1/charges"),
    "an empty query": (b"/v1/charges?", "/v1/charges?"),
    "values": (b"/a?limit=3&email=bob%40x.org", "/a?limit=•&email=•"),
    "an empty value": (b"/a?limit=", "/a?limit=•"),
    "a piece that is only a value": (b"/a?c2VjcmV0", "/a?•"),
    "empty pieces": (b"/a?&x=1&", "/a?&x=•&"),
    "a second question mark": (b"/a?b?c=d?e", "/a?b?c=•"),
}


@pytest.fixture
def key() -> Iterator[bytes]:
    """A process with a key of its own: the one that its content digests are made with."""
    marks.use_key(b"k" * 32)
    yield marks.content_key(b"k" * 32)
    marks.use_key(None)


@pytest.mark.parametrize("what", TARGETS)
def test_a_path_is_shown_and_a_query_is_not(what: str, key: bytes) -> None:
    """Names stay, values go, the digest of all of it is beside."""
    target, shown = TARGETS[what]
    path, digest = redact_target(target)
    assert path == shown
    query = target.partition(b"?")[2]
    expected = hmac.digest(key, query, "sha256").hex() if b"?" in target else None
    assert digest == expected


def test_a_long_query_is_cut(key: bytes) -> None:
    """The digest still covers all of it."""
    target = b"/a?" + b"&".join(b"k%d=v" % number for number in range(100))
    path, digest = redact_target(target)
    assert path.endswith("&k31=•&…")
    assert digest == hmac.digest(key, target[3:], "sha256").hex()


def test_text_is_cut_with_a_mark() -> None:
    """What was cut is counted."""
    assert redact_text("a" * 520) == "a" * 512 + "…(+8 characters)"
    assert redact_text("a" * 10**6).endswith(f"…(+{10**6 - 512} characters)")


def test_a_secret_across_the_cut_is_found() -> None:
    """Cut first, half of it would stand there unrecognised."""
    for before in range(495, 512):
        text = "x" * before + " " + SECRETS["a GitHub token"] + " " + "y" * 100
        assert "ghp_a" not in redact_text(text)


def test_nothing_from_behind_the_cut_moves_into_view() -> None:
    """A long secret shrinks to a marker; what stands at the end of the search must not follow."""
    long_secret = "eyJ" + "a" * 4_300
    for beyond in range(4_000, 4_120):
        text = long_secret[:beyond] + " " + " ".join([SECRETS["a GitHub token"]] * 20)
        shown = redact_text(text)
        assert shown.startswith(f"{REDACTED}…(+")
        assert "ghp_" not in shown


def test_everything_is_bounded() -> None:
    """Lists, fields, depth, leaves: nothing an agent sends makes a large record."""
    limits = RedactionLimits(items_max=3, depth_max=2, leaves_max=5)
    assert redact_params({"a": [1, 2, 3, 4, 5]}, limits) == {"a": [1, 2, 3, "…(+2 items)"]}
    assert redact_params(dict.fromkeys("abcde", 1), limits) == {
        "a": 1, "b": 1, "c": 1, "…": "(+2 fields)",
    }  # fmt: skip
    assert redact_params({"a": {"b": {"c": 1}}}, limits) == {"a": {"b": "…(nested deeper)"}}
    shown = redact_params({"a": [1, 2, 3], "b": [1, 2, 3], "c": [1]}, limits)
    assert shown == {"a": [1, 2, 3], "b": [1, 2, "…(+1 items)"], "…": "(+1 fields)"}


def test_what_has_no_canonical_form_gets_one() -> None:
    """Huge integers become text, lone surrogates a replacement, floats never get in."""
    odd: dict[str, object] = {
        "big": 2**53, "huge": 10**40, "surrogate": "a\ud800", "float": 1.5, "bytes": b"x",
        "true": True, "none": None,
    }  # fmt: skip
    assert redact_params(odd) == {  # type: ignore[arg-type]
        "big": "9007199254740992", "huge": "(integer beyond 30 digits)", "surrogate": "a?",
        "float": "(float)", "bytes": "(bytes)", "true": True, "none": None,
    }  # fmt: skip


def test_keys_that_become_equal_stay_apart() -> None:
    """Two secrets as keys must not hide one another's values."""
    one, other = "ghp_" + "a" * 36, "ghp_" + "b" * 36
    assert redact_params({one: 1, other: 2}) == {REDACTED: 1, f"{REDACTED}#1": 2}
