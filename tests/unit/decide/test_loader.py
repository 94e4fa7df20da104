"""Loading files and folders of policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.content import policies_dir
from gateway.decide.loader import load_bundle, load_settings_beside
from gateway.model.errors import ConfigurationError
from tests.support.policy_world import organisation_text, policy_text

GOOD = policy_text("- {id: a, priority: 1, effect: ALLOW}", name="good")


def refusal_of(*paths: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_bundle(paths)
    assert caught.value.code == "policy.invalid"
    return [str(problem) for problem in caught.value.problems]


def test_a_folder_is_loaded_as_a_whole(tmp_path: Path) -> None:
    """Every policy file in it; not its cases, hidden files, other files or folders inside."""
    (tmp_path / "b.yaml").write_text(GOOD)
    (tmp_path / "a.yml").write_text(policy_text("", name="a") + "---\n" + policy_text("", name="c"))
    for name in ("b.cases.yaml", ".hidden.yaml", "README.md", "notes.txt"):
        (tmp_path / name).write_text("nonsense: [")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "d.yaml").write_text("nonsense: [")
    bundle = load_bundle([tmp_path, tmp_path / "b.yaml"])
    assert [policy.name for policy in bundle.policies] == ["a", "c", "good"]


def test_all_problems_of_all_files_are_told(tmp_path: Path) -> None:
    """One bad file does not hide another."""
    (tmp_path / "a.yaml").write_text("[")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    (tmp_path / "c.yaml").write_text(policy_text("- {id: a}"))
    (tmp_path / "d.yaml").write_text(GOOD)
    (tmp_path / "e.yaml").write_text(GOOD)
    found = refusal_of(tmp_path, tmp_path / "missing.yaml")
    assert len(found) == 6
    assert "this is not YAML" in found[0]
    assert "b.yaml: the file is not UTF-8 at byte 0 (help: save it as UTF-8)" in found[1]
    assert "a rule needs `effect`" in found[2]
    assert "a rule needs `priority`" in found[3]
    assert "the name `good` is taken by the policy in" in found[4]
    assert "missing.yaml: it can't be read: no such file" in found[5]


def test_no_policy_is_an_error(tmp_path: Path) -> None:
    """An empty folder is a mistake, and not a policy that blocks everything."""
    (problem,) = refusal_of(tmp_path)
    assert "there is no policy here (help: name a file, or a folder of `*.yaml`)" in problem


def test_a_folder_that_can_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told like a file that can't be read."""

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert "it can't be read: permission denied" in refusal_of(tmp_path)[0]


def test_settings_beside_a_policy(tmp_path: Path) -> None:
    """An organisation in a file of its own goes with every policy of its folder."""
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(policy_text("", name="b") + "---\n" + organisation_text(""))
    (tmp_path / "o.yaml").write_text(organisation_text("environments: [prod]"))
    (tmp_path / "x.yaml").write_bytes(b"\xff")
    assert load_settings_beside(tmp_path / "a.yaml", []) == [tmp_path / "o.yaml"]
    assert load_settings_beside(tmp_path / "o.yaml", []) == []
    assert load_bundle([tmp_path / "a.yaml", tmp_path / "o.yaml"]).risks.organisation.environments


def test_the_shipped_folder_has_one_policy() -> None:
    """What is loaded when nothing is named: the starter policy alone, and it is good."""
    bundle = load_bundle([policies_dir()])
    assert [policy.name for policy in bundle.policies] == ["starter"]
