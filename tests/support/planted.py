"""Secrets that a test plants, and the search for them in whatever a product wrote or said.

Every planted text carries one word that nothing else has, so that one look finds any of them, in
any of the spellings in which programs pass text on.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ALPHABET = string.ascii_letters + string.digits
_WORD_CHARS = 12
_CONTEXT = 60


@dataclass(frozen=True, slots=True)
class Planted:
    """`word` is in every secret that `make` makes; `others` are secrets that have no room for
    it."""

    word: str = field(default_factory=lambda: _word())
    others: list[str] = field(default_factory=list)

    def make(self, name: str, prefix: str = "") -> str:
        """A secret under a name by which a leak is told; letters and digits behind the prefix."""
        return f"{prefix}{self.word}{name}"

    def note(self, secret: str) -> str:
        """A secret of its own shape: it is searched for as a whole."""
        self.others.append(secret)
        return secret

    def leaks(self, place: str, data: bytes) -> Iterator[str]:
        """Where in these bytes a secret stands, with what is around it."""
        for secret in (self.word, *self.others):
            for spelling, form in spellings(secret):
                at = data.find(form)
                if at >= 0:
                    around = data[max(0, at - _CONTEXT) : at + len(form) + _CONTEXT]
                    yield f"{place}: {spelling} of `{secret}` in {around!r}"
                    break

    def leaks_in_files(self, folder: Path, exempt: frozenset[str]) -> Iterator[str]:
        """The same in every file below a folder but those whose names say that they are keys."""
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name not in exempt:
                yield from self.leaks(str(path.relative_to(folder)), path.read_bytes())


def spellings(secret: str) -> Iterator[tuple[str, bytes]]:
    """How a text may be written: plain, hexadecimal, percent, JSON escapes, base64 at each of the
    three places in which it may begin, UTF-16, reversed."""
    data = secret.encode()
    yield "plain", data
    yield "lower case", data.lower()
    yield "hex", data.hex().encode()
    yield "upper hex", data.hex().upper().encode()
    yield "percent", "".join(f"%{byte:02x}" for byte in data).encode()
    yield "JSON escapes", "".join(f"\\u{byte:04x}" for byte in data).encode()
    yield "UTF-16", secret.encode("utf-16-le")
    yield "reversed", data[::-1]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data)
        # Both ends depend on what stands beside the secret.
        whole = encoded[4 if shift else 0 : len(encoded) - 4]
        yield "base64", whole
        yield "base64url", whole.translate(bytes.maketrans(b"+/", b"-_"))


def _word() -> str:
    """No English, no hexadecimal: it can't be there by chance."""
    return "Qz" + "".join(secrets.choice(_ALPHABET) for _ in range(_WORD_CHARS))
