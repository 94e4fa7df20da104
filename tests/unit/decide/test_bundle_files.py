"""Files become the named texts of a bundle, or problems that name the file."""

from __future__ import annotations

from pathlib import Path

from gateway.decide.bundle_files import load_named_texts
from gateway.decide.envelope import NamedText
from gateway.model.errors import Problem


def test_files_come_in_order_with_their_plain_names(tmp_path: Path):
    """The folder stays behind."""
    (tmp_path / "in").mkdir()
    (tmp_path / "b.yaml").write_text("b: ü\n")
    (tmp_path / "in" / "a.yml").write_text("")
    problems: list[Problem] = []
    texts = load_named_texts([tmp_path / "b.yaml", tmp_path / "in" / "a.yml"], problems)
    assert texts == (NamedText("b.yaml", "b: ü\n"), NamedText("a.yml", ""))
    assert problems == []


def test_every_file_that_cannot_go_in_is_a_problem(tmp_path: Path):
    """A strange name, a name that is taken, a file that is not there, one that is no text: all at
    once, each by its path; what is good is still read."""
    (tmp_path / "in").mkdir()
    for name in ("a.yaml", "in/A.yaml", "my policy.yaml"):
        (tmp_path / name).write_text("x")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    names = ["a.yaml", "in/A.yaml", "my policy.yaml", "none.yaml", "bytes.yaml"]
    problems: list[Problem] = []
    texts = load_named_texts([tmp_path / name for name in names], problems)
    assert [one.name for one in texts] == ["a.yaml"]
    assert [Path(one.file).name for one in problems] == [Path(name).name for name in names[1:]]
    words = ["taken", "can't be named", "can't be read", "not UTF-8"]
    assert all(word in one.message for word, one in zip(words, problems, strict=True))
