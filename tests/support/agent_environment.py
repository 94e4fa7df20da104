"""The variables of a governed agent: the very ones that `checkrein run` and `checkrein env` set."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.datadir import DataDir
from gateway.cli.environment import governing_variables
from gateway.cli.trust import write_client_dir


def agent_environment(
    data_dir: Path, proxy_url: str, ca_file: Path, bundle_file: Path
) -> dict[str, str]:
    """Everything that an agent's process is told; it inherits nothing else of ours."""
    wiring = write_client_dir(DataDir(data_dir), proxy_url, str(ca_file), str(bundle_file))
    return governing_variables(wiring, {})
