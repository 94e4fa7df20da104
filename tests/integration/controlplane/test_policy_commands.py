"""`checkrein policies` of the control plane's policies: drafted, put in force, taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.controlplane.test_bundle_commands import Shell, shell
from tests.support.bundles import fresh, policy, published
from tests.support.control_plane import Client

__all__ = ["shell"]


@pytest.fixture
async def file(client: Client, tmp_path: Path) -> Path:
    """A policy that the control plane does not have, beside another one in force."""
    await published(client, policy(fresh()))
    name = fresh()
    found = tmp_path / f"{name}.yaml"
    found.write_text(policy(name))
    return found


async def test_a_file_becomes_a_draft_then_the_rule_then_history(shell: Shell, file: Path):
    """In pipes, every command answers with one line of JSON."""
    name = file.stem
    status, made = await shell.run("policies", "create", file, "--comment", "ticket 4711")
    assert (status, made["name"], made["version"], made["activated"]) == (0, name, 1, None)
    status, on = await shell.run("policies", "activate", name)
    assert (status, on["policy"]["status"], on["isNew"]) == (0, "ACTIVE", True)
    file.write_text(policy(name, "ALLOW"))
    status, second = await shell.run("policies", "create", file, "--activate")
    assert (status, second["version"]) == (0, 2)
    assert second["activated"]["policy"]["version"] == 2
    _, told = await shell.run("policies", "history", name)
    assert [(one["version"], one["status"]) for one in told["versions"]] == [
        (2, "ACTIVE"),
        (1, "ARCHIVED"),
    ]
    _, listed = await shell.run("policies", "list", "--status", "active")
    assert name in {one["name"] for one in listed["policies"]}
    status, off = await shell.run("policies", "deactivate", name)
    assert (status, off["policy"]["status"]) == (0, "ARCHIVED")


async def test_a_person_is_told_what_happened_and_what_is_next(shell: Shell, file: Path):
    """In sentences and tables."""
    name = file.stem
    _, made = await shell.look("policies", "create", file)
    assert f"checkrein policies activate {name}" in made
    _, on = await shell.look("policies", "activate", name)
    assert f"Policy {name}, version 1, is in force." in on
    _, listed = await shell.look("policies", "list")
    assert any(name in line and "ACTIVE" in line for line in listed.splitlines())
    _, told = await shell.look("policies", "history", name)
    assert "ACTIVE" in told
    _, off = await shell.look("policies", "deactivate", name)
    assert "no longer in force" in off


async def test_what_is_wrong_is_shown_at_its_place_in_the_file(shell: Shell, file: Path):
    """Or in a sentence with what to do."""
    file.write_text(policy(file.stem).replace("effect: BLOCK", "effect: BLOK"))
    status, told = await shell.run("policies", "create", file)
    assert (status, told["ok"]) == (1, False)
    (problem,) = told["problems"]
    assert (problem["file"], problem["line"]) == (str(file), 11)
    status, words = await shell.fail("policies", "activate", "nobody-has-this")
    assert status == 1
    assert "checkrein policies list" in words
