"""What a held request's target is read by, and what of the answer counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.enforce.witness import (
    VALUE_CHARS_MAX,
    Looker,
    is_unchanged,
    witness_exchange,
    witness_of,
)
from gateway.enforce.witness_state import Answer, WitnessError
from gateway.model.action import Action, Canonical, Kind, Target, WitnessRead
from gateway.model.aws_signature import AwsKeys
from gateway.model.exchange import Authority, Exchange
from tests.support.entries import an_exchange

FIELDS = ("amount", "status", "owner.id")


def canonical(
    target: str = "ch_1",
    read: str = "GET /v1/charges/{target.id}",
    fields: tuple[str, ...] = FIELDS,
    **params: object,
) -> Canonical:
    action = Action(
        "stripe", "stripe.refunds.create", "create_refund", Kind.CREATE, Target("charge", target),
        params, witness=WitnessRead(read, fields),  # type: ignore[arg-type]
    )  # fmt: skip
    return Canonical((action,), "stripe", "stripe")


def held(*headers: tuple[bytes, bytes]) -> Exchange:
    return an_exchange(headers=headers)


def test_the_read_carries_the_credentials_and_nothing_of_the_act() -> None:
    """Same place and same keys; no body, no framing, no token of this one try, no condition."""
    exchange = held(
        (b"Host", b"api.stripe.com"), (b"Authorization", b"Bearer sk"), (b"Stripe-Version", b"x"),
        (b"Content-Type", b"application/json"), (b"Content-Length", b"7"), (b"Digest", b"x"),
        (b"Idempotency-Key", b"k"), (b"If-Match", b"x"), (b"Range", b"bytes=0-1"),
        (b"Accept-Encoding", b"gzip"), (b"X-HTTP-Method-Override", b"DELETE"),
    )  # fmt: skip
    read = witness_exchange(exchange, canonical(), "wit_1")
    request = read.request
    assert (request.method, request.target) == ("GET", b"/v1/charges/ch_1")
    assert request.authority == exchange.request.authority
    assert (request.body, request.body_bytes) == (b"", 0)
    assert [name for name, _ in request.headers] == [b"Host", b"Authorization", b"Stripe-Version"]
    assert set(request.fields) == {b"host", b"authorization", b"stripe-version"}
    assert (read.request_id, read.principal) == ("wit_1", exchange.principal)


def test_the_target_of_a_handshake_is_read_by_a_plain_request() -> None:
    """A read that asked for a WebSocket would be answered with one, and tell no state."""
    exchange = held((b"Authorization", b"Bearer sk"), (b"Sec-WebSocket-Key", b"x" * 24))
    handshake = replace(exchange, request=replace(exchange.request, is_websocket=True))
    request = witness_exchange(handshake, canonical(), "wit_1").request
    assert not request.is_websocket
    assert set(request.fields) == {b"authorization"}


TARGETS = {
    "plain": ("ch_1", b"/v1/charges/ch_1"),
    "a slash stays one segment": ("a/b", b"/v1/charges/a%2Fb"),
    "dots inside": ("a..b/.c", b"/v1/charges/a..b%2F.c"),
    "a query can't begin": ("a?b=c#d", b"/v1/charges/a%3Fb%3Dc%23d"),
    "a percent sign is itself": ("100%", b"/v1/charges/100%25"),
    "letters of others": ("ä", b"/v1/charges/%C3%A4"),
}


@pytest.mark.parametrize(("target", "path"), TARGETS.values(), ids=TARGETS.keys())
def test_a_target_never_leaves_its_segment(target: str, path: bytes) -> None:
    """Whatever the agent calls its target, it is one segment of the mapper's path."""
    assert witness_exchange(held(), canonical(target), "w").request.target == path


NO_READS = {
    "no target": canonical(""),
    "dots alone": canonical(".."),
    "a way up, for servers that read %2F as a slash": canonical("../../v1/else"),
    "a way up with backslashes": canonical("a\\..\\b"),
    "a way up, for servers that decode twice": canonical("a%2f%2E%2e%2fb"),
    "a way up with parameters": canonical("a/..;x/b"),
    "a line break": canonical("a\r\nb"),
    "a giant": canonical("a" * (VALUE_CHARS_MAX + 1)),
    "a param that is not there": canonical(read="GET /r/{params.owner}"),
    "a param that is a list": canonical(read="GET /r/{params.owner}", owner=["a"]),
    "a param that is true": canonical(read="GET /r/{params.owner}", owner=True),
    "no witness declared": Canonical(
        (Action("p", "o", "a", Kind.CREATE, Target("t", "1")),), "p", "problem"
    ),
    "two actions at once": Canonical(canonical().actions * 2, "stripe", "stripe"),
}


