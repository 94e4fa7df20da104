"""Names that the gateway writes down a second time, because it can't import the control plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from controlplane.api.decisions import FilterQuery
from controlplane.auth import Permission
from controlplane.settings import MISSPELT_RATIO, PREFIX
from controlplane.settings import load_settings as load_control_settings
from gateway.cli.audit.export import WHERE_NAMES
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


def test_no_variable_of_the_gateway_is_taken_for_a_slip_of_the_control_plane() -> None:
    """It names what is its own in all but a letter; the gateway's settings are farther off."""
    asked = Asked({"CHECKREIN_DATA_DIR": "/data"})
    load_control_settings(asked)
    own = {name.removeprefix(PREFIX) for name in asked.names}
    others = {name.upper() for name in setting_names()} | {"CONFIG", "CACHE_DIR"}
    near = {name: get_close_matches(name, own, 1, MISSPELT_RATIO) for name in others - own}
    assert {name: found for name, found in near.items() if found} == {}


def test_the_command_knows_what_decisions_are_chosen_by() -> None:
    """`audit export --where` says at once what is no filter, and offers every one that is."""
    assert set(WHERE_NAMES) == set(FilterQuery.model_fields)
