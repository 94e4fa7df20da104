"""The variables, quoted so that each format gives back exactly the values."""

from __future__ import annotations

import shlex

import pytest
import yaml

from gateway.cli.env import _at, docker_lines, kubernetes_lines, shell_lines
from gateway.cli.failures import CommandError

VALUES = {
    "PLAIN": "value",
    "SPACED": "a b",
    "QUOTED": 'it\'s "quoted"',
    "DOLLAR": "$HOME ${HOME} $(id) `id`",
    "HASH": "a #b",
    "URL": "http://agent+r:k%40y@127.0.0.1:3128",
    "EMPTY": "",
}


def test_a_shell_reads_the_values_back() -> None:
    """Nothing is expanded, run or cut off by a shell."""
    lines = shell_lines(VALUES).splitlines()

    parsed = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    assert parsed == VALUES
    assert all(line.startswith("export ") for line in lines)


def test_an_env_file_has_the_values_as_they_are() -> None:
    """Docker takes everything after the first `=` literally."""
    parsed = dict(line.split("=", 1) for line in docker_lines(VALUES).splitlines())

    assert parsed == VALUES


def test_an_env_file_refuses_a_line_break() -> None:
    """The format has no way to hold one, and a second line would be another variable."""
    with pytest.raises(CommandError, match="line break"):
        docker_lines({"A": "x\nLD_PRELOAD=evil"})


def test_kubernetes_reads_the_values_back() -> None:
    """Valid YAML, with Kubernetes' own expansion of `$(NAME)` switched off."""
    entries = yaml.safe_load(kubernetes_lines(VALUES))["env"]

    parsed = {entry["name"]: entry["value"].replace("$$(", "$(") for entry in entries}
    assert parsed == VALUES
    assert "$$(id)" in kubernetes_lines(VALUES)


PLACES = {
    "a name and a port": ("gateway:3128", "http://a:k@gateway:3128"),
    "an address in brackets": ("[::1]:3128", "http://a:k@[::1]:3128"),
    "no port": ("gateway", None),
    "a port that is none": ("gateway:port", None),
    "a port out of range": ("gateway:99999", None),
    "a path": ("gateway:3128/x", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("place", "expected"), PLACES.values(), ids=PLACES.keys())
def test_the_proxy_may_be_elsewhere(place: str, expected: str | None) -> None:
    """`--proxy HOST:PORT` keeps the credentials and refuses what is no place."""
    if expected is None:
        with pytest.raises(CommandError, match="is not HOST:PORT"):
            _at("http://a:k@127.0.0.1:1", place)
    else:
        assert _at("http://a:k@127.0.0.1:1", place) == expected
