"""Leaves out of a body what a client makes up anew for each try: idempotency tokens.

An approval is bound to the exact act. SDKs fill in such a token by themselves, so that the same
call, made again after its approval, would be another act. Only whole top-level values of keys that
a mapper calls volatile are left out; everything else stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import MediaType
from gateway.canonicalize.request.reader import RequestReader


def stable_body(reader: RequestReader, names: Collection[str]) -> bytes | None:
    """The body without volatile values; None where it has none, or can't be told what it has."""
    body = reader.request.body
    if not body or not any(name.encode() in body for name in names):
        return None
    if reader.media is MediaType.FORM:
        kept = [part for part in body.split(b"&") if _key_of(part) not in names]
        return b"&".join(kept)
    return _stable_json(reader, body, names) if reader.media is MediaType.JSON else None


def _key_of(part: bytes) -> str:
    return part.partition(b"=")[0].decode("latin-1")


def _stable_json(reader: RequestReader, body: bytes, names: Collection[str]) -> bytes | None:
    try:
        value = reader.json
    except AmbiguityError:
        # Nothing of this body was read to decide; the approval stays bound to all of it.
        return None
    if not isinstance(value, dict):
        return None
    found = [name for name in names if isinstance(value.get(name), str)]
    for name in found:
        places = list(re.finditer(_PLACE % re.escape(name.encode()), body))
        # The same key deeper down is data. Spelled otherwise at the top (`Client\u0054oken`), the
        # value stays in the body, so that leaving out the deeper one still gives another digest.
        if len(places) != 1 or places[0].group(1).decode() != value[name]:
            return None
        start, end = places[0].span()
        body = body[:start] + body[end:]
    return body if found else None


_PLACE = rb'"%s"\s*:\s*"([A-Za-z0-9_.:/=+-]*)"'
"""A key with its value; a value with escapes is nobody's token."""
