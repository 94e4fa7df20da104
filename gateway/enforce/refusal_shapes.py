"""A notice of ours -> status, headers and body in a provider's own error shape. Pure.

One function a style, found by the name that the mapper gives in `errors`. Every JSON body also has
the member `checkrein` with the same fields everywhere, so that an agent can read any refusal in
one way. Text from policies, people and agents stands in bodies only, cleaned and escaped; it must
never reach a header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum

from gateway.enforce.cbor_text import cbor_of
from gateway.model.dataclass import dataclass
from gateway.model.exchange import Header
from gateway.model.grpc import GrpcStatus, grpc_message

JsonObject = dict[str, object]
Shape = Callable[["Notice"], tuple[tuple[Header, ...], bytes]]


class Category(Enum):
    """What the agent should make of it. The value is the code that bodies carry."""

    BLOCKED = "blocked"
    PENDING = "approval_pending"
    NOT_APPROVED = "approval_refused"
    UNREADABLE = "request_unreadable"
    TOO_LARGE = "body_too_large"
    UNAVAILABLE = "gateway_unavailable"
    UPSTREAM_FAILED = "upstream_failed"
    OUTCOME_UNKNOWN = "outcome_unknown"

    @property
    def code(self) -> str:
        own = self in (Category.PENDING, Category.NOT_APPROVED)
        return self.value if own else f"checkrein_{self.value}"

    @property
    def camel(self) -> str:
        return "".join(part.capitalize() for part in self.value.split("_"))


@dataclass(frozen=True, slots=True)
class Notice:
    """What the agent is told. `message` is a whole sentence with rule and ids in it.
    `may_repeat`: an SDK may send the request again by itself. `status_url`: where the agent can
    ask, with its own key, how its approval stands."""

    category: Category
    status: int
    message: str
    reason_code: str
    decision_id: str
    policy: str | None = None
    rule: str | None = None
    approval_id: str | None = None
    retry_after_seconds: int | None = None
    status_url: str | None = None
    outcome: str = "refused"
    detail_code: str | None = None
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """`statuses` are those that differ from the default, because the provider's SDKs would send
    the request again by themselves, or raise nothing. `has_retry_switch`: a header stops them.
    `http_status`: what HTTP itself says where the protocol above it has statuses of its own."""

    shape: Shape
    statuses: Mapping[Category, int]
    has_retry_switch: bool = False
    http_status: int | None = None


TEXT_MAX = 1_000
"""Characters of a sentence: longer than any that a person writes, short enough for one log line."""

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+"
)
"""Not allowed in XML, or able to forge a line or its direction where the agent prints it."""


def clean(text: str) -> str:
    """Make text of others safe to show in any of the formats."""
    text = _safe(text).strip()
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"


def _safe(text: str) -> str:
    return _UNSAFE.sub(" ", text)


def facts(notice: Notice) -> JsonObject:
    """The part that is the same in all JSON bodies."""
    return {
        "code": notice.category.value,
        "decision_id": notice.decision_id,
        "policy": notice.policy,
        "rule": notice.rule,
        "reason_code": notice.reason_code,
        "approval_id": notice.approval_id,
        "retry_after_seconds": notice.retry_after_seconds,
        "status_url": notice.status_url,
        "outcome": notice.outcome,
        "detail_code": notice.detail_code,
    }


def _json(body: JsonObject, *headers: Header) -> tuple[tuple[Header, ...], bytes]:
    return _typed(b"application/json", json.dumps(body), *headers)


def _typed(kind: bytes, text: str, *headers: Header) -> tuple[tuple[Header, ...], bytes]:
    return ((b"Content-Type", kind), *headers), text.encode("utf-8", "replace")


def _switch(name: bytes, notice: Notice) -> tuple[Header, ...]:
    return () if notice.may_repeat else ((name, b"false"),)


def _problem(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    """RFC 9457."""
    body: JsonObject = {
        "type": f"urn:checkrein:problem:{notice.category.value.replace('_', '-')}",
        "title": notice.category.value.replace("_", " "),
        "status": notice.status,
        "detail": notice.message,
        "instance": f"urn:checkrein:decision:{notice.decision_id}",
        "checkrein": facts(notice),
    }
    return _typed(b"application/problem+json", json.dumps(body))


def _stripe(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    error: JsonObject = {
        "type": "invalid_request_error" if notice.status < 500 else "api_error",
        "code": notice.category.code,
        "message": notice.message,
    }
    return _json(
        {"error": error, "checkrein": facts(notice)},
        *_switch(b"Stripe-Should-Retry", notice),
        (b"Request-Id", notice.decision_id.encode()),
    )


def _slack(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    """`ok:false` as Slack says it, but never its 200: other clients look at the status alone, and
    slack_sdk raises `SlackApiError` for either."""
    body: JsonObject = {
        "ok": False,
        "error": notice.category.code,
        "detail": notice.message,
        "response_metadata": {"messages": [f"[ERROR] {notice.message}"]},
        "checkrein": facts(notice),
    }
    return _json(body, (b"X-Slack-Req-Id", notice.decision_id.encode()))


def _github(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    body: JsonObject = {
        "message": notice.message,
        "documentation_url": f"urn:checkrein:problem:{notice.category.value.replace('_', '-')}",
        "status": str(notice.status),
        "checkrein": facts(notice),
    }
    return _json(body, (b"X-GitHub-Request-Id", notice.decision_id.encode()))


_GOOGLE_STATUS = {
    400: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    413: "INVALID_ARGUMENT",
    424: "UNKNOWN",
    502: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _google(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    known = {key: str(value) for key, value in facts(notice).items() if value is not None}
    name = notice.category.camel
    is_unreadable = notice.category is Category.UNREADABLE
    error: JsonObject = {
        "code": notice.status,
        "message": notice.message,
        "status": "INVALID_ARGUMENT"
        if is_unreadable
        else _GOOGLE_STATUS.get(notice.status, "UNKNOWN"),
        "errors": [
            {"message": notice.message, "domain": "checkrein", "reason": f"checkrein{name}"}
        ],
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": f"CHECKREIN_{notice.category.name}",
                "domain": "checkrein",
                "metadata": known,
            }
        ],
    }
    return _json({"error": error, "checkrein": facts(notice)})


def _openai(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    error: JsonObject = {
        "message": notice.message,
        "type": "permission_error" if notice.status == 403 else "checkrein_error",
        "param": None,
        "code": notice.category.code,
    }
    return _json(
        {"error": error, "checkrein": facts(notice)},
        *_switch(b"X-Should-Retry", notice),
        (b"X-Request-Id", notice.decision_id.encode()),
    )


def _anthropic(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    kinds = {403: "permission_error", 413: "request_too_large", 502: "api_error", 504: "api_error"}
    body: JsonObject = {
        "type": "error",
        "error": {
            "type": kinds.get(notice.status, "invalid_request_error"),
            "message": notice.message,
        },
        "request_id": notice.decision_id,
        "checkrein": facts(notice),
    }
    request_id = (b"Request-Id", notice.decision_id.encode())
    return _json(body, *_switch(b"X-Should-Retry", notice), request_id)


_GRPC_STATUSES: Mapping[Category, GrpcStatus] = {
    Category.BLOCKED: GrpcStatus.PERMISSION_DENIED,
    # "Retry with a backoff": by those who ask to, after the pause that is told.
    Category.PENDING: GrpcStatus.UNAVAILABLE,
    Category.NOT_APPROVED: GrpcStatus.PERMISSION_DENIED,
    Category.UNREADABLE: GrpcStatus.INVALID_ARGUMENT,
    Category.TOO_LARGE: GrpcStatus.INVALID_ARGUMENT,
    # Not UNAVAILABLE: clients would send it again at once, and a closed gateway is no hiccup.
    Category.UNAVAILABLE: GrpcStatus.FAILED_PRECONDITION,
    Category.UPSTREAM_FAILED: GrpcStatus.UNAVAILABLE,
    Category.OUTCOME_UNKNOWN: GrpcStatus.UNKNOWN,
}


def _grpc(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    """One block of headers that is the whole answer ("Trailers-Only"). A negative pushback tells
    clients whose service config repeats calls not to (gRPC proposal A6)."""
    pushback = notice.retry_after_seconds
    status = _GRPC_STATUSES[notice.category]
    if notice.category is Category.OUTCOME_UNKNOWN and notice.may_repeat:
        status = GrpcStatus.UNAVAILABLE
    headers: list[Header] = [
        (b"Content-Type", b"application/grpc"),
        (b"grpc-status", b"%d" % status),
        (b"grpc-message", grpc_message(notice.message)),
    ]
    if pushback is not None:
        headers.append((b"grpc-retry-pushback-ms", b"%d" % (pushback * 1_000)))
    elif not notice.may_repeat:
        headers.append((b"grpc-retry-pushback-ms", b"-1"))
    return tuple(headers), b""


# --- AWS ------------------------------------------------------------------------------------------


def _aws_code(notice: Notice, denied: str) -> str:
    """The code that agents compare: AWS's own for a denial, ours where AWS has none."""
    if notice.category in (Category.BLOCKED, Category.NOT_APPROVED):
        return denied
    return f"Checkrein{notice.category.camel}"


