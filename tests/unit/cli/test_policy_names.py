"""Policies are named by path, or by the name that a shipped one has."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from gateway.cli.options import PolicyPath
from gateway.content import policies_dir, shipped_policies


def test_a_shipped_policy_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`payments` is the shipped one; a file of that name in this folder goes first."""
    monkeypatch.chdir(tmp_path)
    shipped = policies_dir() / "guardrails" / "payments.yaml"
    assert PolicyPath().convert("payments", None, None) == shipped
    assert PolicyPath().convert("starter", None, None) == policies_dir() / "starter.yaml"
    (tmp_path / "payments").write_text("")
    assert PolicyPath().convert("payments", None, None) == Path("payments")


UNKNOWN = {
    "a word": ("payment", "the shipped policies are cloud, code-agent, "),
    "a path": ("./payments", "does not exist"),
    "a file": ("payments.yaml", "does not exist"),
    "a way out": ("../starter", "does not exist"),
}


@pytest.mark.parametrize(("text", "words"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_neither_says_what_there_is(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt name is told the right ones; a path is told that it is not there."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.BadParameter) as raised:
        PolicyPath().convert(text, None, None)
    assert words in raised.value.message


def test_cases_are_no_policies() -> None:
    """Every name is a policy's."""
    assert len(shipped_policies()) == 8
    assert not [name for name in shipped_policies() if "cases" in name]
