"""Connections: one face (`ports.Wire`) for plain sockets and for TLS, on any event loop.

`socket_wire` opens or adopts a plain connection, `tls_wire` wraps one in TLS. Neither knows HTTP,
names, policy or who is at the other end; names are resolved and checked before they come here.
"""
