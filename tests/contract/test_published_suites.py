"""The field's published suites, run against our readers. Sources and licences: their package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import parse_json
from gateway.canonicalize.request.normalize import split_target
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority
from tests.fuzz.wire_targets import check_head, understood
from tests.support import published
from tests.support.published import requests

FOLDER = Path(published.__file__).parent
JSONS: dict[str, str] = json.loads((FOLDER / "json_parsing.json").read_text())
URLS: list[tuple[str, str | None, str | None]] = json.loads((FOLDER / "urls.json").read_text())

# --- JSON -----------------------------------------------------------------------------------------

STRICTER = {
    "y_object_duplicated_key": "readers differ on which of the two counts",
    "y_object_duplicated_key_and_value": "as above",
    "y_number_double_close_to_zero": "more digits than any reader keeps",
}
NO_UTF8 = (
    b'["\xe6\x97\xa5\xd1\x88\xfa"]', b'["\xed\xa0\x80"]', b'["\xff"]', b'["\xe9"]', b'["\x81"]',
    b'["\xf4\xbf\xbf\xbf"]', b'["\xc0\xaf"]', b'["\xfc\x83\xbf\xbf\xbf\xbf"]', b'["\xe0\xff"]',
    b'["\xfc\x80\x80\x80\x80\x80"]', b"[a\xe5]", b"[\xff]", b"[123\xe5]", b"[1e1\xe5]", b"[0\xe5]",
    b'{"\xb9":"0",}', b'["\\u\xe5"]', b'["\\\xe5"]', b"\xef\xbb{}", b"\xe5", b"\xe9",
    b"\xff\xfe[\x00", "[]".encode("utf-16-be"), "[]".encode("utf-16-le"), '["é"]'.encode("utf-16"),
    b"[" * 100_000, b'[{"":' * 50_000,
)  # fmt: skip


def _takes(data: bytes) -> bool:
    try:
        parse_json(data)
    except AmbiguityError:
        return False
    return True


def test_json_that_must_be_taken_is_taken() -> None:
    """All of JSONTestSuite's y, but for what is refused for a reason that is given."""
    refused = {name for name, text in JSONS.items() if name[0] == "y" and not _takes(text.encode())}

    assert refused == set(STRICTER)


def test_json_that_must_be_refused_is_refused() -> None:
    """All of its n, those that are no UTF-8 and those of many levels among them."""
    texts = [text.encode() for name, text in JSONS.items() if name[0] == "n"]

    assert [data for data in (*texts, *NO_UTF8) if _takes(data)] == []
    assert len(texts) == 174


def test_json_that_may_be_taken_means_the_same_to_all() -> None:
    """Of its i only numbers that vanish are taken; lone surrogates and overflows are not."""
    taken = {name for name, text in JSONS.items() if name[0] == "i" and _takes(text.encode())}

    assert taken == {"i_number_double_huge_neg_exp", "i_number_real_underflow"}


# --- URLs -----------------------------------------------------------------------------------------

ADDRESS = re.compile(r"https?://([^/?#\\]*)([^#]*)", re.IGNORECASE)


def _authority(text: str) -> Authority | None:
    try:
        return parse_authority(text.encode("utf-8", "surrogatepass"), 443)
    except AgentProtocolError:
        return None


def test_authorities_are_browsers_or_refused() -> None:
    """What is taken has the host that the URL standard says; what must fail is refused."""
    wrong, taken = [], 0
    for text, host, _ in URLS:
        found = ADDRESS.match(text)
        ours = _authority(found[1]) if found else None
        taken += ours is not None
        if ours is not None and (host is None or ours.host != host.strip("[]")):
            wrong.append((text, host, ours.host))

    assert wrong == []
    assert taken > 100


def test_paths_are_browsers_or_refused() -> None:
    """What is taken has the segments that the URL standard says."""
    wrong, taken = [], 0
    for text, host, path in URLS:
        found = ADDRESS.match(text)
        if found is None or host is None or path is None:
            continue
        try:
            segments, _ = split_target((found[2] or "/").encode("utf-8", "surrogatepass"))
        except AmbiguityError:
            continue
        taken += 1
        if segments != [unquote(part) for part in path.split("/")[1:]]:
            wrong.append((text, path, segments))

    assert wrong == []
    assert taken > 100


# --- HTTP/1 ---------------------------------------------------------------------------------------

REQUESTS = {
    **{f"llhttp: {name}": data for name, data in requests.LLHTTP.items()},
    **{f"Go: {name}": data for name, data in requests.GO.items()},
    **{f"HTTP Garden: {name}": data for name, data in requests.GARDEN.items()},
}


def _is_taken(data: bytes) -> bool:
    """Whether the bytes begin with a request that would be governed."""
    requests_taken, _ = understood(data, len(data))
    return bool(requests_taken)


@pytest.mark.parametrize("name", REQUESTS)
def test_published_request_is_refused_or_the_same_to_all(name: str) -> None:
    """What we take is the same to strict and lenient servers; we take what has no ornaments."""
    data = REQUESTS[name]
    check_head(data)
    assert _is_taken(data) == (name.partition(": ")[2] in requests.TAKEN)


def test_disguised_coding_is_refused_beside_a_length() -> None:
    """Smuggler's exhaustive list: some server would take the coding, another the length."""
    taken = [
        name
        for name, line in requests.codings()
        if _is_taken(requests.POST + line + b"\r\nContent-Length: 6\r\n\r\n" + b"0\r\n\r\nG")
    ]

    assert taken == []


def test_disguised_coding_alone_is_refused_or_the_same_to_all() -> None:
    """Without a length, only what every server takes for the coding is taken."""
    taken = set()
    for _, line in requests.codings():
        data = requests.POST + line + b"\r\n\r\n1\r\nA\r\n0\r\n\r\n"
        check_head(data)
        if _is_taken(data):
            taken.add(line.lower().replace(b" ", b"").replace(b"\t", b""))

    assert taken == {b"transfer-encoding:chunked"}
