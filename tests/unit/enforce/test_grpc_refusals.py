"""What a gRPC client is told, by what happened: its status, and whether it may try again."""

from __future__ import annotations

import pytest

from gateway.enforce import gate
from gateway.enforce.refusal_shapes import GRPC, STYLES
from gateway.enforce.responses import CATEGORIES, refusal, upstream_failed
from gateway.model.action import Canonical
from gateway.model.decision import ReasonCode
from gateway.model.grpc import GrpcStatus
from gateway.model.record import Outcome
from gateway.ports import Sent
from tests.support.policy_world import act
from tests.unit.enforce.test_responses import make_decision

WRITES = Canonical((act("create_refund", "create"),), "orders", "stripe")
READS = Canonical((act("get_order", "read"),), "orders", "stripe")

REFUSED: dict[str, tuple[gate.Refuse, GrpcStatus, bytes]] = {
    "a rule blocks it": (gate.Refuse("NO", "never"), GrpcStatus.PERMISSION_DENIED, b"-1"),
    "it waits for a person": (
        gate.Refuse(ReasonCode.APPROVAL_PENDING, "wait", "apr_1", 5),
        GrpcStatus.UNAVAILABLE, b"5000",
    ),
    "a person said no": (
        gate.Refuse(ReasonCode.APPROVAL_DENIED, "no"), GrpcStatus.PERMISSION_DENIED, b"-1",
    ),
    "it can be read in two ways": (
        gate.Refuse(ReasonCode.AMBIGUOUS_REQUEST, "two"), GrpcStatus.INVALID_ARGUMENT, b"-1",
    ),
    "it is too long to be looked at": (
        gate.Refuse(ReasonCode.BODY_TOO_LARGE, "long"), GrpcStatus.INVALID_ARGUMENT, b"-1",
    ),
    "there is no policy": (
        gate.Refuse(ReasonCode.NO_POLICY, "none"), GrpcStatus.FAILED_PRECONDITION, b"-1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("refuse", "status", "pushback"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal(refuse: gate.Refuse, status: GrpcStatus, pushback: bytes) -> None:
    """HTTP says 200, the rest is in one block of headers; nothing but waiting is repeated."""
    response = refusal(WRITES, make_decision(), "dec_1", refuse, is_grpc=True)
    headers = {name.lower(): value for name, value in response.headers}
    assert (response.status, response.body) == (200, b"")
    assert headers[b"content-type"] == b"application/grpc"
    assert headers[b"grpc-status"] == b"%d" % status
    assert headers[b"grpc-retry-pushback-ms"] == pushback
    assert b"decision dec_1" in headers[b"grpc-message"]
    assert headers[b"checkrein-decision"] == b"dec_1"


def test_every_reason_of_ours_is_an_error_to_grpc() -> None:
    """No refusal can be taken for success: the status is never 0."""
    for code in CATEGORIES:
        response = refusal(WRITES, make_decision(), "dec_1", gate.Refuse(code, "x"), is_grpc=True)
        assert int(dict(response.headers)[b"grpc-status"]) > 0


SENT: dict[str, tuple[Canonical, Outcome, int, GrpcStatus]] = {
    "not sent": (WRITES, Outcome.NOT_SENT, 502, GrpcStatus.UNAVAILABLE),
    "not sent, as its address is forbidden": (
        WRITES, Outcome.NOT_SENT, 403, GrpcStatus.PERMISSION_DENIED,
    ),
    "a write that may have happened": (WRITES, Outcome.UNKNOWN, 502, GrpcStatus.UNKNOWN),
    "a read that may have happened": (READS, Outcome.UNKNOWN, 502, GrpcStatus.UNAVAILABLE),
}  # fmt: skip


@pytest.mark.parametrize(
    ("canonical", "outcome", "error_status", "status"), SENT.values(), ids=SENT.keys()
)
def test_failure_of_the_upstream(
    canonical: Canonical, outcome: Outcome, error_status: int, status: GrpcStatus
) -> None:
    """What may be sent again is UNAVAILABLE, which clients repeat; nothing else is."""
    sent = Sent(outcome, None, began=False, code="upstream.x", error_status=error_status)
    response = upstream_failed(canonical, sent, "dec_1", is_grpc=True)
    assert dict(response.headers)[b"grpc-status"] == b"%d" % status


def test_no_mapper_can_ask_for_this_shape() -> None:
    """To a client of anything else its 200 would be success."""
    assert GRPC not in STYLES.values()