def _aws_json(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    code = _aws_code(notice, "AccessDeniedException")
    body = {"__type": code, "message": notice.message, "checkrein": facts(notice)}
    return _typed(b"application/x-amz-json-1.1", json.dumps(body), *_aws_headers(notice, code))


def _aws_cbor(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    """botocore fails with a MemoryError on JSON here, so this is no matter of taste."""
    code = _aws_code(notice, "AccessDeniedException")
    said = {name: _plain(value) for name, value in facts(notice).items()}
    body = cbor_of({"__type": code, "message": _safe(notice.message), "checkrein": said})
    headers = (b"Content-Type", b"application/cbor"), (b"smithy-protocol", b"rpc-v2-cbor")
    return (*headers, *_aws_headers(notice, code)), body


def _plain(value: object) -> str | int | None:
    """A fact as CBOR takes it; control characters have no place in any."""
    return value if isinstance(value, int) or value is None else _safe(str(value))


def _aws_rest_json(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    code = _aws_code(notice, "AccessDeniedException")
    body: JsonObject = {"code": code, "message": notice.message, "checkrein": facts(notice)}
    return _json(body, *_aws_headers(notice, code))


def _aws_headers(notice: Notice, code: str) -> tuple[Header, ...]:
    return (
        (b"x-amzn-RequestId", notice.decision_id.encode()),
        (b"x-amzn-ErrorType", code.encode()),
    )


def _aws_query(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    code = _element("Code", _aws_code(notice, "AccessDenied"))
    error = _element("Type", "Sender" if notice.status < 500 else "Receiver") + code
    error += _element("Message", notice.message)
    body = f"<Error>{error}</Error>{_element('RequestId', notice.decision_id)}"
    return _xml("text/xml", f"<ErrorResponse>{body}</ErrorResponse>", notice)


def _aws_ec2(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    code = _element("Code", _aws_code(notice, "UnauthorizedOperation"))
    error = f"<Error>{code}{_element('Message', notice.message)}</Error>"
    request_id = _element("RequestID", notice.decision_id)
    return _xml("text/xml", f"<Response><Errors>{error}</Errors>{request_id}</Response>", notice)


def _aws_rest_xml(notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    """S3's form; botocore reads it for the other services of this protocol too."""
    body = _element("Code", _aws_code(notice, "AccessDenied"))
    body += _element("Message", notice.message)
    for name, value in (
        ("DecisionId", notice.decision_id),
        ("Policy", notice.policy),
        ("Rule", notice.rule),
        ("ReasonCode", notice.reason_code),
        ("ApprovalId", notice.approval_id),
    ):
        body += _element(name, value) if value else ""
    body += _element("RequestId", notice.decision_id) + _element("HostId", "checkrein")
    headers, text = _xml("application/xml", f"<Error>{body}</Error>", notice)
    s3_headers: tuple[Header, ...] = (
        (b"x-amz-request-id", notice.decision_id.encode()),
        (b"x-amz-id-2", b"checkrein"),
    )
    return headers + s3_headers, text


def _xml(kind: str, body: str, notice: Notice) -> tuple[tuple[Header, ...], bytes]:
    request_id = (b"x-amzn-RequestId", notice.decision_id.encode())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return _typed(kind.encode(), text, request_id)


def _element(name: str, text: str) -> str:
    import html  # with its table of all entities it would be a hundredth of a start

    return f"<{name}>{html.escape(_safe(text))}</{name}>"


_NONE: Mapping[Category, int] = {}

STYLES: Mapping[str, Style] = {
    "problem": Style(_problem, _NONE),
    # 400 raises InvalidRequestError, which alone carries `code`; 428 would be a bare APIError.
    "stripe": Style(_stripe, {Category.PENDING: 400}, has_retry_switch=True),
    "slack": Style(_slack, _NONE),
    # Octokit's retry plugin repeats all but a short list of statuses, of which 422 is one;
    # PyGithub repeats a 403 that has a Retry-After.
    "github": Style(_github, {Category.PENDING: 422, Category.OUTCOME_UNKNOWN: 422}),
    # Google's AIP-193 maps FAILED_PRECONDITION, "don't send again before the state is changed",
    # to 400; 409 is retried by generated clients.
    "google": Style(_google, {Category.PENDING: 400}),
    "openai": Style(_openai, _NONE, has_retry_switch=True),
    "anthropic": Style(_anthropic, _NONE, has_retry_switch=True),
    "aws_json": Style(_aws_json, _NONE),
    "aws_cbor": Style(_aws_cbor, _NONE),
    "aws_query": Style(_aws_query, _NONE),
    "aws_ec2": Style(_aws_ec2, _NONE),
    "aws_rest_xml": Style(_aws_rest_xml, _NONE),
    "aws_rest_json": Style(_aws_rest_json, _NONE),
}

GRPC = Style(_grpc, _NONE, has_retry_switch=True, http_status=200)
"""No mapper can name it: to any other client, 200 would be success."""
