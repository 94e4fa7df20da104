"""The Kubernetes API, from its generated Python client. It has no host of its own: the mapper names
the usual ones, and a mapper of one's own extends this catalog for another cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.kubernetes.rows import kubernetes_rows
from gateway.authoring.imports.kubernetes.source import load_calls
from gateway.canonicalize.catalog.file import NewSection, Source

PROVIDER = "kubernetes"
SOURCES = (
    Source(
        "pypi",
        "kubernetes",
        "37.0.2",
        "Apache-2.0",
        "d72683392fc10f59fb78b89bd91cb3be60a05d6ff0bbb2150966a224af6edc03",
    ),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: a cluster has all of it. The client itself sends JSON without a content type,
    which is what the server takes such a body for."""
    rows = kubernetes_rows(load_calls(folders["kubernetes"]))
    return [NewSection("kubernetes", rows, facts={"untyped_body": "json"})]
