"""Real SDKs read our refusals: native exceptions, our sentence in them, and no second try.

Nothing is sent: each SDK's own parser or retry rule gets the answer that the gateway would give.
"""

from __future__ import annotations

import importlib
import json
from typing import Any
from unittest.mock import MagicMock

import botocore.parsers
import botocore.retries.standard as botocore_retries
import httpx
import pytest
import stripe
from slack_sdk.errors import SlackApiError
from slack_sdk.web.slack_response import SlackResponse
from stripe._api_requestor import _APIRequestor
from stripe._http_client import HTTPClient

from gateway.enforce import gate, responses
from gateway.model.decision import ReasonCode
from gateway.model.exchange import Response
from gateway.model.record import Outcome
from tests.unit.enforce.test_responses import (
    DECISION_ID,
    fail,
    make_canonical,
    make_decision,
)

BLOCK = gate.Refuse("REFUND_NEEDS_REVIEW", "refunds need a person")
PENDING = gate.Refuse(ReasonCode.APPROVAL_PENDING, "waiting for a person", "apr_7", 5)
STEPS = {"blocked": BLOCK, "pending": PENDING}
SENTENCE = {"blocked": "refunds need a person", "pending": "waiting for a person"}


def answer(style: str, what: str) -> Response:
    if what == "unknown":
        return fail(style, Outcome.UNKNOWN)
    return responses.refusal(make_canonical(style), make_decision(), DECISION_ID, STEPS[what])


def plain_headers(response: Response) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in response.headers}


def check_sentence(text: str, what: str) -> None:
    assert SENTENCE[what] in text
    assert "rule big-refunds" in text
    assert DECISION_ID in text


STRIPE_ERRORS = {"blocked": stripe.PermissionError, "pending": stripe.InvalidRequestError}


@pytest.mark.parametrize("what", STEPS)
def test_stripe_raises_its_own_error(what: str) -> None:
    """PermissionError for a block, InvalidRequestError with `code` for a wait."""
    response = answer("stripe", what)
    text = response.body.decode()
    requestor = _APIRequestor._global_instance()
    with pytest.raises(STRIPE_ERRORS[what]) as caught:
        requestor._interpret_response(text, response.status, plain_headers(response), api_mode="V1")
    check_sentence(str(caught.value), what)
    assert caught.value.request_id == DECISION_ID
    expected = {"blocked": "checkrein_blocked", "pending": "approval_pending"}[what]
    assert caught.value.error.code == expected


@pytest.mark.parametrize("what", ["blocked", "pending", "unknown"])
def test_stripe_does_not_send_again(what: str) -> None:
    """Its retry rule says no, though retries are left."""
    response = answer("stripe", what)
    client = HTTPClient()
    headers = plain_headers(response)
    assert not client._should_retry((response.body, response.status, headers), None, 0, 5)


PROTOCOLS = {
    "aws_json": ("json", "AccessDeniedException"),
    "aws_cbor": ("smithy-rpc-v2-cbor", "AccessDeniedException"),
    "aws_query": ("query", "AccessDenied"),
    "aws_ec2": ("ec2", "UnauthorizedOperation"),
    "aws_rest_xml": ("rest-xml", "AccessDenied"),
    "aws_rest_json": ("rest-json", "AccessDeniedException"),
}


def parse_as_botocore(style: str, response: Response) -> dict[str, Any]:
    parser = botocore.parsers.create_parser(PROTOCOLS[style][0])
    parsed: dict[str, Any] = parser.parse(
        {
            "body": response.body,
            "headers": plain_headers(response),
            "status_code": response.status,
        },
        None,
    )
    return parsed


@pytest.mark.parametrize("what", STEPS)
@pytest.mark.parametrize("style", PROTOCOLS)
def test_botocore_reads_code_message_and_request_id(style: str, what: str) -> None:
    """What `ClientError` is made of."""
    parsed = parse_as_botocore(style, answer(style, what))
    expected = PROTOCOLS[style][1] if what == "blocked" else "CheckreinApprovalPending"
    assert parsed["Error"]["Code"] == expected
    check_sentence(parsed["Error"]["Message"], what)
    assert parsed["ResponseMetadata"]["RequestId"] == DECISION_ID


