"""`checkrein audit digest`: the digest that a record must have of what was sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import run_command
from gateway.record import marks
from gateway.record.redaction_key import KEY_FILE, load_redaction_key

BODY = b'{"pin": "1234"}' * 100_000


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Of a gateway that has run."""
    load_redaction_key(tmp_path, "")
    return tmp_path


def test_it_says_what_the_gateway_records(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same as the hot path makes it, for more than is read at once."""
    body = tmp_path / "body"
    body.write_bytes(BODY)
    marks.use_key(load_redaction_key(data_dir, ""))
    expected = marks.content_digest(BODY)
    marks.use_key(None)

    assert run_command(["audit", "digest", str(body), "--data-dir", str(data_dir), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"digest": expected}

    key_file = str(data_dir / KEY_FILE)
    assert run_command(["audit", "digest", str(body), "--redaction-key-file", key_file]) == 0
    assert str(expected) in capsys.readouterr().out


def test_no_key_is_made_where_none_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its digests would be of no record."""
    body = tmp_path / "body"
    body.write_bytes(b"x")
    assert run_command(["audit", "digest", str(body), "--data-dir", str(tmp_path / "no")]) != 0
    assert "redaction key" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
