"""Publishes the operator's files as a tenant's first bundle, so that the first start is enough."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path

from controlplane.faults import ControlFault, Fault, StartError
from controlplane.services.policies.bundle_check import BundleFiles
from controlplane.services.policies.bundles import BundleService
from gateway.canonicalize.library import load_mapper_files
from gateway.decide.bundle_files import load_named_texts
from gateway.decide.loader import policy_files
from gateway.model.errors import Problem

log = logging.getLogger(__name__)

AUTHOR = "bootstrap"

PROBLEMS_SHOWN_MAX = 20


async def publish_first_bundle(
    bundles: BundleService,
    tenant_id: uuid.UUID,
    policies: Sequence[Path],
    mappers: Sequence[Path],
) -> None:
    """Publish these files if the tenant has no bundle. Of replicas that start at once, one does.

    Raises:
        StartError: the files can't be read or used, or there is no key to sign with.
    """
    if not policies or await bundles.has_any(tenant_id):
        return
    try:
        published = await bundles.publish_first(tenant_id, load_files(policies, mappers), AUTHOR)
    except ControlFault as fault:
        if fault.fault is Fault.UNAVAILABLE:
            raise
        raise _not_published([fault.message, *_lines(fault)]) from fault
    if published is not None and published.row is not None:
        log.info("first bundle published", extra={"detail": published.row.revision})


async def adopt_bundle(bundles: BundleService, tenant_id: uuid.UUID) -> None:
    """Make policies of a bundle from before there were any. What can't be read stays in force as
    it is: somebody publishes its files again."""
    try:
        await bundles.adopt(tenant_id, AUTHOR)
    except ControlFault as fault:
        if fault.fault is Fault.UNAVAILABLE:
            raise
        log.warning("the current bundle's policies are not listed", extra={"detail": fault.message})


def load_files(policies: Sequence[Path], mappers: Sequence[Path]) -> BundleFiles:
    """Read policy and mapper files, or folders of them.

    Raises:
        StartError: with every file that can't be used.
    """
    problems: list[Problem] = []
    documents = load_named_texts(policy_files(policies, problems), problems)
    overlaid = load_named_texts(load_mapper_files(mappers, problems), problems)
    if problems:
        raise _not_published([str(problem) for problem in sorted(problems)])
    return BundleFiles(documents, overlaid)


def _lines(fault: ControlFault) -> list[str]:
    problems = fault.detail.get("problems", [])
    assert isinstance(problems, list)
    return [
        str(Problem(one["file"], one["line"], one["column"], one["message"], one["help"]))
        for one in problems
    ]


def _not_published(lines: Sequence[str]) -> StartError:
    shown = [*lines[:PROBLEMS_SHOWN_MAX]]
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown)} more")
    return StartError(
        "bundle.first",
        "the first bundle can't be published: " + "; ".join(shown),
        "correct the files that CHECKREIN_BOOTSTRAP_POLICIES and CHECKREIN_BOOTSTRAP_MAPPERS name",
    )
