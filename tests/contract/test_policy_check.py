"""`checkrein policies check` with all that is shipped: policies, mappers and their catalogs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.policy_commands import GOOD, run


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "p.yaml"


def test_check_holds_the_shipped_policy_against_the_shipped_mappers() -> None:
    """Without arguments: what travels with the product fits together."""
    assert run("check") == 0


def test_check_names_against_mappers(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that no shipped mapper makes is found, unless names are free."""
    policy.write_text(GOOD.replace("kind: read", "action: create_refnd"))
    assert run("check", policy) == 1
    assert "did you mean `create_refund`?" in capsys.readouterr().out
    assert run("check", policy, "--any-names") == 0