@pytest.mark.parametrize("what", ["blocked", "pending", "unknown"])
@pytest.mark.parametrize("style", PROTOCOLS)
def test_botocore_does_not_send_again(style: str, what: str) -> None:
    """Neither status nor code is one that it repeats."""
    response = answer(style, what)
    http_response = MagicMock(status_code=response.status, headers=plain_headers(response))
    context = botocore_retries.RetryContext(
        attempt_number=1,
        operation_model=None,
        parsed_response=parse_as_botocore(style, response),
        http_response=http_response,
        caught_exception=None,
    )
    for checker in (
        botocore_retries.TransientRetryableChecker(),
        botocore_retries.ThrottledRetryableChecker(),
        botocore_retries.ThrottlingStatusCodeChecker(),
    ):
        assert not checker.is_retryable(context)


@pytest.mark.parametrize("what", STEPS)
def test_slack_raises_its_own_error(what: str) -> None:
    """`SlackApiError`, whose response has `ok` false, the code and our sentence."""
    response = answer("slack", what)
    slack = SlackResponse(
        client=None,
        http_verb="POST",
        api_url="https://slack.com/api/chat.postMessage",
        req_args={},
        data=json.loads(response.body),
        headers=plain_headers(response),
        status_code=response.status,
    )
    with pytest.raises(SlackApiError) as caught:
        slack.validate()
    assert caught.value.response["ok"] is False
    expected = {"blocked": "checkrein_blocked", "pending": "approval_pending"}[what]
    assert caught.value.response["error"] == expected
    check_sentence(str(caught.value), what)


def model_sdk(style: str) -> Any:
    """The SDK of a provider of models. Imported by the worker that needs it: they take seconds, and
    every worker collects this file."""
    return importlib.import_module(style)


def client_of(style: str, response: Response, seen: list[int], error_module: Any) -> Any:
    """An SDK client whose transport gives our answer and counts."""
    library = error_module

    def handle(request: Any) -> Any:
        seen.append(1)
        return library.Response(
            response.status, headers=plain_headers(response), content=response.body
        )

    http_client = library.Client(transport=library.MockTransport(handle))
    sdk = model_sdk(style)
    made = sdk.OpenAI if style == "openai" else sdk.Anthropic
    return made(api_key="k", http_client=http_client, max_retries=3)


def http_library(style: str) -> Any:
    """The library that this SDK sends with; newer ones use a fork of httpx."""
    for base in model_sdk(style).DefaultHttpxClient.__mro__:
        if base.__module__.split(".")[0] == "httpx2":
            import httpx2

            return httpx2
    return httpx


def call(style: str, client: Any) -> None:
    messages = [{"role": "user", "content": "hello"}]
    if style == "openai":
        client.chat.completions.create(model="m", messages=messages)
    else:
        client.messages.create(model="m", max_tokens=1, messages=messages)


EXPECTED = {
    ("openai", "blocked"): "PermissionDeniedError",
    ("openai", "pending"): "APIStatusError",
    ("openai", "unknown"): "InternalServerError",
    ("anthropic", "blocked"): "PermissionDeniedError",
    ("anthropic", "pending"): "APIStatusError",
    ("anthropic", "unknown"): "APIStatusError",
}


@pytest.mark.parametrize(("style", "what"), EXPECTED)
def test_model_sdks_raise_their_own_error_and_ask_once(style: str, what: str) -> None:
    """One request although three retries are allowed, and a native exception."""
    seen: list[int] = []
    client = client_of(style, answer(style, what), seen, http_library(style))
    expected = getattr(model_sdk(style), EXPECTED[style, what])
    with client, pytest.raises(expected) as caught:
        call(style, client)
    assert len(seen) == 1
    if what in SENTENCE:
        check_sentence(str(caught.value), what)
