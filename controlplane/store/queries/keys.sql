-- Keys and tenants. Only the SHA-256 of a key is ever stored or asked for.

-- name: find
select k.key_id, k.tenant_id, k.name, k.permissions, k.agent_id, k.groups, a.name as agent
from api_keys k
left join agents a on a.agent_id = k.agent_id
where k.key_hash = $1 and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now())
  and (k.agent_id is null or a.enabled)

-- name: find_by_id
select k.key_id, k.tenant_id, k.name, k.permissions, k.agent_id, k.groups, a.name as agent
from api_keys k
left join agents a on a.agent_id = k.agent_id
where k.tenant_id = $1 and k.key_id = $2 and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now())
  and (k.agent_id is null or a.enabled)

-- name: insert
insert into api_keys (
    key_id, tenant_id, name, key_prefix, key_hash, permissions, agent_id, groups, expires_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (key_hash) do nothing
returning key_id

-- name: list
select k.*, a.name as agent from api_keys k left join agents a using (agent_id)
where k.tenant_id = $1 order by k.created_at desc, k.key_id limit $2

-- name: revoke
update api_keys k set revoked_at = coalesce(revoked_at, now())
where k.tenant_id = $1 and k.key_id = $2
returning k.*, (select name from agents a where a.agent_id = k.agent_id) as agent

-- name: owner_of_hash
select tenant_id, permissions, agent_id, revoked_at from api_keys where key_hash = $1

-- name: touch
update api_keys set last_used_at = now() where key_id = $1

-- name: first_tenant
select tenant_id from tenants order by created_at, tenant_id limit 1

-- name: insert_tenant
insert into tenants (tenant_id, name) values ($1, $2) on conflict (name) do nothing

-- name: alive
select 1
