"""Pasted curl commands: the request that curl would send, or why it can't be told."""

from __future__ import annotations

import base64

import pytest

from gateway.authoring.curl import BOUNDARY, parse_curl
from gateway.authoring.requests import MalformedRequestError

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
BASIC = base64.b64encode(b"sk_test_1:").decode()

COMMANDS: dict[str, tuple[str, str, str, bytes, dict[str, str]]] = {
    "a URL alone": ("curl https://a.test/x?y=1", "GET", "/x?y=1", b"", {}),
    "a prompt before it, and a fragment": ("$ curl https://a.test/x#top", "GET", "/x", b"", {}),
    "a URL without a scheme": ("curl a.test/x", "GET", "/x", b"", {}),
    "a method": ("curl -X DELETE https://a.test/x", "DELETE", "/x", b"", {}),
    "letters run together": ("curl -sSLXPUT https://a.test/x", "PUT", "/x", b"", {}),
    "data makes it a POST": (
        "curl https://a.test/x -d a=1 --data 'b=2 3'", "POST", "/x", b"a=1&b=2 3",
        {"content-type": FORM},
    ),
    "empty data": ("curl https://a.test/x -d ''", "POST", "/x", b"", {"content-type": FORM}),
    "a content type of its own": (
        "curl https://a.test/x -H 'Content-Type: application/json' -d '{\"a\": 1}'", "POST", "/x",
        b'{"a": 1}', {"content-type": JSON},
    ),
    "--json": (
        "curl https://a.test/x --json '{\"a\":' --json 1}", "POST", "/x", b'{"a":1}',
        {"content-type": JSON, "accept": JSON},
    ),
    "raw data that begins with an at": (
        "curl https://a.test/x --data-raw @me", "POST", "/x", b"@me", {"content-type": FORM},
    ),
    "data that is encoded": (
        "curl https://a.test/x --data-urlencode 'q=a&b' --data-urlencode =c+d", "POST", "/x",
        b"q=a%26b&c%2Bd", {"content-type": FORM},
    ),
    "-G puts data into the query": (
        "curl -G https://a.test/x?z=0 -d a=1 --data-urlencode 'q=a b'", "GET",
        "/x?z=0&a=1&q=a+b", b"", {},
    ),
    "--url-query": ("curl --url-query a=1 --url https://a.test/", "GET", "/?a=1", b"", {}),
    "-I": ("curl -I https://a.test/x", "HEAD", "/x", b"", {}),
    "a user": ("curl -u sk_test_1: https://a.test/", "GET", "/", b"",
               {"authorization": f"Basic {BASIC}"}),
    "a bearer token, an agent and a cookie": (
        "curl --oauth2-bearer t -A me -b a=1 https://a.test/", "GET", "/", b"",
        {"authorization": "Bearer t", "user-agent": "me", "cookie": "a=1"},
    ),
    "a header that is taken away, and an empty one": (
        "curl -H 'Content-Type:' -H 'X-Empty;' -d a https://a.test/", "POST", "/", b"a",
        {"x-empty": ""},
    ),
    "options that change nothing": (
        "curl -k --compressed --max-time 5 -o out.json --no-progress-meter https://a.test/",
        "GET", "/", b"", {},
    ),
    "lines that go on": (
        "curl 'https://a.test/x' \\\n  -H 'Accept: */*' \\\r\n  -X PATCH", "PATCH", "/x", b"",
        {"accept": "*/*"},
    ),
    "a browser's quoting": (
        r"""curl https://a.test/ --data-raw $'{"a":"it\'s \u0021 \xc3\xa9 \ud83d\ude00\n"}'""",
        "POST", "/", '{"a":"it\'s ! é 😀\n"}'.encode(), {"content-type": FORM},
    ),
    "double quotes": (
        r'''curl https://a.test/ -d "{\"a\": \"\$1\", 'b'}"''', "POST", "/",
        b"""{"a": "$1", 'b'}""", {"content-type": FORM},
    ),
    "words glued together": ("curl https://a.test/'a'\"b\"c", "GET", "/abc", b"", {}),
    "a comment": ("curl https://a.test/ # that is all", "GET", "/", b"", {}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "method", "target", "body", "headers"), COMMANDS.values(), ids=COMMANDS
)
def test_commands(
    command: str, method: str, target: str, body: bytes, headers: dict[str, str]
) -> None:
    """The request is what curl would send."""
    request = parse_curl(command)

    fields = {name.decode(): value.decode() for name, value in request.fields.items()}
    assert (request.method, request.target.decode(), request.body) == (method, target, body)
    assert request.authority.host == "a.test"
    assert fields == headers


def test_a_form_with_a_file() -> None:
    """Parts have their names; of a file nothing is read."""
    request = parse_curl("curl https://a.test/ -F a=1 -F 'f=@/etc/passwd;type=text/plain'")

    assert request.method == "POST"
    assert request.fields[b"content-type"].decode().endswith(BOUNDARY)
    assert request.body is not None
    assert request.body.count(BOUNDARY.encode()) == 3
    assert b'name="a"\r\n\r\n1\r\n' in request.body
    assert b'name="f"; filename="file"\r\n\r\n\r\n' in request.body


REFUSED: dict[str, tuple[str, str]] = {
    "another program": ("wget https://a.test/", "begin with `curl`"),
    "nothing": ("", "begin with `curl`"),
    "no URL": ("curl -X POST", "no URL"),
    "two URLs": ("curl https://a.test/ https://b.test/", "several URLs"),
    "a space in the URL": ("curl 'https://a.test/a b'", "encode it"),
    "a second command": ("curl https://a.test/; rm -rf x", "outside of quotes"),
    "a URL without quotes": ("curl https://a.test/?a=1&b=2", "in quotes"),
    "an open quote": ("curl 'https://a.test/", "never closed"),
    "an open bash quote": ("curl $'https://a.test/", "never closed"),
    "a backslash at the end": ("curl https://a.test/ \\", "backslash"),
    "an unknown option": ("curl --nonsense https://a.test/", "`--nonsense`"),
    "an unknown letter": ("curl -ß https://a.test/", "`-ß`"),
    "an option without its value": ("curl https://a.test/ -X", "needs a value"),
    "data from a file": ("curl https://a.test/ -d @f.json", "reads a file"),
    "encoded data from a file": ("curl https://a.test/ --data-urlencode a@f", "reads a file"),
    "headers from a file": ("curl https://a.test/ -H @f", "reads a file"),
    "an upload": ("curl -T f https://a.test/", "sends a file"),
    "options from a file": ("curl -K f", "from a file"),
    "no header": ("curl -H nonsense https://a.test/", "no header"),
    "form and data": ("curl -F a=1 -d b=2 https://a.test/", "one command"),
    "another scheme": ("curl ftp://a.test/", "must begin with"),
    "a header that can't be sent": ("curl -H $'a: b\\r\\nc: d' https://a.test/", "can't be sent"),
    "too much": ("curl " + "a" * 4_000_001, "too long"),
    "too many words": ("curl " + "a " * 10_001, "too many words"),
}


@pytest.mark.parametrize(("command", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(command: str, message: str) -> None:
    """Nothing is guessed, and no file is read."""
    with pytest.raises(MalformedRequestError, match=message):
        parse_curl(command)
