"""Who calls, and what the caller may do: keys, permissions, and the one question "may they?".

A key is `cr_<5 characters>_<role>_<43 characters>`; what is stored, compared and logged is its
SHA-256 or its first eight characters, by which people tell keys apart, never the key. Keys of
another form, such as an operator's own, are as good.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controlplane.faults import ControlFault, Fault

KEY_BYTES = 32
"""256 random bits: guessing is hopeless, so no slow hash and no lock-out is needed."""

KEY_START = "cr_"
KEY_PREFIX_LENGTH = 8
_MARK_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_MARK_LENGTH = KEY_PREFIX_LENGTH - len(KEY_START)
"""Read aloud and typed without doubt; 28 million marks are enough to tell a tenant's keys apart."""

KEY_LENGTH_MAX = 200

AGENT_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
"""It travels in proxy credentials, where `+` begins the run and `:` the key."""

KEY_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$")
GROUP = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")

_ROLE = re.compile(r"^[a-z]{1,16}$")


class Permission(StrEnum):
    ADMIN = "Admin"
    APPROVAL_READ = "ApprovalRead"
    APPROVAL_WRITE = "ApprovalWrite"
    RECORD_READ = "RecordRead"
    AGENT_READ = "AgentRead"
    AGENT_WRITE = "AgentWrite"
    POLICY_READ = "PolicyRead"
    POLICY_WRITE = "PolicyWrite"
    RUN_READ = "RunRead"
    RUN_WRITE = "RunWrite"
    INCIDENT_READ = "IncidentRead"
    INCIDENT_WRITE = "IncidentWrite"
    LEARNER_READ = "LearnerRead"
    LEARNER_WRITE = "LearnerWrite"
    GATEWAY = "Gateway"
    AGENT = "Agent"


@dataclass(frozen=True, slots=True)
class Caller:
    """A valid key's bearer. Everything that they touch is of `tenant_id`. `agent` is set where the
    key is an agent's; `groups` are those that a person approves for."""

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    key_name: str
    permissions: frozenset[Permission]
    groups: frozenset[str] = frozenset()
    agent: str | None = None

    @property
    def is_machine(self) -> bool:
        """Whether this is a gateway or an agent. INVARIANT(no-self-approval): such a key answers
        no approval, whatever else it may do."""
        return not self.permissions.isdisjoint({Permission.GATEWAY, Permission.AGENT})

    def person(self, said: str | None) -> str:
        """Who acts. `said` tells apart those who share the installation's admin key; of every
        other key its name stands for the person, whatever is said."""
        is_shared = Permission.ADMIN in self.permissions
        return (said if is_shared else None) or self.key_name


def require_person(caller: Caller, act: str) -> None:
    """Let people alone go on. `act` is what a machine can't do, such as "lift stops".

    Raises:
        ControlFault: FORBIDDEN.
    """
    if caller.is_machine:
        raise machines_cant(act)


def machines_cant(act: str) -> ControlFault:
    """Why a gateway's or an agent's key is refused."""
    return ControlFault(Fault.FORBIDDEN, f"a gateway's or an agent's key can't {act}")


def may(caller: Caller, needed: frozenset[Permission]) -> bool:
    """Whether the caller has one of the needed permissions. Nothing implies another one."""
    return not caller.permissions.isdisjoint(needed)


def mint_key(role: str) -> str:
    """Make a new key. `role` is for people who find one."""
    assert _ROLE.match(role)
    mark = "".join(secrets.choice(_MARK_LETTERS) for _ in range(_MARK_LENGTH))
    return f"{KEY_START}{mark}_{role}_{secrets.token_urlsafe(KEY_BYTES)}"


def hash_key(key: str) -> bytes:
    """SHA-256 of a key, the only form that is stored."""
    return hashlib.sha256(key.encode()).digest()


def key_prefix(key: str) -> str:
    """The characters by which people tell keys apart."""
    return key[:KEY_PREFIX_LENGTH]


def is_usable_key(key: str) -> bool:
    """Whether a key given by an operator is long enough not to be guessed, and plain ASCII."""
    return 24 <= len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()


def read_key(headers: Mapping[str, str]) -> str:
    """Read the key of a request from `x-api-key` or `Authorization: Bearer`.

    Raises:
        ControlFault: UNAUTHENTICATED, when there is none, or two that differ.
    """
    given = set()
    if direct := headers.get("x-api-key", "").strip():
        given.add(direct)
    scheme, _, rest = headers.get("Authorization", "").partition(" ")
    if rest.strip():
        if scheme.lower() != "bearer":
            raise unauthenticated()
        given.add(rest.strip())
    if len(given) != 1:
        raise unauthenticated()
    key = given.pop()
    if len(key) > KEY_LENGTH_MAX or not key.isascii():
        raise unauthenticated()
    return key


def unauthenticated() -> ControlFault:
    """One answer for every reason, so that it tells nothing."""
    return ControlFault(Fault.UNAUTHENTICATED, "Invalid credentials.")
