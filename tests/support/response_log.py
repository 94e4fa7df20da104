"""A sink that writes down what a response reader tells, and checks the order of it."""

from __future__ import annotations

from gateway.model.exchange import Header, ResponseHead


class ResponseLog:
    """`http1_response.ResponseSink` for tests."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Be as new, for the next answer of one reader."""
        self.head: ResponseHead | None = None
        self.body = b""
        self.trailers: tuple[Header, ...] = ()
        self.ends = 0
        self.is_reusable: bool | None = None
        self.fault: str | None = None
        self._is_open = False

    def response_head(self, head: ResponseHead) -> None:
        assert not self._is_open, "one head for each response"
        self._is_open = True
        self.head = head

    def response_body(self, data: bytes) -> None:
        assert self._is_open, "a body stands between head and end"
        assert data
        self.body += data

    def response_trailers(self, trailers: tuple[Header, ...]) -> None:
        assert self._is_open, "trailers stand before the end"
        self.trailers = trailers

    def response_switch(self, head: ResponseHead, early: bytes) -> None:
        raise AssertionError("nobody asked for a WebSocket")

    def response_end(self, is_reusable: bool) -> None:
        assert self._is_open, "one end for each head"
        self._is_open = False
        self.ends += 1
        self.is_reusable = is_reusable
