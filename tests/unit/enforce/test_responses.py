"""What agents read when they are refused: statuses, headers, and hostile text."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway.canonicalize.request.cbor import parse_cbor
from gateway.enforce import gate, responses
from gateway.enforce.refusal_shapes import STYLES, Category
from gateway.model.action import Action, Canonical, Kind, Target
from gateway.model.decision import Decision, ReasonCode, Risk
from gateway.model.effect import Effect
from gateway.model.exchange import Response
from gateway.model.record import Outcome
from gateway.ports import Sent

DECISION_ID = "dec_01"
XML_STYLES = ("aws_query", "aws_ec2", "aws_rest_xml")
SWITCHED = {
    "stripe": "stripe-should-retry",
    "openai": "x-should-retry",
    "anthropic": "x-should-retry",
}
RETRIED_BY_SOME_SDK = {408, 409, 425, 429}


def make_decision(message: str = "refunds above 50 USD need a person", **change: Any) -> Decision:
    values: dict[str, Any] = {"policy": "payments", "rule": "big-refunds", **change}
    return Decision(
        Effect.BLOCK, "REFUND_NEEDS_REVIEW", message,
        risk=Risk(80, (), "v1"), revision="r1", **values,
    )  # fmt: skip


def make_canonical(errors: str = "problem", kind: Kind = Kind.CREATE) -> Canonical:
    action = Action("stripe", "stripe.refunds.create", "create_refund", kind, Target("charge", "1"))
    return Canonical((action,), "stripe", errors)


def refuse(errors: str, code: str, message: str = "because", **more: Any) -> Response:
    step = gate.Refuse(code, message, **more)
    return responses.refusal(make_canonical(errors), make_decision(), DECISION_ID, step)


def fail(errors: str, outcome: Outcome, kind: Kind = Kind.CREATE, status: int = 502) -> Response:
    sent = Sent(outcome, None, began=False, code="upstream.closed", message="it closed",
                error_status=status)  # fmt: skip
    return responses.upstream_failed(make_canonical(errors, kind), sent, DECISION_ID)


def header(response: Response, name: str) -> str | None:
    found = [value.decode() for key, value in response.headers if key.decode().lower() == name]
    assert len(found) <= 1, "a header of ours stands once"
    return found[0] if found else None


def value_of(style: str, response: Response) -> Any:
    """What a body says, in JSON or in CBOR."""
    return parse_cbor(response.body) if style == "aws_cbor" else json.loads(response.body)


def own_reason_codes() -> list[str]:
    return [value for name, value in vars(ReasonCode).items() if name.isupper()]


def test_every_reason_code_and_category_has_a_status() -> None:
    """Exhaustive: a new code without a place in the tables fails here."""
    assert set(responses.CATEGORIES) == set(own_reason_codes())
    assert set(responses.STATUSES) == set(Category)
    assert set(responses._LEADS) == set(Category)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("code", [*own_reason_codes(), "REFUND_NEEDS_REVIEW"])
def test_no_refusal_succeeds_or_is_repeated_by_an_sdk(style: str, code: str) -> None:
    """4xx always, and none that SDKs repeat by themselves; ids and codes are in the headers."""
    if code in (ReasonCode.UPSTREAM_FAILED, ReasonCode.OUTCOME_UNKNOWN):
        return  # not a refusal: see `upstream_failed` below
    response = refuse(style, code)
    assert 400 <= response.status < 500
    assert response.status not in RETRIED_BY_SOME_SDK
    assert header(response, "checkrein-decision") == DECISION_ID
    assert header(response, "checkrein-reason") == code
    assert (header(response, SWITCHED[style]) == "false") if style in SWITCHED else True


@pytest.mark.parametrize("style", STYLES)
def test_pending_approval_says_how_to_wait(style: str) -> None:
    """The approval's id in body and header, and when to come back."""
    response = refuse(
        style, ReasonCode.APPROVAL_PENDING, approval_id="apr_7", retry_after_seconds=5
    )
    assert header(response, "checkrein-approval") == "apr_7"
    assert header(response, "retry-after") == "5"
    assert b"apr_7" in response.body
    assert 400 <= response.status < 500
    assert not (style == "github" and response.status == 403), "PyGithub repeats that one"


@pytest.mark.parametrize("style", STYLES)
def test_pending_approval_says_where_to_ask_if_agents_get_there(style: str) -> None:
    """With a public address of the control plane; of nothing else but what waits."""
    public = "https://control.example.test"
    url = f"{public}/v1/approvals/apr_7/status".encode()
    for code, is_told in ((ReasonCode.APPROVAL_PENDING, True), (ReasonCode.APPROVAL_DENIED, False)):
        step = gate.Refuse(code, "because", "apr_7", 5)
        response = responses.refusal(
            make_canonical(style), make_decision(), DECISION_ID, step, public
        )
        assert (url in response.body) is is_told
        without = responses.refusal(make_canonical(style), make_decision(), DECISION_ID, step)
        assert b"/v1/approvals" not in without.body


@pytest.mark.parametrize("style", STYLES)
def test_body_says_rule_and_decision_to_a_person(style: str) -> None:
    """The sentence that the SDK shows has message, rule, policy, reason and decision in it."""
    body = refuse(style, "REFUND_NEEDS_REVIEW", "refunds need a person").body.decode(
        "utf-8", "replace"
    )
    for part in (
        "Checkrein blocked this call: refunds need a person",
        "rule big-refunds, policy payments, reason REFUND_NEEDS_REVIEW",
        f"decision {DECISION_ID}",
    ):
        assert part in body


