"""An agent on grpcio as its users write it: it reads an order, refunds one, deletes one."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from telling import tell

SERVICE = "warehouse.v1.Orders"


def call(method: str, tag: str) -> object:
    """One unary call that raises as grpcio does; messages are bytes, as protobuf's are."""
    with grpc.secure_channel("orders.example.test:443", grpc.ssl_channel_credentials()) as channel:
        metadata = (("x-tag", tag), ("authorization", "Bearer sk_secret_of_the_agent"))
        unary = channel.unary_unary(f"/{SERVICE}/{method}")
        return unary(tag.encode(), timeout=60, metadata=metadata)


def describe(error: Exception) -> Mapping[str, object]:
    """What an RpcError carries; the sentence stands in its details."""
    if not isinstance(error, grpc.RpcError):
        return {}
    headers = {**dict(error.initial_metadata() or ()), **dict(error.trailing_metadata() or ())}
    return {"message": f"{error.code().name}: {error.details()}", "headers": headers}


tell(
    {
        "read": lambda tag: call("GetOrder", tag),
        "risky": lambda tag: call("CreateRefund", tag),
        "forbidden": lambda tag: call("DeleteOrder", tag),
    },
    describe,
)
