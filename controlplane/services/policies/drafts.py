"""Reads one policy's document as it would be read in the tenant's bundle: with the names of its
mappers, and beside what the organisation says of itself.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.faults import ControlFault, Fault
from controlplane.services.policies.bundle_check import problems_fault
from controlplane.services.policies.bundles import BundleService, InForce
from controlplane.services.policies.content import PolicyContent, content_of
from gateway.decide.documents.document import parse_documents
from gateway.decide.loader import Documents, parse_sources
from gateway.model.errors import Problem
from gateway.model.vocabulary import Vocabulary

DOCUMENT_CHARS_MAX = 512 * 1024
"""Of one policy that is written here, some thousand rules: it is parsed while a person waits."""

FILE = "policy.yaml"
"""What problems call a document that came without a name."""


@dataclass(frozen=True, slots=True)
class Read:
    """A document and all that it says; `content` is None where there are problems."""

    file: str
    text: str
    documents: Documents
    content: PolicyContent | None
    problems: Sequence[Problem]


class DraftReader:
    def __init__(self, bundles: BundleService) -> None:
        self._bundles = bundles

    async def read(self, tenant_id: uuid.UUID, file: str, text: str) -> Read:
        """Read a document, and say all that is wrong with it.

        Raises:
            ControlFault: BUNDLE_UNVERIFIED: there is nothing to read it beside.
        """
        in_force = await self._bundles.in_force(tenant_id)
        return await asyncio.to_thread(self._read, in_force, file, text)

    async def demand(self, tenant_id: uuid.UUID, file: str, text: str) -> PolicyContent:
        """Read a document that has to be right.

        Raises:
            ControlFault: POLICY_INVALID, with every problem; BUNDLE_UNVERIFIED.
        """
        read = await self.read(tenant_id, file, text)
        if read.content is None:
            raise invalid_policy(read.problems)
        return read.content

    def _read(self, in_force: InForce, file: str, text: str) -> Read:
        if len(text) > DOCUMENT_CHARS_MAX:
            message = f"the policy is longer than {DOCUMENT_CHARS_MAX} characters"
            problem = Problem(file, 0, 0, message, "publish it as a file, or write two policies")
            return Read(file, text, Documents(), None, [problem])
        vocabulary = self._bundles.checker.vocabulary(in_force.files.mappers, [])
        return read_document(file, text, in_force, vocabulary)


def read_document(file: str, text: str, in_force: InForce, vocabulary: Vocabulary | None) -> Read:
    """Read one document. Slow: for a thread."""
    found: list[Problem] = []
    # A settings file has a name here that no draft can have.
    beside = [(f"settings/{one.name}", one.text) for one in in_force.contents.settings]
    documents = parse_sources([(file, text), *beside], vocabulary, found)
    problems = [problem for problem in found if problem.file == file]
    if not problems:
        problems = _more_than_one(file, text, documents)
    content = None if problems else content_of(documents.policies[0], text)
    return Read(file, text, documents, content, problems)


def _more_than_one(file: str, text: str, documents: Documents) -> list[Problem]:
    """A policy's document holds one policy, so that it has one history."""
    count = sum(1 for _ in parse_documents(text, file))
    if count == 1 and len(documents.policies) == 1:
        return []
    message = "a policy's document holds one policy, and nothing else"
    return [Problem(file, 1, 1, message, "publish settings with `checkrein bundles publish`")]


def invalid_policy(problems: Sequence[Problem]) -> ControlFault:
    """The fault that carries what is wrong with a document."""
    return problems_fault(Fault.POLICY_INVALID, "policy", "kept", problems)
