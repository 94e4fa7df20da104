"""Makes sure that a fresh installation can be used: a tenant, its first keys, an agent.

Repeatable: a key given by the operator or found in its file is kept and, where the database does
not know it, added; a lost file gets a new key. The only place that writes keys to disk.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from controlplane.auth import Permission, hash_key, is_usable_key, key_prefix, mint_key
from controlplane.faults import StartError
from controlplane.private_file import create_private
from controlplane.settings import BootstrapKeys
from controlplane.store.agents import AgentStore
from controlplane.store.keys import KeyStore, NewKey

TENANT = "default"
AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What a fresh installation has. A file is None where its key was given by the operator."""

    tenant_id: uuid.UUID
    admin_key_file: Path | None
    gateway_key_file: Path | None
    agent_key_file: Path | None


async def bootstrap(
    keys: KeyStore, agents: AgentStore, given: BootstrapKeys, data_dir: Path | None
) -> Bootstrapped:
    """Make what is missing.

    Raises:
        StartError: a key file can't be read, written or used.
    """
    tenant_id = await keys.ensure_tenant(TENANT)
    agent = await agents.insert(tenant_id, AGENT, "{}") or await agents.find(tenant_id, AGENT)
    assert agent is not None
    files: list[Path | None] = []
    for role, key, permission, agent_id in (
        ("admin", given.admin, Permission.ADMIN, None),
        ("gateway", given.gateway, Permission.GATEWAY, None),
        ("agent", given.agent, Permission.AGENT, agent.agent_id),
    ):
        file = data_dir / f"{role}.key" if data_dir is not None and key is None else None
        files.append(file)
        if key is None:
            if file is None:
                continue  # the agent's key is optional without a data directory
            key = _key_of_file(file, role)  # noqa: PLW2901
        new = NewKey(tenant_id, role, key_prefix(key), hash_key(key), (permission.value,), agent_id)
        await _ensure_key(keys, new)
    return Bootstrapped(tenant_id, *files)


def _key_of_file(file: Path, role: str) -> str:
    """The key in the file; a new one, written there, when there is none."""
    try:
        text = create_private(file, mint_key(role) + "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            "bootstrap.key_file",
            f"the key file `{file}` can't be used",
            "make its folder writable for this user, or choose another data directory",
        ) from error
    key = text.strip()
    if not is_usable_key(key):
        raise StartError(
            "bootstrap.bad_key",
            f"`{file}` holds no usable key",
            "delete the file to get a new key",
        )
    return key


async def _ensure_key(keys: KeyStore, new: NewKey) -> None:
    if await keys.insert(new) is not None:
        return
    owner = await keys.owner_of(new.hash)
    assert owner is not None
    wanted = (new.tenant_id, new.permissions, new.agent_id, False)
    if (owner.tenant_id, owner.permissions, owner.agent_id, owner.is_revoked) != wanted:
        raise StartError(
            "bootstrap.key_taken",
            f"the {new.name} key `{new.prefix}...` is revoked or known for another purpose",
            "give another key, or delete its file to get a new one",
        )
