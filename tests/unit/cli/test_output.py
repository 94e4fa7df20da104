"""What agents write never steers a reader's terminal, and programs read clean JSON."""

from __future__ import annotations

import io
import json

import pytest

from gateway.cli.output import Column, Output, complain, cut, plain


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


SHOWN = {
    "plain text stays": ("refund of ch_1", "refund of ch_1"),
    "letters of other scripts stay": ("müller 株式会社", "müller 株式会社"),
    "an escape sequence becomes visible": ("\x1b[2Jgone", "\\x1b[2Jgone"),
    "an 8-bit control sequence becomes visible": ("\x9b31m", "\\x9b31m"),
    "a line break can't forge a line": ("a\nALLOW", "a\\x0aALLOW"),
    "a carriage return can't hide what stood before": ("DENY\rALLOW", "DENY\\x0dALLOW"),
    "a right-to-left override can't turn text round": ("\u202etxt", "\\u202etxt"),
    "a zero-width space can't split a word unseen": ("a\u200bb", "a\\u200bb"),
    "a line separator is no line": ("a\u2028b", "a\\u2028b"),
    "a lone surrogate can't break the encoder": ("\ud800", "\\ud800"),
    "a tag character carries nothing unseen": ("\U000e0041", "\\U000e0041"),
    "markup is text": ("[red]x[/red]", "[red]x[/red]"),
}


@pytest.mark.parametrize(("text", "expected"), SHOWN.values(), ids=SHOWN.keys())
def test_plain_shows_what_is_there(text: str, expected: str) -> None:
    """Whatever is invisible or steers a terminal is made visible, and nothing else is changed."""
    assert plain(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in SHOWN.values()], ids=SHOWN.keys())
def test_tables_and_lines_show_agents_text_as_text(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No control character of an agent reaches a terminal through a table or a line."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    out = Output(stream=stream)

    out.table((Column("WHAT"),), [(text,)])
    out.say(text)

    written = stream.getvalue()
    # Bold and dim remain without colour; they are ours.
    for ours in ("\x1b[1m", "\x1b[2m", "\x1b[1;2m", "\x1b[0m"):
        written = written.replace(ours, "")
    assert not [c for c in written if c != "\n" and not c.isprintable()]
    assert written.count(plain(text)) == 2


def test_markup_is_not_obeyed() -> None:
    """A `[red]` of an agent is shown, in a table as in a line."""
    stream = io.StringIO()
    out = Output(stream=stream)

    out.table((Column("WHAT"),), [("[link=http://x]y[/link]",)])

    assert "[link=http://x]y[/link]" in stream.getvalue()


def test_a_pipe_gets_json_and_a_terminal_gets_tables() -> None:
    """JSON is chosen by `--json` and by not being a terminal."""
    assert Output(stream=io.StringIO()).as_json
    assert not Output(stream=Terminal()).as_json
    assert Output(json_wanted=True, stream=Terminal()).as_json


def test_json_is_one_ascii_line() -> None:
    """A value is one line, and its text can't steer a terminal either."""
    stream = io.StringIO()

    Output(stream=stream).emit({"message": "a\nb \x1b[2J ü \u202e"})

    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line) == {"message": "a\nb \x1b[2J ü \u202e"}


def test_errors_are_sentences_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """`error:` and `help:` on standard error, with further lines indented and control-free."""
    complain("a\x1b[2J\nb", "do\nthis")

    assert capsys.readouterr().err == "error: a\\x1b[2J\n  b\nhelp: do\n  this\n"


def test_long_cells_are_cut() -> None:
    """A cell ends in an ellipsis instead of filling the screen."""
    assert cut("x" * 400) == "x" * 299 + "…"
    assert cut("short") == "short"
