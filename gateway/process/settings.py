"""What can be set about the process itself: how many there are, and how they end."""

from __future__ import annotations

from gateway.model.dataclass import dataclass

WORKERS_MAX = 64


@dataclass(frozen=True, slots=True)
class LifeSettings:
    """`workers`: processes on one port, each with a record of its own; one core carries one.
    `drain_seconds_max`: how long requests in flight may take after SIGTERM. 20 s leave time within
    the 30 s that Kubernetes waits; streams of models that last longer are cut.
    """

    workers: int = 1
    drain_seconds_max: float = 20.0

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= WORKERS_MAX:
            raise ValueError(f"workers `{self.workers}`: give 1 to {WORKERS_MAX}")
        if self.drain_seconds_max < 0:
            raise ValueError("drain_seconds_max can't be negative")
