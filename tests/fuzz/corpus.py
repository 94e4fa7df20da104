"""Inputs that are kept: one folder for each target, one file for each input, named by its digest.

What was once found, or reached far, is tried again by every run and by the test suite.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.fuzz.target import Target

CORPUS = Path(__file__).with_name("corpus")


def kept(target: Target) -> list[bytes]:
    """The inputs of a target, in a fixed order."""
    return [path.read_bytes() for path in sorted((CORPUS / target.name).glob("*"))]


def keep(target: Target, data: bytes) -> Path:
    """Keep an input for ever after."""
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.write_bytes(data)
    return path