@pytest.mark.parametrize("meaning", NO_READS.values(), ids=NO_READS.keys())
def test_what_can_not_be_read_exactly_is_not_read(meaning: Canonical) -> None:
    """The state is then unknown, and nothing is sent."""
    with pytest.raises(WitnessError):
        witness_exchange(held(), meaning, "w")


@pytest.mark.parametrize("scheme", [b"AWS4-HMAC-SHA256 x", b"Signature keyId", b"SharedKey a:b"])
def test_credentials_that_sign_one_request_read_nothing_else(scheme: bytes) -> None:
    """A signature is of one request; a read in the agent's name would need its secret."""
    with pytest.raises(WitnessError) as raised:
        witness_exchange(held((b"Authorization", scheme)), canonical(), "w")
    assert raised.value.code == "witness.signed"


def seen(body: bytes, status: int = 200, encoding: bytes = b"") -> str:
    return witness_of(canonical(), Answer(status, {b"content-encoding": encoding}, body)).digest


SAME = b'{"amount": 100, "status": "open", "owner": {"id": 7}, "seen_at": 1}'


@dataclass(frozen=True)
class Other:
    body: bytes
    same: bool


STATES = {
    "order and spaces": Other(b'{"owner":{"id":7},"status":"open","amount":100}', True),
    "a field that does not count": Other(SAME.replace(b'"seen_at": 1', b'"seen_at": 2'), True),
    "an escape": Other(SAME.replace(b"open", b"\\u006fpen"), True),
    "another amount": Other(SAME.replace(b"100", b"101"), False),
    "another owner inside": Other(SAME.replace(b"7", b"8"), False),
    "a number as text": Other(SAME.replace(b"100", b'"100"'), False),
    "a decimal": Other(SAME.replace(b"100", b"100.0"), False),
    "a field gone": Other(b'{"amount": 100, "status": "open"}', False),
    "null instead of gone": Other(SAME.replace(b'{"id": 7}', b'{"id": null}'), False),
}


@pytest.mark.parametrize("other", STATES.values(), ids=STATES.keys())
def test_what_counts_as_the_same_state(other: Other) -> None:
    """The fields that count, by value; nothing else."""
    before = witness_of(canonical(), Answer(200, {}, SAME))
    now = witness_of(canonical(), Answer(200, {b"content-encoding": b"identity"}, other.body))
    assert is_unchanged(before.digest, now) == other.same


def test_decimals_and_giants_are_compared_as_written() -> None:
    """No float rounds a state, and a decimal is not the text that looks like it."""
    digests = {
        seen(b'{"amount": %b}' % value)
        for value in (b"1.5", b'"1.5"', b"1.50", b"9007199254740993", b"9007199254740992")
    }
    assert len(digests) == 5


UNREADABLE = {
    "not JSON": (b"<html>", 200, b""),
    "not text": (b'{"amount": "\xff"}', 200, b""),
    "a key twice": (b'{"amount": 1, "amount": 2}', 200, b""),
    "no number": (b'{"amount": NaN}', 200, b""),
    "none of the fields": (b'{"id": 1}', 200, b""),
    "a list": (b"[1]", 200, b""),
    "too deep": (b'{"amount":' + b"[" * 100_000, 200, b""),
    "a half surrogate": (b'{"amount": "\\ud800"}', 200, b""),
    "not found": (SAME, 404, b""),
    "a redirect": (SAME, 302, b""),
    "compressed": (SAME, 200, b"gzip"),
}


