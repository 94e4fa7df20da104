"""Whether a change was asked for by a page of ours, in the browser of whoever is signed in.

Two walls. The browser's own word: `Sec-Fetch-Site` and `Origin` must name this site, and at least
one of them must be there. And a token in every form, made from the session's secret, which no
other site can read or guess.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from controlplane.faults import ControlFault, Fault

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
"""For requests by script, which have no form."""

PURPOSE: Final = "form"


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse what another site made a browser send, and what no browser sent.

    Raises:
        ControlFault: FORBIDDEN.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is None and origin is None:
        raise _refused("a change needs a browser that says where it was made; use the API instead")
    if site is not None and site != "same-origin":
        raise _refused("this was sent by another site")
    # Only the host is compared: behind a proxy that ends TLS the scheme differs.
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("Host", "").lower():
        raise _refused("this was sent by another site")


def check_token(given: str, expected: str) -> None:
    """Refuse a form without the token of this session.

    Raises:
        ControlFault: FORBIDDEN.
    """
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise _refused("this form is from an earlier session; open the page again and retry")


def door_token(cookie: str) -> str:
    """The token of the sign-in form, where there is no session yet: bound to a cookie that the
    same page set."""
    return hmac.new(cookie.encode("utf-8", "replace"), b"door", hashlib.sha256).hexdigest()


def _refused(why: str) -> ControlFault:
    return ControlFault(Fault.FORBIDDEN, why)
