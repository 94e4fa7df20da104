"""Tries a policy before it is in force: what is wrong with it, whether its cases hold, and what it
would have changed in what was recorded. Nothing is kept.

INVARIANT(bounded): each question has a limit on its input, on its time, and on how many are worked
on at once; an answer that is not complete says so. The proofs and the replay are imported by the
first question that needs them: a start does without.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.policies.activation import find_policy, find_version
from controlplane.services.policies.bundle_check import BundleFiles
from controlplane.services.policies.bundles import BundleService, InForce
from controlplane.services.policies.content import PolicyContent, compose
from controlplane.services.policies.drafts import DraftReader, Read, invalid_policy
from controlplane.services.policies.findings import (
    EXAMPLES_MAX,
    Changes,
    Tried,
    Warned,
    changes_of,
    tried_of,
    warned_of,
)
from controlplane.store.policies import PolicyStore
from gateway.decide.bundle import Bundle
from gateway.decide.loader import make_bundle
from gateway.model.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from gateway.authoring.policies.replay.tally import Replay

LINT_RULES_MAX = 200
LINT_LITERALS_MAX = 300_000
"""How much of a policy is held against itself while somebody types: half a second of work at the
most. The largest shipped policy takes a fifth of it, and a few lines could take minutes."""

CASES_CHARS_MAX = 512 * 1024
CASES_SECONDS_MAX = 5.0
"""Shipped cases take milliseconds; each of many is asked of each of many rules."""

CASES_FILE = "policy.cases.yaml"

PREVIEW_COUNT = 10_000
PREVIEW_COUNT_MAX = 100_000
PREVIEW_SECONDS_MAX = 8.0
"""A replay decides some ten thousand a second; what is not done by then is said to be left out."""

PREVIEW_PAGE_COUNT = 1_000
"""Lines that are in memory at once: some megabytes."""

AT_ONCE_MAX = 2
"""Questions worked on at once, of all tenants: each takes a core from requests that can't wait."""