@pytest.mark.parametrize("style", [name for name in STYLES if name not in XML_STYLES])
def test_json_bodies_carry_the_same_facts_everywhere(style: str) -> None:
    """One member, one form, in every JSON style."""
    body = value_of(style, refuse(style, "REFUND_NEEDS_REVIEW"))
    assert body["checkrein"] == {
        "code": "blocked", "decision_id": DECISION_ID, "policy": "payments", "rule": "big-refunds",
        "reason_code": "REFUND_NEEDS_REVIEW", "approval_id": None, "retry_after_seconds": None,
        "status_url": None, "outcome": "refused", "detail_code": None,
    }  # fmt: skip


GOLDEN = {
    "problem": (403, "application/problem+json", ["type", "urn:checkrein:problem:blocked"]),
    "stripe": (403, "application/json", ["error.type", "invalid_request_error"]),
    "slack": (403, "application/json", ["error", "checkrein_blocked"]),
    "github": (403, "application/json", ["status", "403"]),
    "google": (403, "application/json", ["error.status", "PERMISSION_DENIED"]),
    "openai": (403, "application/json", ["error.code", "checkrein_blocked"]),
    "anthropic": (403, "application/json", ["error.type", "permission_error"]),
    "aws_json": (403, "application/x-amz-json-1.1", ["__type", "AccessDeniedException"]),
    "aws_cbor": (403, "application/cbor", ["__type", "AccessDeniedException"]),
    "aws_rest_json": (403, "application/json", ["code", "AccessDeniedException"]),
    "aws_query": (403, "text/xml", ["Error/Code", "AccessDenied"]),
    "aws_ec2": (403, "text/xml", ["Errors/Error/Code", "UnauthorizedOperation"]),
    "aws_rest_xml": (403, "application/xml", ["Code", "AccessDenied"]),
}


def test_every_style_has_a_golden_row() -> None:
    """No style without its row below."""
    assert set(GOLDEN) == set(STYLES)


@pytest.mark.parametrize(("style", "row"), GOLDEN.items(), ids=GOLDEN.keys())
def test_block_has_the_providers_own_shape(style: str, row: tuple[int, str, list[str]]) -> None:
    """Status, media type and the field that clients compare."""
    status, media_type, (path, expected) = row
    response = refuse(style, ReasonCode.NO_RULE_MATCHED)
    assert (response.status, header(response, "content-type")) == (status, media_type)
    if style in XML_STYLES:
        assert ElementTree.fromstring(response.body).findtext(path) == expected
    else:
        value = value_of(style, response)
        for part in path.split("."):
            value = value[part]
        assert value == expected


def test_unknown_style_is_answered_as_a_problem_document() -> None:
    """A mapper that names no known shape still gets a readable refusal."""
    assert header(refuse("nonsense", "X"), "content-type") == "application/problem+json"


HOSTILE = (
    '</Message><Code>Success</Code>"},{\\ \r\nSet-Cookie: a=b '
    "\x00\x1b[31m \u202e \ud800 \uffff &amp; ü"
)


@pytest.mark.parametrize("style", STYLES)
def test_hostile_text_stays_text(style: str) -> None:
    """Text of policies and people can't add members, elements, headers or control characters."""
    decision = make_decision(policy=HOSTILE, rule=HOSTILE)
    step = gate.Refuse(HOSTILE, HOSTILE, approval_id="apr\r\nX: y", retry_after_seconds=1)
    response = responses.refusal(make_canonical(style), decision, "dec\r\n1", step)
    for name, value in response.headers:
        assert all(0x20 <= byte < 0x7F for byte in name + value)
        assert name.lower() not in (b"set-cookie", b"x")
    if style in XML_STYLES:
        root = ElementTree.fromstring(response.body)
        codes = [element.text for element in root.iter("Code")]
        assert len(codes) == 1
        assert codes != ["Success"]
        assert any("<Code>Success</Code>" in (element.text or "") for element in root.iter())
    else:
        text = json.dumps(value_of(style, response))
        assert not {"\\u0000", "\\u001b", "\\r"} & set(re.findall(r"\\u00..|\\r", text))


def test_endless_text_is_cut() -> None:
    """A policy's megabyte doesn't become every refusal's."""
    response = refuse("problem", "R" * 10_000, "m" * 1_000_000)
    assert len(response.body) < 10_000
    assert len(header(response, "checkrein-reason") or "") == 64


MUTATION_STATUS = {"stripe": 502, "openai": 502, "anthropic": 502, "github": 422}


@pytest.mark.parametrize("style", STYLES)
def test_unknown_outcome_of_a_mutation_is_never_repeated_by_the_sdk(style: str) -> None:
    """A status that no SDK repeats, or its own switch; and a sentence that says it is unknown."""
    response = fail(style, Outcome.UNKNOWN)
    assert response.status == MUTATION_STATUS.get(style, 424)
    if style in SWITCHED:
        assert header(response, SWITCHED[style]) == "false"
    assert header(response, "checkrein-reason") == "OUTCOME_UNKNOWN"
    assert b"unknown whether it was executed" in response.body.replace(b"\n", b" ")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("outcome", "kind"), [(Outcome.UNKNOWN, Kind.READ), (Outcome.NOT_SENT, Kind.CREATE)]
)
def test_reads_and_what_was_not_sent_may_be_repeated(
    style: str, outcome: Outcome, kind: Kind
) -> None:
    """The plain gateway status, and no switch that would stop a harmless retry."""
    response = fail(style, outcome, kind, 504)
    assert response.status == 504
    assert all(header(response, name) is None for name in SWITCHED.values())


def test_forbidden_destination_reads_as_a_block() -> None:
    """The guard's refusal after resolving is no failure of the upstream."""
    response = fail("stripe", Outcome.NOT_SENT, status=403)
    assert response.status == 403
    assert header(response, "checkrein-reason") == "DESTINATION_FORBIDDEN"
