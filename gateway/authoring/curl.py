"""Turns a pasted `curl` command into the request that it would send. Sends nothing.

Knows the options that change a request; those that only change how it is sent or shown are
passed over; an option that curl doesn't have, or that reads files, is refused and not guessed.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Sequence
from dataclasses import field
from typing import Final
from urllib.parse import quote, quote_plus

from gateway.authoring.requests import MalformedRequestError, build_request
from gateway.authoring.shell_words import ShellWordsError, shell_words
from gateway.model.dataclass import dataclass
from gateway.model.exchange import HttpRequest

FORM: Final = "application/x-www-form-urlencoded"
BOUNDARY: Final = "------------------------checkrein"

_DATA = ("data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json")
_SHORT: Final = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "A": "user-agent",
    "b": "cookie", "e": "referer", "G": "get", "I": "head", "o": "output", "x": "proxy",
    "m": "max-time", "w": "write-out", "E": "cert", "c": "cookie-jar", "r": "range", "y": "y",
    "Y": "Y", "D": "dump-header", "U": "proxy-user", "C": "continue-at", "T": "upload-file",
    "K": "config", "z": "time-cond", "t": "telnet-option", "Q": "quote", "P": "ftp-port",
}  # fmt: skip
_SHORT_FLAGS: Final = frozenset("kLsSvifgNnqOJRaplj#0123468Z:VhM")
_FLAGS: Final = frozenset(
    {
        "insecure", "location", "location-trusted", "silent", "show-error", "verbose", "include",
        "fail", "fail-with-body", "fail-early", "compressed", "globoff", "no-buffer", "http1.0",
        "http1.1", "http2", "http2-prior-knowledge", "http3", "tlsv1", "tlsv1.0", "tlsv1.1",
        "tlsv1.2", "tlsv1.3", "ipv4", "ipv6", "no-keepalive", "path-as-is", "progress-bar",
        "no-progress-meter", "remote-name", "remote-header-name", "anyauth", "basic", "digest",
        "ntlm", "negotiate", "raw", "styled-output", "tcp-nodelay", "tcp-fastopen", "create-dirs",
        "post301", "post302", "post303", "retry-all-errors", "retry-connrefused", "ssl",
        "ssl-reqd", "disable", "no-alpn", "no-sessionid", "parallel", "tr-encoding", "xattr",
        "crlf", "http0.9", "ssl-no-revoke", "proxytunnel", "trace-time", "form-escape",
    }
)  # fmt: skip
_VALUED: Final = frozenset(
    {
        "request", "header", "form", "form-string", "user", "user-agent", "cookie", "referer",
        "url", "oauth2-bearer", "url-query", "range", *_DATA,
    }
)  # fmt: skip
_PASSED_OVER: Final = frozenset(
    {
        "output", "proxy", "max-time", "write-out", "cert", "cert-type", "key", "key-type", "pass",
        "cookie-jar", "dump-header", "proxy-user", "proxy-header", "connect-timeout", "retry",
        "retry-delay", "retry-max-time", "cacert", "capath", "resolve", "connect-to", "interface",
        "limit-rate", "max-redirs", "ciphers", "tls-max", "tls13-ciphers", "noproxy", "trace",
        "trace-ascii", "stderr", "unix-socket", "max-filesize", "dns-servers", "keepalive-time",
        "local-port", "speed-limit", "speed-time", "y", "Y", "pinnedpubkey", "curves", "rate",
        "output-dir", "expect100-timeout", "happy-eyeballs-timeout-ms", "time-cond", "parallel-max",
        "socks5", "socks5-hostname", "doh-url", "delegation", "preproxy", "proto", "proto-redir",
    }
)  # fmt: skip
"""Options with a value that changes how a request is sent, and not what it says."""
_UNSUPPORTED: Final = {
    "config": "reads options from a file",
    "upload-file": "sends a file",
    "aws-sigv4": "signs the request; paste it with its headers, as `curl -v` shows them",
    "request-target": "changes the path behind the URL's back",
    "next": "begins a second request; paste one command for each",
    "variable": "sets variables",
}


@dataclass(slots=True)
class _Command:
    """The options of a command that say what is sent, as they were read so far."""

    urls: list[str] = field(default_factory=list)
    method: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    data: list[str] = field(default_factory=list)
    form: list[tuple[str, str]] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    is_json: bool = False
    is_get: bool = False
    is_head: bool = False
    has_data: bool = False


def parse_curl(text: str) -> HttpRequest:
    """Read a command as it was pasted from a shell, a document or a browser.

    Raises:
        MalformedRequestError: it can't be read, or would send something that isn't in it.
    """
    try:
        words = shell_words(text)
    except ShellWordsError as error:
        raise MalformedRequestError(str(error)) from error
    return parse_curl_words(words)


def parse_curl_words(words: Sequence[str]) -> HttpRequest:
    """Read a command whose words are already apart.

    Raises:
        MalformedRequestError: as `parse_curl`.
    """
    rest = list(words)
    while rest and rest[0] in ("$", "%", "sudo", "time", "command"):
        del rest[0]
    if not rest or rest[0].rpartition("/")[2].removesuffix(".exe") != "curl":
        raise MalformedRequestError("the command must begin with `curl`")
    command, words = _Command(), deque(rest[1:])
    while words:
        word = words.popleft()
        if word.startswith("--") and word != "--":
            _read_option(command, word[2:], word, words)
        elif word.startswith("-") and len(word) > 1 and word != "--":
            _read_letters(command, word[1:], words)
        elif word not in ("-", "--"):
            command.urls.append(word)
    return _request_of(command)


# --- options --------------------------------------------------------------------------------------


def _read_letters(command: _Command, letters: str, words: deque[str]) -> None:
    """`-sXPOST`, `-XPOST`, `-sS`: flags, then at most one letter that takes what follows it."""
    for position, letter in enumerate(letters):
        name = _SHORT.get(letter, "")
        if name in ("get", "head"):
            _read_option(command, name, f"-{letter}", words)
        elif name:
            if letters[position + 1 :]:
                words.appendleft(letters[position + 1 :])
            _read_option(command, name, f"-{letter}", words)
            return
        elif letter not in _SHORT_FLAGS:
            raise MalformedRequestError(f"`-{letter}` is no option of curl that is known here")


def _read_option(command: _Command, name: str, shown: str, words: deque[str]) -> None:
    if name == "get":
        command.is_get = True
    elif name == "head":
        command.is_head = True
    elif name in _UNSUPPORTED:
        raise MalformedRequestError(f"`{shown}` {_UNSUPPORTED[name]}")
    elif name in _VALUED or name in _PASSED_OVER:
        if not words:
            raise MalformedRequestError(f"`{shown}` needs a value")
        value = words.popleft()
        if name in _VALUED:
            _take(command, name, value)
    elif name not in _FLAGS and name.removeprefix("no-") not in _FLAGS:
        raise MalformedRequestError(f"`{shown}` is no option of curl that is known here")


def _take(command: _Command, name: str, value: str) -> None:
    match name:
        case "request":
            command.method = value
        case "url":
            command.urls.append(value)
        case "header":
            _take_header(command, value)
        case "user":
            encoded = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
            command.headers.append(("Authorization", f"Basic {encoded}"))
        case "oauth2-bearer":
            command.headers.append(("Authorization", f"Bearer {value}"))
        case "user-agent":
            command.headers.append(("User-Agent", value))
        case "referer":
            command.headers.append(("Referer", value.removesuffix(";auto")))
        case "range":
            command.headers.append(("Range", f"bytes={value}"))
        case "cookie":
            # Without `=` it is the name of a file of cookies.
            command.headers.append(("Cookie", value if "=" in value else "from-file=1"))
        case "url-query":
            command.query.append(value[1:] if value.startswith("+") else _urlencoded(value))
        case "form" | "form-string":
            command.form.append((value, name))
        case _:
            command.has_data = True
            command.is_json = command.is_json or name == "json"
            command.data.append(_data(name, value))


def _take_header(command: _Command, value: str) -> None:
    """`Name: value`; `Name:` takes a header away that curl adds; `Name;` sends it empty."""
    if value.startswith("@"):
        raise MalformedRequestError("`-H @FILE` reads a file; paste the headers themselves")
    name, colon, text = value.partition(":")
    if colon and text.strip():
        command.headers.append((name.strip(), text.strip()))
    elif colon:
        command.removed.add(name.strip().lower())
    elif value.endswith(";"):
        command.headers.append((value[:-1].strip(), ""))
    else:
        raise MalformedRequestError(f"`-H {name}` is no header; write `Name: value`")


def _data(name: str, value: str) -> str:
    if name == "data-urlencode":
        return _urlencoded(value)
    if value.startswith("@") and name != "data-raw":
        raise MalformedRequestError(
            f"`--{name} {value}` reads a file; paste its content, or use `--body {value}`"
        )
    return value


def _urlencoded(value: str) -> str:
    """`text`, `=text`, `name=text`; curl encodes the text only."""
    name, equals, text = value.partition("=")
    if "@" in (name if equals else value):
        raise MalformedRequestError("`name@FILE` reads a file; paste its content")
    if not equals:
        return quote_plus(value)
    return f"{name}={quote_plus(text)}" if name else quote_plus(text)


# --- the request ----------------------------------------------------------------------------------


def _request_of(command: _Command) -> HttpRequest:
    if len(command.urls) != 1:
        raise MalformedRequestError(
            "the command names no URL" if not command.urls else "the command names several URLs"
        )
    if command.form and command.has_data:
        raise MalformedRequestError("`-F` and `-d` can't be in one command")
    url = _with_scheme(command.urls[0])
    body, body_type = _body(command)
    if command.is_get and command.has_data:
        command.query += ["&".join(command.data)]
        body, body_type = b"", ""
    url = _with_query(url, command.query)
    headers = list(command.headers)
    named = {name.lower() for name, _ in headers} | command.removed
    if command.is_json:
        defaults = [("Content-Type", "application/json"), ("Accept", "application/json")]
    else:
        defaults = [("Content-Type", body_type)] if body_type else []
    headers += [pair for pair in defaults if pair[0].lower() not in named]
    method = command.method or (
        "HEAD" if command.is_head else "GET" if command.is_get or not body_type else "POST"
    )
    return build_request(method, url, headers, body)


def _with_scheme(url: str) -> str:
    scheme, _, _ = url.partition("://")
    # A URL from a form or a document; most of what is without a scheme is meant as HTTPS.
    return url if scheme != url and scheme.isalpha() else f"https://{url}"


def _with_query(url: str, pieces: Sequence[str]) -> str:
    """The URL as curl sends it: without its fragment, the path encoded, the query as it stands."""
    url, _, _ = url.partition("#")
    if any(sign in url for sign in " \t\r\n"):
        raise MalformedRequestError("the URL has a space in it; encode it as `%20`")
    path, mark, own = url.partition("?")
    query = "&".join(piece for piece in (own, *pieces) if piece)
    path = quote(path, safe="!$%&'()*+,/:;=@[]~")
    return f"{path}?{query}" if query or mark else path


def _body(command: _Command) -> tuple[bytes, str]:
    if command.form:
        return _multipart(command.form), f"multipart/form-data; boundary={BOUNDARY}"
    if not command.has_data:
        return b"", ""
    joined = ("" if command.is_json else "&").join(command.data)
    return joined.encode("utf-8", "surrogatepass"), FORM


def _multipart(fields: Sequence[tuple[str, str]]) -> bytes:
    """The parts of a form, with nothing in the place of files: what they hold is never read."""
    parts = []
    for text, option in fields:
        name, _, value = text.partition("=")
        is_file = option == "form" and value[:1] in ("@", "<")
        disposition = f'form-data; name="{name}"' + ('; filename="file"' if is_file else "")
        content = "" if is_file else value
        parts.append(f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n")
    return f"{''.join(parts)}--{BOUNDARY}--\r\n".encode("utf-8", "surrogatepass")
