"""What an operator says of the way of every request."""

from __future__ import annotations

import re

from gateway.model.dataclass import dataclass
from gateway.model.effect import Mode


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """`mode` MONITOR lets everything pass that is well-formed. `ports_allowed` are the upstream
    ports an agent may name; `passthrough_hosts` are tunnelled without inspection. `public_url` is
    where agents reach the control plane by themselves, to ask how their approvals stand."""

    mode: Mode = Mode.ENFORCE
    environment: str = ""
    public_url: str = ""
    ports_allowed: tuple[int, ...] = (443, 80)
    passthrough_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        url = self.public_url
        if url and not re.fullmatch(r"https?://[!-~]{1,200}", url):
            raise ValueError("public_url does not begin with https:// or http://, or is too long")
        object.__setattr__(self, "public_url", url.rstrip("/"))
