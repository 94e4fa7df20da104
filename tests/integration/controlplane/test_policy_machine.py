"""Policies under any sequence of acts of two replicas, beside a model of what they may do.

Whatever happens, what is active is exactly what the newest bundle holds (Hypothesis).
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import hypothesis.strategies as st
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import tests.support.drawn  # noqa: F401
from controlplane.auth import Caller, Permission
from controlplane.faults import ControlFault, Fault
from controlplane.services.policies.bundle_check import BundleFiles
from controlplane.services.policies.bundles import BundleService
from controlplane.services.policies.drafts import DraftReader
from controlplane.services.policies.mirror import PolicyMirror
from controlplane.services.policies.versions import PolicyService
from controlplane.services.signing_keys import SigningKey
from controlplane.services.waiting import WaitingRoom, WaitingSettings
from controlplane.store.bundles import BundleStore
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.policies import PolicyFilter, PolicyStore
from controlplane.telemetry import Metrics
from gateway.decide.envelope import NamedText
from gateway.model.policy_version import LEGAL_MOVES, VersionState
from tests.support.bundles import policy
from tests.support.database import open_test_database
from tests.support.silent_bus import SilentBus
from tests.support.tenants import make_tenant

NAMES = ("aaa", "bbb", "ccc")
EFFECTS = ("ALLOW", "BLOCK", "REQUIRE_APPROVAL")
SETTINGS = NamedText(
    "aaa.yaml",
    "apiVersion: checkrein/v1\nkind: Organisation\nmetadata: {name: us}\nspec: {}\n",
)
"""Its name is that of a policy's file, on purpose."""

names, effects = st.sampled_from(NAMES), st.sampled_from(EFFECTS)
replicas = st.integers(0, 1)


