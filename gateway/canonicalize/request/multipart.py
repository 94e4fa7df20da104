"""Takes a multipart body apart into its parts, strictly (RFC 2046, RFC 7578), in linear time.

What two parsers would cut differently is refused: a delimiter that is not a line of its own, text
before the first or behind the last one, mixed line ends, folded or repeated headers, encodings.
Never decodes a transfer encoding, and never looks into a part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.pairs import Pairs
from gateway.model.dataclass import dataclass

PARTS_MAX = 1_000
"""Google and Microsoft take 1,000 and 20 requests in one batch; forms have fewer fields."""
HEADERS_MAX = 32
HEADER_BYTES_MAX = 16_384

_BOUNDARY = re.compile(
    rb"[0-9A-Za-z'()+_./:=?-](?:[0-9A-Za-z'()+_./:=? -]{0,68}[0-9A-Za-z'()+_./:=?-])?"
)
_PARAMETER = re.compile(rb';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\]*)"|([^\s;"]+))\s*')
_FIELD_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_BARE_VALUE = re.compile(rb"[!#$%&*+.^_`|~0-9A-Za-z-]{1,128}")
"""A token, without the apostrophe: PHP takes it for a quotation mark, others for a part of it."""
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN_TRANSFER = frozenset({b"", b"7bit", b"8bit", b"binary"})
_TEXT_TYPES = frozenset({b"", b"text/plain", b"application/json"})


@dataclass(frozen=True, slots=True)
class Part:
    """`fields` are its headers by lower-case name; `eol` is the line end of the whole body."""

    fields: Mapping[bytes, bytes]
    body: bytes
    eol: bytes


def parse_multipart(body: bytes, content_type: bytes) -> list[Part]:
    """Cut a body at its delimiters.

    Raises:
        AmbiguityError: `ambiguous_body` or `ambiguous_encoding`.
    """
    delimiter = b"--" + _boundary(content_type)
    for eol in (b"\r\n", b"\n"):
        if body.startswith(eol + delimiter):
            body = body[len(eol) :]
        if body.startswith(delimiter + eol):
            break
    else:
        raise _refusal("it does not begin with its delimiter")
    pieces = (eol + body).split(eol + delimiter, PARTS_MAX + 2)
    if len(pieces) > PARTS_MAX + 2:
        raise _refusal("it has too many parts")
    if body.count(delimiter) != len(pieces) - 1:
        raise _refusal("its delimiter stands inside a line")
    last = pieces.pop()
    if last not in (b"--", b"--" + eol):
        raise _refusal("it is never closed, or goes on behind its end")
    if eol == b"\n" and any(piece.endswith(b"\r") for piece in pieces):
        raise _refusal("its line ends are mixed")
    return [_part(piece, eol) for piece in pieces[1:]]


def _boundary(content_type: bytes) -> bytes:
    found = parameters_of(content_type).get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(found):
        raise _refusal("it has no boundary")
    return found


def parameters_of(value: bytes) -> dict[bytes, bytes]:
    """The parameters of a header such as `form-data; name="a"`, names in lower case.

    Raises:
        AmbiguityError: one is there twice, or malformed.
    """
    found: dict[bytes, bytes] = {}
    _, semicolon, rest = value.partition(b";")
    rest = semicolon + rest
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            raise _refusal("a header parameter is malformed")
        name = match.group(1).lower()
        bare = match.group(3)
        if bare is not None and name != b"boundary" and not _BARE_VALUE.fullmatch(bare):
            raise _refusal("a header parameter is malformed")
        if name in found or name.endswith(b"*"):
            raise _refusal("a header parameter is there twice")
        found[name] = match.group(2) if bare is None else bare
        position = match.end()
    return found


def _part(piece: bytes, eol: bytes) -> Part:
    if not piece.startswith(eol):
        raise _refusal("its delimiter is not a line of its own")
    piece = piece[len(eol) :]
    if piece.startswith(eol):
        fields, body = {}, piece[len(eol) :]
    else:
        head, blank, body = piece.partition(eol + eol)
        if not blank:
            raise _refusal("a part has no body")
        fields = parse_fields(head, eol)
    if fields.get(b"content-transfer-encoding", b"").lower() not in _PLAIN_TRANSFER:
        raise AmbiguityError(ambiguity.ENCODING, "a part has a transfer encoding")
    return Part(fields, body, eol)


def parse_fields(head: bytes, eol: bytes) -> dict[bytes, bytes]:
    """Header lines by lower-case name.

    Raises:
        AmbiguityError: one is folded, repeated or malformed.
    """
    if len(head) > HEADER_BYTES_MAX:
        raise _refusal("a part has too large headers")
    fields: dict[bytes, bytes] = {}
    lines = head.split(eol) if head else []
    if len(lines) > HEADERS_MAX:
        raise _refusal("a part has too many headers")
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not _FIELD_NAME.fullmatch(name) or _CONTROL.search(value):
            raise _refusal("a part has a malformed header")
        if name in fields:
            raise _refusal("a part has a header twice")
        fields[name] = value.strip(b" \t")
    return fields


def form_of_parts(parts: list[Part]) -> Pairs:
    """The text fields of `multipart/form-data`; a field that came more than once maps to a list.
    Files are opaque and no values.

    Raises:
        AmbiguityError: a part that is no plain field or file.
    """
    values: dict[str, str | list[str]] = {}
    files: set[str] = set()
    for part in parts:
        name, is_file = _field(part)
        if is_file:
            files.add(name)
            continue
        try:
            text = part.body.decode("utf-8")
        except UnicodeDecodeError:
            raise _refusal("a field is not UTF-8") from None
        if "\x00" in text:
            raise _refusal("a field has a NUL")
        earlier = values.get(name)
        if earlier is None:
            values[name] = text
        elif isinstance(earlier, list):
            earlier.append(text)
        else:
            values[name] = [earlier, text]
    if not files.isdisjoint(values):
        raise _refusal("a field is a text and a file")
    return Pairs(values, ambiguity.BODY)


def _field(part: Part) -> tuple[str, bool]:
    value = part.fields.get(b"content-disposition", b"")
    parameters = parameters_of(value)
    known = parameters.keys() <= {b"name", b"filename"}
    if value.partition(b";")[0].strip().lower() != b"form-data" or not known:
        raise _refusal("a part is no form field")
    try:
        name = parameters.get(b"name", b"").decode("utf-8")
    except UnicodeDecodeError:
        raise _refusal("a field's name is not UTF-8") from None
    if not name or name == "_charset_":
        raise _refusal("a field has no name, or renames the character set")
    media, _, rest = part.fields.get(b"content-type", b"").lower().partition(b";")
    is_text = media.strip() in _TEXT_TYPES
    if rest and is_text and parameters_of(b";" + rest).get(b"charset", b"utf-8") not in _UTF8:
        raise _refusal("a field has another character set")
    # Without a file's name it is a field to most servers, whatever type it claims to have.
    return name, b"filename" in parameters


_UTF8 = frozenset({b"utf-8", b"utf8", b"us-ascii"})


def _refusal(what: str) -> AmbiguityError:
    return AmbiguityError(ambiguity.BODY, f"the multipart body is ambiguous: {what}")
