"""The one way in which reading a request fails: two servers could read it differently.

Raised inside this stage only; `canonicalizer` turns it into a refused `Canonical`.
"""

from __future__ import annotations


class AmbiguityError(Exception):
    """`code` is what the agent and the record see; `detail` is its sentence, without values."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


PATH = "ambiguous_path"
QUERY = "ambiguous_query"
METHOD = "ambiguous_method"
HEADER = "ambiguous_header"
BODY = "ambiguous_body"
CONTENT_TYPE = "ambiguous_content_type"
ENCODING = "ambiguous_encoding"
OPERATION = "ambiguous_operation"
BODY_TOO_LARGE = "body_too_large"
TOO_MANY_ACTIONS = "too_many_actions"
