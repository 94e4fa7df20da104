"""Tells the control plane that a run begins and how it ended, with the agent's own key.

The program is governed without this; it is told so that people see its goal and its end. Whatever
goes wrong here is of no concern to the program.
"""

from __future__ import annotations

from gateway.cli.api import Api
from gateway.cli.failures import CommandError
from gateway.model.dataclass import dataclass

PATIENCE_SECONDS = 1.0
"""How long the program waits at most for a control plane that does not answer."""


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A run that the control plane knows of."""

    api: Api
    run_id: str

    def end(self, status: int) -> None:
        """Say that the program ended with this exit status."""
        terminal = "COMPLETED" if status == 0 else "FAILED"
        try:
            self.api.post(f"/v1/runs/{self.run_id}/complete", {"terminalStatus": terminal})
        except CommandError:
            return  # it was cancelled meanwhile, or the control plane is away


def report_run(
    api_url: str, key: str, name: str, goal: str | None, mode: str
) -> ReportedRun | None:
    """Announce a run, whose traffic joins it by its name; None where that can't be done now."""
    api = Api(api_url, key, patience_seconds=PATIENCE_SECONDS)
    try:
        made = api.post("/v1/runs", {"name": name, "goal": goal or "", "mode": mode})
        return ReportedRun(api, str(made["runId"]))
    except (CommandError, KeyError):
        return None
