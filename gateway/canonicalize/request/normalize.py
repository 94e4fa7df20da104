"""Turns a raw target into path segments for matching; refuses what is ambiguous.

The raw target is what is sent, because signatures cover it. So nothing is repaired here: percent
encoding that every server reads alike is decoded for matching, and whatever would have to be
respelled to be safe is refused. Never returns a path that two servers could split differently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import product
from urllib.parse import unquote_to_bytes

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError

TARGET_BYTES_MAX = 16_384
"""Twice what common servers take; a longer one is nobody's honest request."""
SEGMENTS_MAX = 128
"""Bounds the walk through the trie. S3 keys, the deepest paths, rarely pass 20."""

_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9_~!$&'()*+,=:@/.-]*")
_RAW_PATH = re.compile(rb"/[A-Za-z0-9_~!$&'()*+,=:@/.%-]*")
_DOT_SEGMENT = re.compile(rb"/\.{1,2}(?:/|$)")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_AGAIN = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
_STRUCTURAL = "/\\;%?#"


def _spellings(name: str) -> set[bytes]:
    """A header name with each dash also as an underscore: CGI folds the two into one."""
    parts = name.split("-")
    return {
        "".join(f"{part}{dash}" for part, dash in zip(parts, (*dashes, ""), strict=True)).encode()
        for dashes in product("-_", repeat=len(parts) - 1)
    }


_METHOD_HEADERS = frozenset().union(
    *map(
        _spellings,
        (
            "x-http-method-override", "x-http-method", "x-method-override", "x-method",
            "http-method-override", "x-original-method", "x-forwarded-method",
        ),
    )
)  # fmt: skip
_PATH_HEADERS = frozenset().union(
    *map(
        _spellings,
        (
            "x-original-url", "x-rewrite-url", "x-original-uri", "x-forwarded-uri",
            "x-forwarded-path", "x-override-url", "x-http-destinationurl",
            "x-http-path-override",
        ),
    )
)  # fmt: skip
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
_OVERRIDES = _METHOD_HEADERS | _PATH_HEADERS


def split_target(target: bytes, *, keeps_slashes: bool = False) -> tuple[list[str], str]:
    """Give the decoded path segments and the raw query. A trailing slash gives a last empty one.

    `keeps_slashes`: an encoded slash is taken for a part of its segment, which may so have a `/`;
    the caller must refuse it where that makes a difference.

    Raises:
        AmbiguityError: `ambiguous_path`.
    """
    if len(target) > TARGET_BYTES_MAX:
        raise AmbiguityError(ambiguity.PATH, "the request target is too long")
    path, _, query = target.partition(b"?")
    # `find`, since `in` takes what it looks for as a number first, and fails: twice the time.
    if path.find(b"//") >= 0 or (path.find(b"/.") >= 0 and _DOT_SEGMENT.search(path)):
        raise AmbiguityError(ambiguity.PATH, "the path has empty or dot segments")
    try:
        text = query.decode("ascii")
    except UnicodeDecodeError:
        raise AmbiguityError(ambiguity.QUERY, "the query has bytes outside ASCII") from None
    if _PLAIN_PATH.fullmatch(path):
        segments = path.decode("ascii").split("/")[1:]
    elif _RAW_PATH.fullmatch(path):
        signs = _BUT_SLASH if keeps_slashes else _SEPARATORS
        segments = [_decode_segment(part, signs) for part in path.decode("ascii").split("/")[1:]]
    else:
        raise AmbiguityError(ambiguity.PATH, "the path has characters that must be encoded")
    if len(segments) > SEGMENTS_MAX:
        raise AmbiguityError(ambiguity.PATH, "the path has too many segments")
    return segments, text


def trimmed(segments: Sequence[str]) -> Sequence[str]:
    """Without the empty segment of a trailing slash, which servers ignore."""
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments


_SEPARATORS = "/\\;?#"
_BUT_SLASH = "\\;?#"


def _decode_segment(part: str, separators: str) -> str:
    if "%" not in part:
        return part
    if _BROKEN_PERCENT.search(part):
        raise AmbiguityError(ambiguity.PATH, "the path has broken percent encoding")
    try:
        text = unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguityError(ambiguity.PATH, "the path is not UTF-8") from None
    if any(sign in text for sign in separators):
        raise AmbiguityError(ambiguity.PATH, "the path has encoded separators")
    if _CONTROL.search(text):
        raise AmbiguityError(ambiguity.PATH, "the path has encoded control characters")
    if _DOTS.search(text) or _ENCODED_AGAIN.search(text):
        raise AmbiguityError(ambiguity.PATH, "the path is encoded twice or has encoded dots")
    if not text.isascii():
        _check_folding(text)
    return text


def _check_folding(text: str) -> None:
    """Full-width and similar forms become slashes and dots on servers that fold (best fit)."""
    folded = unicodedata.normalize("NFKC", text)
    if folded in (".", "..") or any(folded.count(sign) != text.count(sign) for sign in _STRUCTURAL):
        raise AmbiguityError(ambiguity.PATH, "the path has look-alikes of separators")


def check_overrides(method: str, fields: Mapping[bytes, bytes]) -> None:
    """Refuse what makes some servers act on another method or another path.

    Raises:
        AmbiguityError: `ambiguous_method` or `ambiguous_path`.
    """
    if not method.isupper() and method.upper() in _METHODS:
        raise AmbiguityError(ambiguity.METHOD, "a method in lower case, which some servers raise")
    if _OVERRIDES.isdisjoint(fields):
        return
    if not _PATH_HEADERS.isdisjoint(fields):
        raise AmbiguityError(ambiguity.PATH, "a header asks for another path")
    for name in _METHOD_HEADERS & fields.keys():
        if fields[name].strip().upper() != method.encode():
            raise AmbiguityError(ambiguity.METHOD, "a header asks for another method")
