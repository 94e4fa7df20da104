"""How the entry of a request is found where method and path alone don't tell."""

from __future__ import annotations

from enum import StrEnum


class Select(StrEnum):
    """How the entries of a mapper are found. Later families (graphql, jsonrpc) join here."""

    PATH = "path"
    PATH_TAIL = "path-tail"
    AWS = "aws"
