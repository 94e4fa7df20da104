"""`checkrein audit export|verify|prove|consistency` against the log's routes, and without any."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import run_command
from tests.support.audit_edits import edited
from tests.support.audit_files import ORIGIN, MadeLog, verifier_key
from tests.support.log_api import LogApi, serving

LOG = MadeLog(60)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LogApi]:
    """A server that the commands find by their environment."""
    api = LogApi(LOG)
    with serving(api) as url:
        monkeypatch.setenv("CHECKREIN_API_URL", url)
        monkeypatch.setenv("CHECKREIN_API_KEY", "cr_test")
        monkeypatch.setenv("CHECKREIN_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.delenv("CHECKREIN_LOG_KEY", raising=False)
        yield api


Said = tuple[int, str, str]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Run a command: its exit status, and what it wrote."""

    def run(*arguments: object) -> Said:
        status = run_command(["audit", *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return run


def pin(tmp_path: Path, key: str) -> None:
    """What the gateway of this installation pinned."""
    (tmp_path / "data" / "log").mkdir(parents=True)
    (tmp_path / "data" / "log" / "key").write_text(key + "\n")


def test_an_export_is_the_servers_bytes(api: LogApi, run: Any, tmp_path: Path) -> None:
    """In a file or on standard output; whole, a part, or its record lines alone."""
    file = tmp_path / "log.jsonl"
    status, out, _ = run("export", "-o", file)
    said = json.loads(out)
    assert (status, said["records"], said["size"], said["key"]) == (0, 60, 60, LOG.key)
    assert file.read_bytes() == LOG.export()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["log.jsonl"]
    assert run("export", "--first", 7, "--count", 3)[1].encode() == LOG.export(7, 3)
    api.export = LOG.export(erased={2})
    lines = run("export", "--lines")[1].splitlines()
    assert lines == [line for index, line in enumerate(LOG.lines) if index != 2]


def test_decisions_are_exported_by_what_they_are(api: LogApi, run: Any, tmp_path: Path) -> None:
    """The filters reach the server; what is no filter is said before anything is asked."""
    asked = run("export", "--format", "csv", "--where", "effect=BLOCK", "--where", "text=a=b c")[1]
    assert json.loads(asked) == {"effect": "BLOCK", "format": "csv", "text": "a=b c"}
    file = tmp_path / "decisions.jsonl"
    status, out, _ = run("export", "--format", "jsonl", "-o", file)
    assert (status, json.loads(out)) == (0, {"file": str(file), "bytes": file.stat().st_size})
    asked_before = len(api.asked)
    for wrong in (
        ("--format", "csv", "--first", 3),
        ("--format", "csv", "--where", "BLOCK"),
        ("--format", "csv", "--where", "params.amount>5"),
        ("--format", "csv", "--where", "agnet=bot"),
        ("--format", "csv", "--where", "format=jsonl"),
        ("--where", "effect=BLOCK"),
    ):
        assert run("export", *wrong)[0] == 2
    assert len(api.asked) == asked_before
    said = run("export", "--format", "csv", "--where", "agnet=bot")[2]
    assert "`--where agnet=bot` is not NAME=VALUE" in said
    assert "did you mean `--where agent=...`?" in said
    assert "--where effect=BLOCK" in said


def test_the_servers_log_is_verified(api: LogApi, run: Any, tmp_path: Path) -> None:
    """Without a file, as it streams; tampering is status 1 and names the record."""
    status, out, _ = run("verify")
    assert (status, json.loads(out)["records"]) == (3, 60)
    assert json.loads(out)["log"]["keyPinned"] is False
    pin(tmp_path, LOG.key)
    status, out, _ = run("verify")
    assert (status, json.loads(out)["log"]["keyPinned"]) == (0, True)
    api.export = edited(LOG.export(), 7, status=500)
    status, out, _ = run("verify")
    assert (status, json.loads(out)["breaks"][0]["index"]) == (1, 7)


def test_a_rewritten_table_of_the_control_plane_is_tampering(
    api: LogApi, run: Any, tmp_path: Path
) -> None:
    """The log verifies, and what people did is no more what it says: each act is named."""
    pin(tmp_path, LOG.key)
    api.differences = [
        {"seq": 4, "event": "approval_answered", "id": "17", "isThere": True},
        {"seq": 6, "event": "stop_pulled", "id": "c3", "isThere": False},
        {"seq": None, "event": "approval_answered", "id": "18", "isThere": True},
    ]
    status, out, _ = run("verify")
    assert status == 1
    breaks = [(each["gateway"], each["seq"], each["message"]) for each in json.loads(out)["breaks"]]
    made_of = "the table that it was made of"
    assert breaks == [
        ("control-plane", 4, f"record 4 says `approval_answered` of 17; {made_of} says otherwise"),
        ("control-plane", 6, f"record 6 says `stop_pulled` of c3; {made_of} has lost it"),
        ("control-plane", 0, "the database says `approval_answered` of 18, which no record says"),
    ]


def test_another_key_than_the_pinned_one_is_tampering(
    api: LogApi, run: Any, tmp_path: Path
) -> None:
    """A log of the same name under another key; a log of another name is none of its business."""
    other = MadeLog(1).gateways["gw_a"].keys()[0]
    pin(tmp_path, other)
    assert run("verify")[0] == 3
    (tmp_path / "data" / "log" / "key").write_text(verifier_key(ORIGIN, "somebody"))
    status, out, _ = run("verify")
    assert status == 1
    assert "pinned another key" in json.loads(out)["breaks"][0]["message"]


def test_files_are_verified_without_a_server(
    api: LogApi, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key by option, file or environment; several files give the worst of their verdicts."""
    good, poor, key = tmp_path / "good", tmp_path / "poor", tmp_path / "key"
    good.write_bytes(LOG.export())
    poor.write_text(LOG.lines[0] + "\n")
    key.write_text(LOG.key)
    assert run("verify", good, "--key", key)[0] == 0
    monkeypatch.setenv("CHECKREIN_LOG_KEY", LOG.key)
    status, out, _ = run("verify", good, poor)
    assert status == 3
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["verified", "incomplete"]
    monkeypatch.setenv("CHECKREIN_LOG_KEY", MadeLog(1).gateways["gw_a"].keys()[0])
    assert run("verify", good)[0] == 1
    assert api.asked == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "none.jsonl"], "there is no file `none.jsonl`"),
        (["verify", ".", "--strict"], "not a gateway's spool"),
        (["verify", "x", "--key", "y"], "neither a key nor a file"),
        (["consistency", "x"], "neither a file nor a size"),
    ],
    ids=["no file", "no spool", "no key", "no checkpoint"],
)
def test_wrong_calls_are_status_2(
    api: LogApi, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], said: str,
) -> None:  # fmt: skip
    """And say what to do next."""
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*arguments)
    assert status == 2
    assert said in err
    assert "help:" in err


@pytest.mark.parametrize("offline", [False, True], ids=["of the server", "out of an export"])
def test_proofs_verify_where_they_are_handed_on(
    api: LogApi, run: Any, tmp_path: Path, offline: bool
) -> None:
    """Of a decision's records, and of one record by its place; the same from both sources."""
    export, proof = tmp_path / "log.jsonl", tmp_path / "proof"
    export.write_bytes(LOG.export())
    source = ["--from", export] if offline else []
    assert run("prove", "dec_gw_b_3", "-o", proof, *source)[0] == 0
    assert len(proof.read_text().splitlines()) == 2
    assert run("verify", proof, "--key", LOG.key)[0] == 0
    status, out, _ = run("prove", "gw_c:5", *source)
    assert (status, json.loads(out)["seq"]) == (0, 5)
    assert bool(api.asked) is not offline
    status, _, err = run("prove", "dec_nobody", *source)
    assert status == 1
    assert "no such record" in err


def test_a_part_of_the_log_gives_proofs_too(run: Any, api: LogApi, tmp_path: Path) -> None:
    """Of its own records, erased ones among them; not of others."""
    part = tmp_path / "part.jsonl"
    part.write_bytes(LOG.export(13, 30, erased={20}))
    proof = tmp_path / "proof"
    for index in (13, 20, 42):
        place = json.loads(LOG.lines[index])
        named = f"{place['gateway']}:{place['seq']}"
        assert run("prove", named, "--from", part, "-o", proof)[0] == 0
        assert run("verify", proof, "--key", LOG.key)[0] == 0
    assert run("prove", "gw_a:1", "--from", part)[0] == 1


@pytest.mark.parametrize("offline", [False, True], ids=["of the server", "out of an export"])
def test_growth_is_proven_between_checkpoints_that_were_kept(
    api: LogApi, run: Any, tmp_path: Path, offline: bool
) -> None:
    """Files, and where the server is asked, sizes; a forged old checkpoint is status 1."""
    export, old, grown = tmp_path / "log.jsonl", tmp_path / "old", tmp_path / "grown"
    export.write_bytes(LOG.export())
    old.write_text(LOG.checkpoint(17))
    source = ["--from", export] if offline else []
    assert run("consistency", old, "-o", grown, *source)[0] == 0
    assert run("verify", grown, "--key", LOG.key)[0] == 0
    if not offline:
        assert run("consistency", "20", "60")[0] == 0
        status, _, err = run("consistency", "21")
        assert (status, "no checkpoint was signed of 21 records" in err) == (1, True)
    other = MadeLog(60, gateways=["gw_x"])
    old.write_text(other.checkpoint(17))
    grown.unlink()
    status, out, _ = run("consistency", old, "-o", grown, *source)
    assert (status, json.loads(out)["status"]) == (1, "tampered")
    assert not grown.exists()


def test_a_person_reads_that_the_log_only_grew(api: LogApi) -> None:
    """Words on a terminal; the proof itself where `--json` asks for it."""

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = {}
    for words in ((), ("--json",)):
        with contextlib.redirect_stdout(Screen()) as screen:
            run_command(["audit", "consistency", "20", "60", "--key", LOG.key, *words])
        shown[words] = screen.getvalue()
    assert "From 20 to 60 records the log grew by 40" in shown[()]
    assert "consistency" not in shown[()]
    assert json.loads(shown[("--json",)])["consistency"] == "checkrein/1"
