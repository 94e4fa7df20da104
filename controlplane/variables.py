"""The text of a variable -> its value. Pure.

Each raises ValueError with what is wrong; the text may be a secret and is not repeated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controlplane.auth import is_usable_key
from gateway.process.log_lines import LOG_LEVELS


def parse_headers(text: str) -> tuple[tuple[str, str], ...] | None:
    """`name=value,name=value`, as OpenTelemetry writes them; values may be percent-encoded."""
    pairs = [part.partition("=") for part in parse_list(text)]
    found = tuple((name.strip().lower(), unquote(value.strip())) for name, _, value in pairs)
    if any(
        not re.fullmatch(r"[a-z0-9-]{1,100}", name)
        or not value.isprintable()
        or not value.isascii()
        or not value
        for name, value in found
    ):
        raise ValueError("is not like `name=value,name=value`")
    return found


def parse_bucket(text: str) -> str | None:
    """The name of an S3 bucket."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,62}", text):
        raise ValueError("has other characters than a-z, 0-9, dots and dashes")
    return text


def parse_region(text: str) -> str:
    """The name of a region."""
    if not re.fullmatch(r"[a-z0-9-]{2,40}", text):
        raise ValueError("is no name of a region")
    return text


def parse_prefix(text: str) -> str:
    """A prefix of names: folders, the last one too ending in a slash."""
    if not re.fullmatch(r"(?:[A-Za-z0-9._-]+/)+", text) or len(text) > 200:
        raise ValueError("is not like `folder/` or `folder/folder/`")
    return text


def parse_days_or_never(text: str) -> int:
    """A number of days; 0 for never."""
    return 0 if text == "0" else parse_days(text)


def parse_days(text: str) -> int:
    """A number of days."""
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise ValueError("is not a number of days from 1 to 36500")
    return int(text)


def parse_issuer(text: str) -> str | None:
    """Kept as it is written: tokens name it to the letter."""
    host = urlsplit(text).hostname
    is_private = text.startswith("http://") and host in {"localhost", "127.0.0.1", "::1"}
    if not host or not (text.startswith("https://") or is_private):
        raise ValueError("does not begin with https://")
    return text


def parse_short(text: str) -> str:
    """A short text to show."""
    if len(text) > 40 or not text.isprintable():
        raise ValueError("is longer than 40 characters, or not printable")
    return text


def parse_connections(text: str) -> int:
    """Four are the least with which no caller waits for a long one."""
    if not text.isdecimal() or not 4 <= int(text) <= 500:
        raise ValueError("is not a number of connections from 4 to 500")
    return int(text)


def parse_port(text: str) -> int:
    """A TCP port; 0 takes a free one."""
    if not text.isdecimal() or int(text) > 65_535:
        raise ValueError("is not a port (0 to 65535; 0 takes a free one)")
    return int(text)


def parse_seconds(text: str) -> float:
    """A number of seconds, up to a week."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 7 * 86_400:
        raise ValueError("is not a number of seconds up to 7 days")
    return value


def parse_level(text: str) -> str:
    """A log level's name."""
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"is none of {', '.join(LOG_LEVELS)}")
    return text.upper()


def parse_paths(text: str) -> tuple[Path, ...]:
    """Files and folders, separated as in PATH."""
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def parse_list(text: str) -> tuple[str, ...]:
    """Parts with commas between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_base_url(text: str) -> str:
    """A URL to which paths are added; without a slash at its end."""
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise ValueError("does not begin with https:// or http://")
    return text.rstrip("/")


def parse_key(text: str) -> str | None:
    """A key that the operator chose."""
    if not is_usable_key(text):
        raise ValueError("is no usable key: it needs 24 to 200 printable ASCII characters")
    return text


def parse_url(schemes: tuple[str, ...]) -> Callable[[str], str | None]:
    """A parser of URLs of these schemes."""

    def parse(text: str) -> str | None:
        if not text.startswith(schemes):
            raise ValueError(f"does not begin with {' or '.join(schemes)}")
        return text

    return parse