@pytest.mark.parametrize(("body", "status", "encoding"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_answer_that_tells_no_state(body: bytes, status: int, encoding: bytes) -> None:
    """An error with a code of its own; never a digest of something else."""
    with pytest.raises(WitnessError) as raised:
        seen(body, status, encoding)
    assert raised.value.code.startswith("witness.")


def test_nothing_asked_is_never_unchanged() -> None:
    """An approval without a witness does not stand for any state."""
    assert not is_unchanged(None, witness_of(canonical(), Answer(200, {}, SAME)))


# --- where it is read -----------------------------------------------------------------------------

OF_PATH = {
    "segments": ("/repos/a/b/pulls/7/merge", "GET /repos/{path.1}/{path.2}/pulls/{path.4}",
                 b"/repos/a/b/pulls/7"),
    "the rest": ("/repos/a/b/git/refs/heads/x/y", "GET /r/{path.2}/{path.5+0}", b"/r/b/heads/x/y"),
    "the rest but one": ("/b/x/y/protection", "GET /p/{path.1+1}", b"/p/x/y"),
    "spelled as it is": ("/r/a%20b/c", "GET /s/{path.1}", b"/s/a%20b"),
    "the whole path": ("/ledger/a%20b?versionId=1", "HEAD {path}?acl", b"/ledger/a%20b?acl"),
}  # fmt: skip


@pytest.mark.parametrize(("held_at", "read", "target"), OF_PATH.values(), ids=OF_PATH.keys())
def test_parts_of_the_path_are_the_request_s_own(held_at: str, read: str, target: bytes) -> None:
    """As the agent spelled them, so that the server finds the same thing."""
    exchange = an_exchange(target=held_at.encode())
    request = witness_exchange(exchange, canonical(read=read), "w").request
    assert (request.method, request.target) == (read.partition(" ")[0], target)


@pytest.mark.parametrize("path", ["/a", "/a/", "/a//"])
def test_a_path_that_is_too_short_names_nothing(path: str) -> None:
    """The mapper's entry can't have matched it; nothing is made up."""
    with pytest.raises(WitnessError) as raised:
        witness_exchange(an_exchange(target=path.encode()), canonical(read="GET /{path.1}"), "w")
    assert raised.value.code == "witness.no_target"


SIGNED = b"AWS4-HMAC-SHA256 Credential=AGENT/20260101/eu-west-1/ec2/aws4_request, Signature=0"
AT = datetime(2026, 1, 1, tzinfo=UTC)
LOOKER = Looker(AwsKeys("AKID", "secret", "token"), AT)


def signed(operation: str = "ec2.StopInstances", host: str = "ec2.eu-west-1.amazonaws.com") -> Any:
    """A held request that its agent signed by itself, and what it means."""
    exchange = held(
        (b"Host", host.encode()), (b"Authorization", SIGNED), (b"X-Amz-Date", b"20260101T000000Z"),
        (b"X-Amz-Security-Token", b"the agent's"), (b"User-Agent", b"Boto3"),
    )  # fmt: skip
    request = replace(exchange.request, authority=Authority(host, 443), target=b"/")
    action = replace(canonical(read="GET /?Action=x&Id={target.id}").actions[0])
    meaning = Canonical((replace(action, operation=operation),), "aws", "aws_ec2")
    return replace(exchange, request=request), meaning


def test_a_request_that_is_signed_is_looked_at_with_keys_of_our_own() -> None:
    """Our keys, and nothing of what the agent signed or was given."""
    exchange, meaning = signed()
    request = witness_exchange(exchange, meaning, "w", LOOKER).request
    names = [name for name, _ in request.headers]
    assert names == [b"Host", b"X-Amz-Date", b"X-Amz-Security-Token", b"Authorization"]
    assert request.fields[b"x-amz-security-token"] == b"token"
    assert request.fields[b"authorization"].startswith(
        b"AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host;"
    )
    assert set(request.fields) == {name.lower() for name in names}
    assert request.target == b"/?Action=x&Id=ch_1"
    assert request.authority == exchange.request.authority


NOT_SIGNED = {
    "no keys": (signed(), Looker(None, AT)),
    "another service's act": (signed(operation="iam.DeleteUser"), LOOKER),
    "a machine of a customer": (signed(host="ec2-1-2-3-4.compute.amazonaws.com"), LOOKER),
    "another region": (signed(host="ec2.us-east-1.amazonaws.com"), LOOKER),
    "not AWS": (signed(host="ec2.eu-west-1.amazonaws.com.evil.test"), LOOKER),
}


@pytest.mark.parametrize(("held_signed", "looker"), NOT_SIGNED.values(), ids=NOT_SIGNED.keys())
def test_our_keys_sign_nothing_else(held_signed: Any, looker: Looker) -> None:
    """Without keys it says what to set; with them only endpoints of the service see a signature."""
    with pytest.raises(WitnessError) as raised:
        witness_exchange(*held_signed, "w", looker)
    assert raised.value.code == "witness.signed"
    assert ("CHECKREIN_WITNESS_AWS_ACCESS_KEY_ID" in raised.value.message) == (looker.keys is None)


def test_a_signature_over_plain_text_is_none() -> None:
    """What isn't encrypted gets no signature and no session token."""
    exchange, meaning = signed()
    plain = replace(exchange, request=replace(exchange.request, scheme="http"))
    with pytest.raises(WitnessError):
        witness_exchange(plain, meaning, "w", LOOKER)
