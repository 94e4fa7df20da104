"""The verifier by itself: as a command in a Python that has `cryptography` and nothing else, on the
files that an auditor may be given. Also a gateway's spool, which proves itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.record.verify import main
from tests.support.audit_files import MadeLog, sha

ROOT = Path(__file__).parents[2]
LOG = MadeLog(60)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: `cryptography` and what it is built on."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("cryptography", "_cffi_backend"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (folder / origin.name).symlink_to(origin)
    return folder


def alone(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier where nothing else can be imported."""
    starter = (
        "import runpy, sys; sys.path[:0] = sys.argv[1:3]; sys.argv[:] = sys.argv[3:]; "
        "runpy.run_module('gateway.record.verify', run_name='__main__', alter_sys=True)"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", starter, str(ROOT), str(bare), "verify", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_needs_the_standard_library_and_cryptography_alone(bare: Path, tmp_path: Path) -> None:
    """An export verifies with its key, and an edited one names its record, as text and as JSON."""
    file, key = tmp_path / "export.jsonl", tmp_path / "log.key"
    file.write_bytes(LOG.export())
    key.write_text(f"# the log of the payments department\n{LOG.key}\n")
    good = alone(bare, str(file), "--key", str(key))
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("VERIFIED: 60 records\n")

    file.write_bytes(LOG.export().replace(b'"status":200', b'"status":500', 1))
    bad = alone(bare, str(file), "--key", LOG.key, "--json")
    assert bad.returncode == 1
    verdict = json.loads(bad.stdout)
    assert verdict["status"] == "tampered"
    assert verdict["breaks"][0]["message"].endswith("was changed after it was written")


def statuses(tmp_path: Path) -> dict[str, tuple[list[str], int, str]]:
    """Calls, their exit status, and something that they say."""
    good, lines, other = tmp_path / "good", tmp_path / "lines", tmp_path / "checkpoint"
    good.write_bytes(LOG.export())
    lines.write_text("".join(line + "\n" for line in LOG.lines))
    other.write_text(LOG.checkpoint(33))
    empty = tmp_path / "folder"
    empty.mkdir()
    key = ["--key", LOG.key]
    return {
        "a good export": ([str(good), *key], 0, "VERIFIED"),
        "with a checkpoint that was kept": (
            [str(good), *key, "--checkpoint", str(other)], 0, "VERIFIED",
        ),
        "without a key": ([str(good)], 3, "pass it with `--key`"),
        "with a foreign key": (
            [str(good), "--key", MadeLog(1).gateways["gw_a"].keys()[0]], 1, "another key",
        ),
        "plain lines": ([str(lines)], 3, "there is no checkpoint"),
        "two files, the worst counts": ([str(good), str(lines), *key], 3, "INCOMPLETE"),
        "no such file": ([str(tmp_path / "none")], 2, "there is no file"),
        "a folder that is no spool": ([str(empty)], 2, "not a gateway's spool"),
        "a key that is none": ([str(good), "--key", "x"], 2, "neither a key nor a file"),
        "a checkpoint that is none": (
            [str(good), *key, "--checkpoint", str(lines)], 2, "holds no checkpoint",
        ),
    }  # fmt: skip


def test_exit_statuses_that_scripts_can_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 verified, 1 tampered, 2 usage, 3 incomplete."""
    for case, (arguments, status, said) in statuses(tmp_path).items():
        assert main(arguments) == status, case
        out, err = capsys.readouterr()
        assert said in out + err, case


# --- a spool --------------------------------------------------------------------------------------

GATEWAY = MadeLog(30, gateways=["gw_a"]).gateways["gw_a"]


def spool(folder: Path, begin: int = 0, end: int = 30) -> Path:
    """A spool as a gateway leaves it: segments of ten lines, its key, its newest head."""
    folder.mkdir()
    for first in range(begin, end, 10):
        lines = GATEWAY.lines[first : min(first + 10, end)]
        name = f"records-{first + 1:020d}.jsonl"
        (folder / name).write_text("".join(line + "\n" for line in lines))
    (folder / "gateway_id").write_text("gw_a\n")
    (folder / "signing_key.pub").write_text(GATEWAY.keys()[-1] + "\n")
    (folder / "signed_head").write_text(GATEWAY.heads[-1][1])
    return folder


def segment(folder: Path, first: int) -> Path:
    """One of its files."""
    return folder / f"records-{first:020d}.jsonl"


def test_a_spool_verifies_whole_or_without_its_oldest_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By itself, and with the key that somebody was given."""
    whole, newest = spool(tmp_path / "whole"), spool(tmp_path / "newest", begin=10)
    assert main([str(whole)]) == 0
    assert "was taken from the spool itself" in capsys.readouterr().out
    assert main([str(whole), "--gateway-key", GATEWAY.keys()[0]]) == 0
    assert "was taken from" not in capsys.readouterr().out
    assert main([str(newest), "--strict"]) == 0
    assert "records before 11 are no longer" in capsys.readouterr().out
    assert main([str(newest), "--gateway-key", GATEWAY.keys()[1]]) == 0


def edit(path: Path, old: str, new: str) -> None:
    """Replace some text in a file."""
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_spool_that_was_tampered_with_names_the_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An edit, a cut, a missing file, another head, another gateway's lines."""
    line = GATEWAY.lines[14]
    cases: dict[str, Callable[[Path], object]] = {
        "record 15 was changed": lambda s: edit(segment(s, 11), line, line.replace("at", "AT", 1)),
        "record 15 is missing": lambda s: edit(segment(s, 11), line + "\n", ""),
        "records from 11 are missing": lambda s: segment(s, 11).unlink(),
        "ends at record 20, but record 30 was signed": lambda s: segment(s, 21).unlink(),
        "record 30 is not the one that its gateway signed": lambda s: edit(
            segment(s, 21), GATEWAY.lines[29], GATEWAY.lines[29].replace('"v":1', '"v":1,"w":1')
        ),
        "`signed_head`": lambda s: edit(s / "signed_head", "gw_a", "gw_b"),
        "of record 30 does not verify": lambda s: edit(
            s / "signed_head", GATEWAY.heads[-1][1][-20:], GATEWAY.heads[-2][1][-20:]
        ),
        "`gateway_id`": lambda s: (s / "gateway_id").write_text(""),
    }
    for number, (said, tamper) in enumerate(cases.items()):
        folder = spool(tmp_path / str(number))
        tamper(folder)
        assert main([str(folder)]) == 1, said
        assert said in capsys.readouterr().out


def test_a_spool_without_its_head_or_ahead_of_it_is_incomplete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines that nothing signed yet, and a line that is being written."""
    folder = spool(tmp_path / "spool")
    (folder / "signed_head").write_text(GATEWAY.heads[-2][1])
    with segment(folder, 21).open("a") as file:
        file.write('{"actions":[')
    assert main([str(folder)]) == 3
    said = capsys.readouterr().out
    assert "last 2 records are not signed" in said
    assert "not whole yet" in said
    (folder / "signed_head").unlink()
    assert main([str(folder)]) == 3
    assert "nothing is signed by its own key" in capsys.readouterr().out


def test_another_key_in_the_spool_does_not_help_against_a_pin(tmp_path: Path) -> None:
    """Who writes a spool anew has no key that the old one vouches for."""
    folder, forged = spool(tmp_path / "spool"), MadeLog(30, gateways=["gw_a"]).gateways["gw_a"]
    honest = GATEWAY.keys()[0]
    assert main([str(folder), "--gateway-key", honest]) == 0
    forged.lines, forged.secrets, forged.heads = [], [], []
    forged.announce_key("forged")
    for number in range(29):
        forged.write(kind="gateway", event=f"event {number}")
    forged.sign_head()
    for first in (1, 11, 21):
        lines = forged.lines[first - 1 : first + 9]
        segment(folder, first).write_text("".join(line + "\n" for line in lines))
    (folder / "signing_key.pub").write_text(forged.keys()[0])
    (folder / "signed_head").write_text(forged.heads[0][1])
    assert sha(forged.lines[-1].encode()) != sha(GATEWAY.lines[-1].encode())
    assert main([str(folder)]) == 0
    assert main([str(folder), "--gateway-key", honest]) == 1
