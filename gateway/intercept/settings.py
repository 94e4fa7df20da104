"""What can be set about intercepting, each with its unit and the reason for its default."""

from __future__ import annotations

import re

from gateway.model.dataclass import dataclass

_HOST_GLOB = re.compile(r"[a-z0-9.*?_\[\]!-]+")


@dataclass(frozen=True, slots=True)
class InterceptSettings:
    """Limits of the agents' side. Phases that an agent could stretch have deadlines of their own,
    so that slow bytes hold no connection for ever.

    `proxy_host`, `proxy_port`: where agents connect; port 0 takes any free one.
    `configured_agent`: who acts when no proxy credentials come; empty means they must come.
    `connections_max`: a sidecar serves one agent; 10,000 is what one process can carry at 48 KB.
    `accept_backlog`: connections that the kernel keeps while the loop is busy.
    `body_bytes_max`: bodies, and messages of WebSockets, are inspected whole up to this; 10 MiB
    holds every API call that is not an upload, and 1 in 100 connections using it costs 1 GB at
    most.
    `head_bytes_max`, `headers_max`, `target_bytes_max`: 32 KiB, 100 and 16 KiB are what common
    servers take; more could be read differently by the upstream.
    `pipelined_bytes_max`: what may arrive while a request is in flight. Reading goes on so that a
    leaving agent is noticed; beyond this the connection is cut.
    `proxy_head_seconds_max`, `tls_seconds_max`, `head_seconds_max`: 10 s is many round trips.
    `body_idle_seconds_max`: 30 s without one byte of a body that was promised.
    `keep_alive_seconds_max`: idle between requests; longer than the 60 s that SDK pools keep one.
    `write_stall_seconds_max`: an agent that reads nothing for this long is cut off.
    `tunnel_idle_seconds_max`: a passthrough tunnel, a WebSocket, or a streaming gRPC call's request
    without a byte; an hour, since such calls listen for events.
    `http2_hosts`: globs of hosts that get HTTP/2 from clients that offer HTTP/1.1 too. Empty,
    because HTTP/2 costs two to five times the CPU; who offers nothing else gets it anyway.
    `http2_streams_max`: requests at once on one connection; 100 is what the protocol recommends.
    `http2_resets_per_second_max`: streams that are begun and reset; a client that gives up all of
    its requests at once, each second.
    `http2_control_frames_per_second_max`: frames that carry nothing; a gRPC client under load
    sends some 100 pings and settings a second, its window updates are counted apart.
    `http2_held_bytes_max`: bodies kept whole on one connection; two of `body_bytes_max`.
    `grpc_gather_seconds_max`: a call that says nothing for so long between messages is taken for
    one that streams; unary calls end in the same segment as their message, or in the next.
    """

    proxy_host: str = "127.0.0.1"
    proxy_port: int = 3128
    configured_agent: str = ""
    connections_max: int = 10_000
    accept_backlog: int = 1_024
    body_bytes_max: int = 10 * 1024 * 1024
    head_bytes_max: int = 32_768
    headers_max: int = 100
    target_bytes_max: int = 16_384
    pipelined_bytes_max: int = 65_536
    proxy_head_seconds_max: float = 10.0
    tls_seconds_max: float = 10.0
    head_seconds_max: float = 10.0
    body_idle_seconds_max: float = 30.0
    keep_alive_seconds_max: float = 90.0
    write_stall_seconds_max: float = 30.0
    tunnel_idle_seconds_max: float = 3_600.0
    http2_hosts: tuple[str, ...] = ()
    http2_streams_max: int = 100
    http2_resets_per_second_max: int = 100
    http2_control_frames_per_second_max: int = 1_000
    http2_held_bytes_max: int = 20 * 1024 * 1024
    grpc_gather_seconds_max: float = 0.1

    def __post_init__(self) -> None:
        for glob in self.http2_hosts:
            if not _HOST_GLOB.fullmatch(glob):
                raise ValueError(
                    f"http2_hosts `{glob}`: write a host in lower case or a glob such as "
                    "`*.example.com`, without scheme, port or path"
                )