WAITING_SECONDS_MAX = 10.0
"""How long a question waits for its turn before it is told to come again."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """What somebody asks about: a document, or where `policy_id` is set a version of that policy;
    `version` None is then its newest draft, or else its newest version."""

    document: str | None = None
    policy_id: uuid.UUID | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """`is_linted` tells whether `warnings` are all there are: where there are problems, or too many
    rules, nobody looked for more."""

    name: str | None
    problems: Sequence[Problem]
    warnings: Sequence[Warned]
    is_linted: bool


@dataclass(frozen=True, slots=True)
class Previewed:
    """`is_compared` tells whether what is active now was decided anew too; where nothing is, the
    recorded decisions stand for it. `is_complete` is False where time ran out."""

    name: str
    changes: Changes
    is_compared: bool
    is_complete: bool
    milliseconds: int


class PolicyPreview:
    def __init__(self, store: PolicyStore, bundles: BundleService, drafts: DraftReader) -> None:
        self._store = store
        self._bundles = bundles
        self._drafts = drafts
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def check(self, caller: Caller, drafted: Drafted) -> Checked:
        """All that is wrong with a policy, and what in it can never happen or should not.

        Raises:
            ControlFault: NOT_FOUND, BUNDLE_UNVERIFIED, POLICY_BUSY.
        """
        async with self._turn():
            read = await self._read(caller, drafted)
            if read.content is None:
                return Checked(None, read.problems, (), is_linted=False)
            warnings, is_linted = await asyncio.to_thread(_warnings, read)
            return Checked(read.content.name, (), warnings, is_linted)

    async def test(self, caller: Caller, drafted: Drafted, cases: str) -> Tried:
        """Run cases against a policy, by itself and with the settings of the tenant.

        Raises:
            ControlFault: NOT_FOUND, POLICY_INVALID for the policy or the cases,
                BUNDLE_UNVERIFIED, POLICY_BUSY.
        """
        if len(cases) > CASES_CHARS_MAX:
            message = f"the cases are longer than {CASES_CHARS_MAX} characters"
            raise invalid_policy([Problem(CASES_FILE, 0, 0, message, "split them")])
        async with self._turn():
            read = await self._read(caller, drafted)
            _demand(read)
            try:
                return await asyncio.to_thread(_run_cases, read, cases)
            except ConfigurationError as error:
                raise invalid_policy(error.problems) from error

    async def preview(
        self, caller: Caller, drafted: Drafted, count: int = PREVIEW_COUNT
    ) -> Previewed:
        """What the newest `count` decisions would have come to with this policy in its place.

        Raises:
            ControlFault: NOT_FOUND, POLICY_INVALID, BUNDLE_INVALID where it can't stand beside the
                active ones, BUNDLE_UNVERIFIED, POLICY_BUSY.
        """
        async with self._turn():
            started = time.monotonic()
            content = _demand(await self._read(caller, drafted))
            in_force = await self._bundles.in_force(caller.tenant_id)
            candidate, baseline = await self._candidates(caller.tenant_id, in_force, content)
            replay = _replay_of(candidate, baseline)
            replay.tally.examples_max = EXAMPLES_MAX
            deadline = started + PREVIEW_SECONDS_MAX
            is_complete = await self._replay(caller.tenant_id, replay, count, deadline)
            changes = changes_of(replay.tally)
            milliseconds = int((time.monotonic() - started) * 1000)
            return Previewed(content.name, changes, baseline is not None, is_complete, milliseconds)

    async def _candidates(
        self, tenant_id: uuid.UUID, in_force: InForce, content: PolicyContent
    ) -> tuple[Bundle, Bundle | None]:
        """The active set with this one in its place, and the active set; None where there is
        none."""
        documents = {one.name: one.document for one in await self._store.active(tenant_id)}
        if not documents:
            # It was published before there were policies.
            documents = {
                name: one.says.document for name, one in in_force.contents.policies.items()
            }
        settings, mappers = in_force.contents.settings, in_force.files.mappers
        changed = {**documents, content.name: content.says.document}
        files = BundleFiles(compose(changed, settings), mappers)
        await self._bundles.check(files)

        def make() -> tuple[Bundle, Bundle | None]:
            candidate = _bundle_of(files)
            if not documents:
                return candidate, None
            return candidate, _bundle_of(BundleFiles(compose(documents, settings), mappers))

        return await asyncio.to_thread(make)

    async def _replay(
        self, tenant_id: uuid.UUID, replay: Replay, count: int, deadline: float
    ) -> bool:
        """Decide page by page; whether all of them could be."""
        before: int | None = None
        left = count
        while left > 0:
            page = await self._store.recent_decisions(
                tenant_id, before, min(left, PREVIEW_PAGE_COUNT)
            )
            if not page:
                return True
            before = page[-1][0]
            left -= len(page)
            if not await asyncio.to_thread(_take, replay, [line for _, line in page], deadline):
                return False
        return True

    async def _read(self, caller: Caller, drafted: Drafted) -> Read:
        name, document = "policy", drafted.document
        if drafted.policy_id is not None:
            name, document = await self._stored(caller, drafted.policy_id, drafted.version)
        assert document is not None
        return await self._drafts.read(caller.tenant_id, f"{name}.yaml", document)

    async def _stored(
        self, caller: Caller, policy_id: uuid.UUID, number: int | None
    ) -> tuple[str, str]:
        policy = await find_policy(self._store, caller, policy_id)
        wanted = number or policy.draft_version or policy.newest_version
        version = await find_version(self._store, caller, policy_id, wanted)
        assert version.document is not None
        return policy.name, version.document

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAITING_SECONDS_MAX):
                await self._turns.acquire()
        except TimeoutError:
            message = "too many policies are tried at once; try again"
            raise ControlFault(Fault.POLICY_BUSY, message) from None
        try:
            yield
        finally:
            self._turns.release()


def _demand(read: Read) -> PolicyContent:
    if read.content is None:
        raise invalid_policy(read.problems)
    return read.content


def _replay_of(candidate: Bundle, baseline: Bundle | None) -> Replay:
    from gateway.authoring.policies.replay.tally import Replay

    return Replay(candidate, baseline)


def _warnings(read: Read) -> tuple[list[Warned], bool]:
    from gateway.authoring.policies.lint.rules import lint_within

    policies = [one for one in read.documents.policies if one.place.file == read.file]
    if sum(len(policy.rules) for policy in policies) > LINT_RULES_MAX:
        return [], False
    organisation = read.documents.organisation
    groups = frozenset[str]() if organisation is None else organisation.approver_groups
    found, is_complete = lint_within(policies, groups, LINT_LITERALS_MAX)
    return warned_of(found), is_complete


def _run_cases(read: Read, cases: str) -> Tried:
    from gateway.authoring.policies.cases import try_cases

    documents = read.documents
    policies = [one for one in documents.policies if one.place.file == read.file]
    bundle = Bundle.of(policies, documents.organisation, documents.baseline)
    deadline = time.monotonic() + CASES_SECONDS_MAX
    report = try_cases(bundle, CASES_FILE, cases, lambda: time.monotonic() > deadline)
    return tried_of(report)


def _bundle_of(files: BundleFiles) -> Bundle:
    """Of files that were checked: their names need no second look."""
    return make_bundle([(one.name, one.text) for one in files.documents])


def _take(replay: Replay, lines: Sequence[str], deadline: float) -> bool:
    """Replay lines until the deadline; whether all of them were."""
    for line in lines:
        if time.monotonic() > deadline:
            return False
        replay.take(line.encode("utf-8", "surrogatepass"))
    return True
