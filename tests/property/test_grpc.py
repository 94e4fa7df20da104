"""Any path and any name of a gRPC call is read without a fault."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.canonicalize.grpc import grpc_action, grpc_operation
from gateway.model.action import Kind


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_text_is_a_call_or_none(path: str, content_type: str) -> None:
    """Nothing raises, and what is a call is spelled as it was sent."""
    found = grpc_operation(path, content_type)

    assert found is None or path == f"/{found}"


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True))
def test_any_name_has_an_action(rpc: str) -> None:
    """And is a read at a known host only by one of the sure verbs."""
    action = grpc_action(f"a.B/{rpc}", "x", is_known_host=True)

    assert action.action
    if action.kind is Kind.READ:
        assert rpc.lower().lstrip("_").startswith(("get", "list", "describe", "lookup", "batch"))
