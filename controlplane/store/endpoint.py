"""Where and as whom to connect to Postgres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server, a role and a database; or `url`, which then says it all."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    url: str = field(default="", repr=False)

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for asyncpg."""
        if self.url:
            return {"dsn": self.url}
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            # A server on our own socket speaks no TLS; asking for it costs a round trip.
            "ssl": False,
        }