class Policies(RuleBasedStateMachine):
    """The machine; a subclass names its database. `model` has the states of each policy's
    versions by its name, `texts` what each version says."""

    server: EmbeddedPostgres
    database_name: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model: dict[str, dict[int, VersionState]] = {}
        self.texts: dict[tuple[str, int], str] = {}
        self.ids: dict[str, uuid.UUID] = {}

    def run(self, what: Any) -> Any:
        return self.loop.run_until_complete(what)

    @initialize()
    def open(self) -> None:
        self.database = self.run(open_test_database(self.server, self.database_name))
        tenant = self.run(make_tenant(self.server, self.database_name))
        self.caller = Caller(tenant, uuid.uuid4(), "who", frozenset({Permission.ADMIN}))
        self.policies = PolicyStore(self.database)
        key = SigningKey.of(Ed25519PrivateKey.generate())
        room = WaitingRoom(SilentBus(), Metrics(), WaitingSettings())
        mirror = PolicyMirror(self.policies)
        self.bundles = [
            BundleService(BundleStore(self.database), SilentBus(), room, key, mirror)
            for _ in range(2)
        ]
        self.services = [
            PolicyService(self.database, self.policies, one, DraftReader(one), SilentBus())
            for one in self.bundles
        ]
        self.publish_files("aaa", "BLOCK", "bbb", "BLOCK")

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.run(self.database.close())
        self.loop.close()

    # --- acts -------------------------------------------------------------------------------------

    @rule(name=names, effect=effects)
    def draft(self, name: str, effect: str) -> None:
        """A new policy, or a new version of one."""
        service, text = self.services[0], policy(name, effect)
        if name in self.ids:
            _, row = self.run(service.draft(self.caller, self.ids[name], text, None))
            number = row.version
        else:
            shown = self.run(service.create(self.caller, "f.yaml", text, "", None))
            self.ids[name], number = shown.policy.policy_id, 1
        self.model.setdefault(name, {})[number] = VersionState.DRAFT
        self.texts[name, number] = text

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), replica=replicas, is_stale=st.booleans())
    def activate(self, data: st.DataObject, replica: int, is_stale: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.ids)))
        number = data.draw(st.sampled_from(sorted(self.model[name])))
        row = self.run(self.policies.get(self.caller.tenant_id, self.ids[name]))
        etag = row.revision - 1 if is_stale else row.revision
        act = self.services[replica].activate(self.caller, self.ids[name], number, etag)
        if is_stale:
            with pytest.raises(ControlFault) as caught:
                self.run(act)
            assert caught.value.fault is Fault.POLICY_CHANGED
            return
        self.run(act)
        states = self.model[name]
        if states[number] is VersionState.ACTIVE:
            return
        if states[number] is VersionState.ARCHIVED:
            text, number = self.texts[name, number], max(states) + 1
            self.texts[name, number] = text
        self.archive(name)
        states[number] = VersionState.ACTIVE

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), replica=replicas)
    def deactivate(self, data: st.DataObject, replica: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.ids)))
        active = self.active()
        act = self.services[replica].deactivate(self.caller, self.ids[name])
        if name in active and len(active) > 1:
            self.run(act)
            self.archive(name)
            return
        with pytest.raises(ControlFault) as caught:
            self.run(act)
        is_active = name in active
        assert caught.value.fault is (
            Fault.POLICY_LAST_ACTIVE if is_active else Fault.POLICY_NOT_ACTIVE
        )

    @rule(name=names, effect=effects, other=names, effect_of_other=effects)
    def publish(self, name: str, effect: str, other: str, effect_of_other: str) -> None:
        self.publish_files(name, effect, other, effect_of_other)

    def publish_files(self, name: str, effect: str, other: str, effect_of_other: str) -> None:
        """These policies and no others, in one file."""
        effects = {name: effect, other: effect_of_other}
        texts = [policy(one, says) for one, says in effects.items()]
        files = BundleFiles((NamedText("all.yaml", "---\n".join(texts)), SETTINGS))
        published = self.run(self.bundles[0].publish(self.caller, files, None))
        before = self.active()
        for gone in before.keys() - effects.keys():
            self.archive(gone)
        for place, (one, text) in enumerate(zip(effects, texts, strict=True)):
            kept = text if place == 0 else f"\n{text}"
            known = before.get(one)
            means_the_same = known is not None and _effect(known) == effects[one]
            if means_the_same and (known == kept or not published.is_new):
                continue
            self.archive(one)
            states = self.model.setdefault(one, {})
            number = max(states, default=0) + 1
            states[number] = VersionState.ACTIVE
            self.texts[one, number] = kept
        self.learn_ids()

    @precondition(lambda self: len(self.ids) >= 2)
    @rule(data=st.data())
    def race(self, data: st.DataObject) -> None:
        """Two replicas at once: each succeeds or is told why not; states move as the table says."""
        acts = []
        for replica in (0, 1):
            name = data.draw(st.sampled_from(sorted(self.ids)))
            number = data.draw(st.sampled_from(sorted(self.model[name])))
            service, policy_id = self.services[replica], self.ids[name]
            acts.append(
                service.activate(self.caller, policy_id, number)
                if data.draw(st.booleans())
                else service.deactivate(self.caller, policy_id)
            )
        came = self.run(_together(acts))
        for one in came:
            if isinstance(one, BaseException):
                assert isinstance(one, ControlFault), one
                assert one.fault in {Fault.POLICY_LAST_ACTIVE, Fault.POLICY_NOT_ACTIVE}
        before, self.model = self.model, self.states()
        for name, states in before.items():
            for number, state in states.items():
                assert self.model[name][number] in _reachable(state)
        for name, states in self.model.items():
            for number in states.keys() - before[name].keys():
                row = self.run(self.policies.version(self.caller.tenant_id, self.ids[name], number))
                self.texts[name, number] = row.document

    # --- what holds -------------------------------------------------------------------------------

    @invariant()
    def what_is_active_is_what_the_bundle_holds(self) -> None:
        if not hasattr(self, "database"):
            return
        in_force = self.run(self.bundles[1].in_force(self.caller.tenant_id))
        active = self.run(self.policies.active(self.caller.tenant_id))
        assert {one.name: one.digest for one in active} == {
            name: one.says.digest for name, one in in_force.contents.policies.items()
        }
        assert [one.text for one in in_force.contents.settings] == [SETTINGS.text]

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        if hasattr(self, "database"):
            assert self.states() == self.model
            rows = self.run(self.policies.active(self.caller.tenant_id))
            assert {one.name: one.document for one in rows} == self.active()

    # --- words ------------------------------------------------------------------------------------

    def active(self) -> dict[str, str]:
        """What is in force, as the model has it."""
        return {
            name: self.texts[name, number]
            for name, states in self.model.items()
            for number, state in states.items()
            if state is VersionState.ACTIVE
        }

    def archive(self, name: str) -> None:
        for number, state in self.model.get(name, {}).items():
            if state is VersionState.ACTIVE:
                self.model[name][number] = VersionState.ARCHIVED

    def learn_ids(self) -> None:
        rows = self.run(self.policies.list(self.caller.tenant_id, PolicyFilter(), None, 100))
        self.ids = {row.name: row.policy_id for row in rows}

    def states(self) -> dict[str, dict[int, VersionState]]:
        return {
            name: {
                row.version: row.status
                for row in self.run(
                    self.policies.versions(self.caller.tenant_id, policy_id, None, 1_000)
                )
            }
            for name, policy_id in self.ids.items()
        }


async def _together(acts: Any) -> Any:
    return await asyncio.gather(*acts, return_exceptions=True)


def _effect(text: str) -> str:
    return next(effect for effect in EFFECTS if f"effect: {effect}" in text)


def _reachable(state: VersionState) -> set[VersionState]:
    found = {state}
    for following in LEGAL_MOVES[state].values():
        found |= _reachable(following)
    return found


def test_any_sequence_of_acts_agrees_with_the_model(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """No order of drafts, activations and publications parts what is active from the bundle."""
    machine = type(
        "Machine", (Policies,), {"server": postgres_server, "database_name": database_name}
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
