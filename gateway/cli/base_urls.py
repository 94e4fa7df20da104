"""The providers of a gateway's reverse mode -> the variables by which their SDKs take a base URL.

Only variables that an SDK reads by itself, found in its source; others take the URL in code. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.intercept.routes import parse_routes
from gateway.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class _Variable:
    """The SDK appends its paths to the value; some want a part of the path in it already."""

    name: str
    path: str = ""


_VARIABLES = {
    "api.openai.com": _Variable("OPENAI_BASE_URL", "/v1"),
    "api.anthropic.com": _Variable("ANTHROPIC_BASE_URL"),
    "api.groq.com": _Variable("GROQ_BASE_URL"),
    "api.github.com": _Variable("GITHUB_API_URL"),
    "generativelanguage.googleapis.com": _Variable("GOOGLE_GEMINI_BASE_URL"),
}

_IN_CODE = {
    "api.stripe.com": "stripe.api_base = URL",
    "slack.com": 'WebClient(base_url=URL + "/api/")',
}


def base_url_variables(url: str, providers: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Variables, and a remark about each provider that has none. `url` is the gateway's.

    Raises:
        ValueError: `providers` can't be read; they are written as in CHECKREIN_REVERSE.
    """
    variables: dict[str, str] = {}
    remarks: list[str] = []
    for prefix, route in parse_routes(providers).items():
        base = url.rstrip("/") + prefix.decode("ascii")
        host = route.authority.host
        known = _VARIABLES.get(host)
        if known is not None:
            variables[known.name] = base + known.path
        elif host.endswith(".amazonaws.com"):
            remarks.append(
                f"{base}: AWS signs the Host header, which a base URL changes; use the proxy"
            )
        else:
            how = _IN_CODE.get(host, "no variable is known; give it in code")
            remarks.append(f"{base}: {how.replace('URL', repr(base)) if host in _IN_CODE else how}")
    return variables, remarks
