"""A real gRPC server on loopback that says what it got. Messages are plain bytes, not protobuf."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

SERVICE = "warehouse.v1.Orders"


@dataclass
class GrpcUpstream:
    """Where it listens, and every call that reached it: method and metadata."""

    port: int = 0
    calls: list[tuple[str, dict[str, str | bytes]]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]


class _Orders(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, upstream: GrpcUpstream) -> None:
        self._upstream = upstream

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        prefix, _, name = details.method.rpartition("/")
        if prefix != f"/{SERVICE}":
            return None
        metadata = {item.key: item.value for item in details.invocation_metadata}
        self._upstream.calls.append((name, metadata))
        handlers = {
            "GetOrder": grpc.unary_unary_rpc_method_handler(self._get),
            "CreateRefund": grpc.unary_unary_rpc_method_handler(self._get),
            "DeleteOrder": grpc.unary_unary_rpc_method_handler(self._get),
            "FailOrder": grpc.unary_unary_rpc_method_handler(self._fail),
            "Slow": grpc.unary_unary_rpc_method_handler(self._slow),
            "ListOrders": grpc.unary_stream_rpc_method_handler(self._list),
            "AddOrders": grpc.stream_unary_rpc_method_handler(self._add),
            "Chat": grpc.stream_stream_rpc_method_handler(self._chat),
        }
        return handlers.get(name)

    def _get(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.send_initial_metadata((("first", "1"),))
        context.set_trailing_metadata((("last", "2"), ("raw-bin", b"\x00\xff")))
        return b"got " + request

    def _fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("why", "so"),))
        context.abort(grpc.StatusCode[request.decode()], "käse & 100%")
        raise AssertionError

    def _slow(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(lambda: self._upstream.cancelled.append("Slow"))
        while context.is_active():
            time.sleep(0.01)
        return b""

    def _list(self, request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        count, size = map(int, request.split(b","))
        for _ in range(count):
            yield b"x" * size

    def _add(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> bytes:
        count = size = 0
        for request in requests:
            count += 1
            size += len(request)
        return b"%d,%d" % (count, size)

    def _chat(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield b"echo " + request


@contextmanager
def grpc_upstream(certificate: Path, key: Path) -> Iterator[GrpcUpstream]:
    """Serve TLS with a certificate while the block runs."""
    upstream = GrpcUpstream()
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_Orders(upstream),))
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    upstream.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield upstream
    finally:
        server.stop(0).wait(5)
