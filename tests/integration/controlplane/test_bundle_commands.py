"""`checkrein bundles` and `checkrein gateways` against a real control plane."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from controlplane.services.policies.bundle_check import invalid_bundle
from gateway.cli.main import run_command
from gateway.model.errors import Problem
from tests.support.bundles import MAPPER, current, fresh, policy, published
from tests.support.control_plane import Client


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Shell:
    """A shell whose variables name the control plane."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    async def run(self, *words: object) -> tuple[int, dict[str, Any]]:
        """In a pipe: the exit status and the one JSON line."""
        status = await asyncio.to_thread(run_command, [str(word) for word in words])
        (line,) = self._capsys.readouterr().out.splitlines()
        return status, json.loads(line)

    async def look(self, *words: object) -> tuple[int, str]:
        """On a terminal: the exit status and what is shown."""
        screen = Terminal()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setenv("COLUMNS", "200")
            patch.setenv("NO_COLOR", "1")
            status = await asyncio.to_thread(run_command, [str(word) for word in words])
        return status, screen.getvalue()

    async def fail(self, *words: object) -> tuple[int, str]:
        """The exit status and what standard error says."""
        status = await asyncio.to_thread(run_command, [str(word) for word in words])
        return status, self._capsys.readouterr().err


@pytest.fixture
def shell(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setenv("CHECKREIN_API_URL", client.url)
    monkeypatch.setenv("CHECKREIN_API_KEY", client.keys["admin"])
    return Shell(monkeypatch, capsys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one policy that no bundle has yet."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "refunds.yaml").write_text(policy(fresh()))
    return tmp_path / "p"


async def test_publish_makes_files_current(client: Client, shell: Shell, folder: Path):
    """In a pipe JSON with the bundle; the same again is no new one, and says so."""
    status, told = await shell.run("bundles", "publish", folder, "--comment", "ticket 4711")
    assert (status, told["ok"], told["isNew"]) == (0, True, True)
    assert told["bundle"]["comment"] == "ticket 4711"
    assert told["bundle"]["revision"] == told["localRevision"]
    assert (await current(client)).body["sequence"] == told["bundle"]["sequence"]
    status, again = await shell.run("bundles", "publish", folder)
    assert (status, again["isNew"]) == (0, False)
    assert again["bundle"]["sequence"] == told["bundle"]["sequence"]


async def test_publish_speaks_on_a_terminal(shell: Shell, folder: Path):
    """A dry run, the publication, and the publication of the same, each in a sentence."""
    status, dry = await shell.look("bundles", "publish", folder, "--dry-run")
    assert status == 0
    assert "would be published" in dry
    status, done = await shell.look("bundles", "publish", folder)
    assert status == 0
    assert "Published: bundle " in done
    assert "checkrein gateways" in done
    for more in ((), ("--dry-run",)):
        _, again = await shell.look("bundles", "publish", folder, *more)
        assert "Nothing to do: bundle " in again


async def test_a_person_sees_what_is_waited_for(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ten thousand rules take seconds; on a terminal each step says that it is at work."""
    beside = Terminal()
    monkeypatch.setattr(sys, "stderr", beside)
    monkeypatch.setenv("TERM", "xterm")
    status, _ = await shell.look("bundles", "publish", folder)
    assert status == 0
    assert "checking the files" in beside.getvalue()
    assert "publishing" in beside.getvalue()


async def test_own_mappers_go_with_the_policies(client: Client, shell: Shell, tmp_path: Path):
    """Their actions are known to the check here and there, and they are in the bundle."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "garden.yaml").write_text(MAPPER)
    (tmp_path / "trees.yaml").write_text(policy(fresh(), action="plant_a_tree"))
    status, told = await shell.run(
        "bundles", "publish", tmp_path / "trees.yaml", "--mappers", tmp_path / "m"
    )
    assert status == 0
    shown = await client.call("GET", f"/v1/bundles/{told['bundle']['sequence']}")
    assert [one["name"] for one in shown.body["bundle"]["mappers"]] == ["garden.yaml"]


async def test_problems_are_found_here_before_anything_is_sent(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every problem with the path, line and column on this disk; the control plane isn't asked."""
    monkeypatch.setenv("CHECKREIN_API_URL", "http://127.0.0.1:1")
    file = folder / "refunds.yaml"
    file.write_text(policy("a", effect="PERHAPS", action="create_refnud"))
    status, told = await shell.run("bundles", "publish", folder)
    assert (status, told["ok"]) == (1, False)
    assert {one["file"] for one in told["problems"]} == {str(file)}
    assert len(told["problems"]) == 2
    status, shown = await shell.look("bundles", "publish", folder)
    assert status == 1
    assert f"{file}:10:17: " in shown
    assert "create_refund" in shown
    assert "2 problems; nothing is published" in shown


async def test_files_that_cannot_go_in_are_problems(shell: Shell, folder: Path):
    """A name with a space, and a file of a name that is taken."""
    (folder / "my policy.yaml").write_text(policy("b"))
    other = folder.parent / "refunds.yaml"
    other.write_text(policy("c"))
    status, told = await shell.run("bundles", "publish", folder, other)
    assert status == 1
    messages = [one["message"] for one in told["problems"]]
    assert any("can't be named" in message for message in messages)
    assert any("is taken by" in message for message in messages)


async def test_the_control_planes_problems_come_back_to_the_files_here(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """A control plane of another version may refuse what this one takes: its places are mapped to
    the paths on this disk."""

    def refuse(*_: object) -> None:
        raise invalid_bundle([Problem("refunds.yaml", 3, 5, "it is not liked", "think again")])

    monkeypatch.setattr("controlplane.services.policies.bundle_check.BundleChecker.check", refuse)
    status, told = await shell.run("bundles", "publish", folder)
    assert (status, told["ok"]) == (1, False)
    assert told["problems"] == [
        {
            "file": str(folder / "refunds.yaml"),
            "line": 3,
            "column": 5,
            "message": "it is not liked",
            "help": "think again",
        }
    ]
    status, shown = await shell.look("bundles", "publish", folder)
    assert status == 1
    assert "1 problem found by the control plane; nothing is published" in shown


async def test_list_and_show_tell_history(client: Client, shell: Shell):
    """Newest first, the current one marked; the files with their text on demand."""
    old = await published(client, policy(fresh()), comment="the old one")
    new = await published(client, policy(fresh()))
    status, listed = await shell.look("bundles", "list")
    assert status == 0
    lines = {line.split()[0]: line for line in listed.splitlines()}
    assert "current" in lines[str(new["sequence"])]
    assert "current" not in lines[str(old["sequence"])]
    assert "the old one" in lines[str(old["sequence"])]
    assert old["revision"][:12] in listed
    status, shown = await shell.look("bundles", "show", old["sequence"])
    assert status == 0
    assert "p0.yaml" in shown
    assert "kind: Policy" not in shown
    _, whole = await shell.look("bundles", "show", old["sequence"], "--documents")
    assert "kind: Policy" in whole
    _, piped = await shell.run("bundles", "show", old["sequence"])
    assert piped["documents"][0]["name"] == "p0.yaml"
    _, found = await shell.run("bundles", "list", "-n", "1")
    assert [one["sequence"] for one in found["bundles"]] == [new["sequence"]]


async def test_two_bundles_are_compared_as_files(client: Client, shell: Shell, tmp_path: Path):
    """Each is written into a folder of its own, and never into one that is there."""
    same = fresh()
    for name, effect in (("old", "BLOCK"), ("new", "ALLOW")):
        one = await published(client, policy(same, effect))
        status, _ = await shell.run("bundles", "show", one["sequence"], "--to", tmp_path / name)
        assert status == 0
    status, told = await shell.run("policies", "diff", tmp_path / "old", tmp_path / "new")
    assert status == 0
    assert {change["direction"] for change in told["changes"]} == {"looser"}
    words = ("bundles", "show", one["sequence"], "--to", tmp_path / "new")
    status, error = await shell.fail(*words)
    assert (status, "is there already" in error) == (1, True)


async def test_activate_goes_back(client: Client, shell: Shell):
    """The earlier files under a new number; a number that isn't there is a failure with advice."""
    old = await published(client, policy(fresh()))
    new = await published(client, policy(fresh()))
    status, shown = await shell.look("bundles", "activate", old["sequence"])
    assert status == 0
    assert f"Published: bundle {new['sequence'] + 1}, revision {old['revision'][:12]}" in shown
    _, again = await shell.run("bundles", "activate", old["sequence"])
    assert again["isNew"] is False
    status, error = await shell.fail("bundles", "activate", "99999")
    assert status == 1
    assert "there is no bundle with this number" in error


async def test_activate_shows_what_is_wrong_by_now(
    client: Client, shell: Shell, monkeypatch: pytest.MonkeyPatch
):
    """An earlier bundle that this version no longer takes."""
    old = await published(client, policy(fresh()))

    def refuse(*_: object) -> None:
        raise invalid_bundle([Problem("p0.yaml", 1, 1, "this is gone")])

    monkeypatch.setattr("controlplane.services.policies.bundle_check.BundleChecker.check", refuse)
    status, told = await shell.run("bundles", "activate", old["sequence"])
    assert (status, told["problems"][0]["message"]) == (1, "this is gone")


async def test_key_prints_what_gateways_are_given(client: Client, shell: Shell):
    """The id and the base64 of 32 bytes."""
    found = (await client.call("GET", "/v1/bundles/key")).body
    assert (await shell.run("bundles", "key"))[1] == found
    _, shown = await shell.look("bundles", "key")
    assert found["publicKey"] in shown
    assert found["keyId"] in shown


async def test_gateways_lists_who_runs_what(client: Client, shell: Shell):
    """Up to date, behind, ahead; JSON has the whole revision."""
    old = await published(client, policy(fresh()))
    new = await published(client, policy(fresh()))
    for name, sequence, running in (
        ("gw-yes", new["sequence"], new["revision"]),
        ("gw-no", old["sequence"], old["revision"]),
        ("gw-ahead", new["sequence"] + 1, old["revision"]),
    ):
        await current(client, f"?gatewayId={name}&sequence={sequence}&running={running}")
    status, shown = await shell.look("gateways")
    assert status == 0
    lines = {line.split()[0]: line.split() for line in shown.splitlines()}
    assert lines["gw-yes"][1:4] == [str(new["sequence"]), new["revision"][:12], "yes"]
    assert lines["gw-no"][1:4] == [str(old["sequence"]), old["revision"][:12], "no"]
    assert lines["gw-ahead"][3] == "ahead"
    assert f"Current: bundle {new['sequence']}, revision {new['revision'][:12]}" in shown
    _, told = await shell.run("gateways")
    assert told["current"]["revision"] == new["revision"]


USAGE = {
    "nothing to publish": (["bundles", "publish"], "missing argument 'PATH...'"),
    "a path that isn't there": (
        ["bundles", "publish", "no-such-folder"],
        "there is no file `no-such-folder`",
    ),
    "a number that is none": (["bundles", "show", "latest"], "is not a valid integer"),
    "number nought": (["bundles", "activate", "0"], "not in the range"),
}


@pytest.mark.parametrize("name", USAGE)
async def test_wrong_words_are_usage(shell: Shell, name: str):
    """Exit status 2, and which word it was."""
    words, message = USAGE[name]
    status, error = await shell.fail(*words)
    assert status == 2
    assert message in error


async def test_a_key_that_may_not_publish_is_told(
    client: Client, shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """The gateway's key reads bundles and publishes none."""
    monkeypatch.setenv("CHECKREIN_API_KEY", client.keys["gateway"])
    status, error = await shell.fail("bundles", "publish", folder)
    assert status == 1
    assert "PERMISSION_DENIED" in error
    assert client.keys["gateway"] not in error
