"""The kill switch: what is stopped at once, whatever the policies say."""

from __future__ import annotations

from enum import StrEnum

from gateway.model.dataclass import dataclass


class StopScope(StrEnum):
    """What a stop is of. EVERYTHING has no name."""

    AGENT = "agent"
    RUN = "run"
    PROVIDER = "provider"
    EVERYTHING = "everything"


def run_stop_name(agent: str, run: str) -> str:
    """The name of a stop of one agent's run alone, as agents write it in their credentials. By its
    bare name, a run is stopped whoever's it is."""
    return f"{agent}+{run}"


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop in force. `at` is microseconds since the Unix epoch, UTC; `reason` is shown to the
    agent and `by` is who pulled the switch."""

    stop_id: str
    scope: StopScope
    name: str
    reason: str
    by: str
    at: int

    @property
    def what(self) -> str:
        """What is stopped, such as "agent `bot`" or "everything"."""
        return self.scope.value if not self.name else f"{self.scope.value} `{self.name}`"

    @property
    def message(self) -> str:
        """The sentence that an agent reads."""
        return f"{self.what} is stopped by {self.by}: {self.reason}"
