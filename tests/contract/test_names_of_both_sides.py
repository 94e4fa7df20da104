"""Names that the gateway writes down a second time, because it can't import the control plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controlplane.auth import Permission
from controlplane.settings import PREFIX
from controlplane.settings import load_settings as load_control_settings
from gateway.cli.keys import PERMISSIONS
from gateway.settings import OTHERS_NAMES, setting_names


class Asked(Mapping[str, str]):
    """An environment that remembers which variables are looked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def test_the_command_offers_every_permission_but_an_agents() -> None:
    """A permission that is new is not forgotten in `keys create`."""
    assert set(PERMISSIONS) == set(Permission) - {Permission.AGENT}


def test_the_gateway_knows_the_variables_of_the_control_plane() -> None:
    """Both often share one environment: what is the other's is no misspelt setting."""
    asked = Asked({"CHECKREIN_DATA_DIR": "/data"})
    load_control_settings(asked)
    names = {name.removeprefix(PREFIX) for name in asked.names}
    assert names - {name.upper() for name in setting_names()} == OTHERS_NAMES
