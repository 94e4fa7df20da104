-- Keys and tenants. Only the SHA-256 of a key is ever stored or asked for.

-- name: find
select k.key_id, k.tenant_id, k.name, k.permissions, k.agent_id
from api_keys k
left join agents a on a.agent_id = k.agent_id
where k.key_hash = $1 and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now())
  and (k.agent_id is null or a.enabled)

-- name: insert
insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions, agent_id)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (key_hash) do nothing
returning key_id

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
