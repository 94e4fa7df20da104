"""How multipart bodies are cut, and which are refused."""

from __future__ import annotations

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.multipart import parse_multipart
from gateway.canonicalize.request.reader import RequestReader

FORM = "multipart/form-data; boundary=b"


def field(name: str, text: str, more: str = "", headers: str = "") -> str:
    return f'--b\r\ncontent-disposition: form-data; name="{name}"{more}\r\n{headers}\r\n{text}\r\n'


def reader(body: str, media: str = FORM) -> RequestReader:
    request = build_request(
        "POST", "https://shop.test/x", [("content-type", media)], body.encode("latin-1")
    )
    return RequestReader(request, "")


def test_text_fields_are_values_and_files_are_not() -> None:
    """A field is its text, several of one name are a list, and a file is opaque."""
    body = (
        field("a", "1") + field("b", "x\r\ny") + field("a", "2")
        + field("f", "\xff", '; filename="f.bin"') + "--b--\r\n"
    )  # fmt: skip

    assert reader(body).form.values == {"a": ["1", "2"], "b": "x\r\ny"}


def test_a_field_with_the_type_of_a_file_is_still_a_field() -> None:
    """Most frameworks tell a file by its name alone; what they read as a field, a rule reads."""
    body = field("a", "1", headers="content-type: application/octet-stream\r\n") + "--b--"

    assert reader(body).form.values == {"a": "1"}


def test_line_feeds_alone_are_taken_where_all_are() -> None:
    """Python's batches have no carriage returns."""
    body = '--b\ncontent-disposition: form-data; name="a"\n\n1\n--b--'

    assert reader(body).form.values == {"a": "1"}


REFUSED: dict[str, str] = {
    "no delimiter": "hello",
    "text before the first delimiter": "hello\r\n" + field("a", "1") + "--b--",
    "text behind the last delimiter": field("a", "1") + "--b--\r\nhello",
    "no end": field("a", "1"),
    "no end, and a cut delimiter": field("a", "1") + "--b-",
    "a delimiter inside a line": field("a", "x --b y") + "--b--",
    "a delimiter that goes on": field("a", "1") + "--bb\r\n\r\n2\r\n--b--",
    "space behind a delimiter": field("a", "1") + "--b \r\n\r\n2\r\n--b--",
    "mixed line ends": field("a", "1")
    + '--b\ncontent-disposition: form-data; name="b"\n\n2\n--b--',
    "a carriage return before a delimiter of line feeds alone": (
        '--b\ncontent-disposition: form-data; name="a"\n\n1\r\n--b--'
    ),
    "a folded header": field("a", "1", headers="x: y\r\n z\r\n") + "--b--",
    "a header twice": field(
        "a", "1", headers='content-disposition: form-data; name="b"\r\n'
    ) + "--b--",
    "a name twice": field("a", "1", '; name="b"') + "--b--",
    "a name in another encoding": field("a", "1", "; name*=UTF-8''b") + "--b--",
    "an equals sign in a bare name": (
        "--b\r\ncontent-disposition: form-data; name==\r\n\r\n1\r\n--b--"
    ),
    "a quoted quote in a name": field('a\\"b', "1") + "--b--",
    "no name": "--b\r\ncontent-disposition: form-data\r\n\r\n1\r\n--b--",
    "no disposition": "--b\r\n\r\n1\r\n--b--",
    "a name in apostrophes": (
        "--b\r\ncontent-disposition: form-data; name='a'\r\n\r\n1\r\n--b--"
    ),
    "an attachment": '--b\r\ncontent-disposition: attachment; name="a"\r\n\r\n1\r\n--b--',
    "another character set": field("a", "1", headers="content-type: text/plain; charset=utf-7\r\n")
    + "--b--",
    "a character set for all": field("_charset_", "utf-7") + "--b--",
    "bytes that are no UTF-8": field("a", "\xff") + "--b--",
    "a text and a file of one name": field("a", "1") + field("a", "2", '; filename="f"') + "--b--",
    "too many parts": field("a", "1") * 1_001 + "--b--",
    "a NUL": field("a", "\x00") + "--b--",
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_parsers_cut_differently_is_refused(body: str) -> None:
    """A form that two frameworks would read differently is no form."""
    with pytest.raises(AmbiguityError) as caught:
        _ = reader(body).form

    assert caught.value.code == "ambiguous_body"


BOUNDARIES = {
    "none": "multipart/form-data",
    "an empty one": "multipart/form-data; boundary=",
    "two": "multipart/form-data; boundary=b; boundary=c",
    "two in two cases": "multipart/form-data; boundary=b; Boundary=c",
    "one too long": "multipart/form-data; boundary=" + "b" * 71,
    "one with a line end": 'multipart/form-data; boundary="b\r\nc"',
}


@pytest.mark.parametrize("media", BOUNDARIES.values(), ids=BOUNDARIES)
def test_the_boundary_is_there_once(media: str) -> None:
    """Without one clear boundary there are no parts."""
    with pytest.raises(AmbiguityError):
        parse_multipart(field("a", "1").encode() + b"--b--", media.encode())


def test_a_transfer_encoding_is_refused() -> None:
    """Base64 inside a part would hide what it says."""
    body = field("a", "MQ==", headers="content-transfer-encoding: base64\r\n") + "--b--"

    with pytest.raises(AmbiguityError) as caught:
        _ = reader(body).form
    assert caught.value.code == "ambiguous_encoding"


@pytest.mark.parametrize("name", ["_method", "_METHOD", "x-http-method-override"])
def test_a_field_that_asks_for_another_method_is_refused(name: str) -> None:
    """Frameworks take the method from a form, with files or without."""
    with pytest.raises(AmbiguityError) as caught:
        reader(field(name, "DELETE") + "--b--").check_method()
    assert caught.value.code == "ambiguous_method"


def test_a_file_upload_is_not_taken_apart_for_its_method() -> None:
    """A malformed body that no entry reads is the server's business."""
    reader("anything at all").check_method()
