-- Keys and tenants. Only the SHA-256 of a key is ever stored or asked for.

-- name: find
select k.key_id, k.tenant_id, k.name, k.permissions, k.agent_id, k.groups, a.name as agent
from (
    select key_id from api_keys where key_hash = $1
    union all
    select key_id from former_secrets where key_hash = $1 and valid_until > now()
) as meant
join api_keys k using (key_id)
left join agents a on a.agent_id = k.agent_id
where k.revoked_at is null
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
select $1, $2, $3, $4, $5::bytea, $6, $7, $8, $9
where not exists (select from former_secrets where key_hash = $5)
on conflict (key_hash) do nothing
returning key_id

-- name: has_prefix
select exists (select from api_keys where tenant_id = $1 and key_prefix = $2) as has

-- name: list
-- $2, $3: the last one seen; $4: those in force alone (true), those that are over (false), or null.
select k.*, a.name as agent from api_keys k left join agents a using (agent_id)
where k.tenant_id = $1
  and ($2::timestamptz is null or (k.created_at, k.key_id) < ($2, $3::uuid))
  and ($4::boolean is null
       or $4 = (k.revoked_at is null and (k.expires_at is null or k.expires_at > now())))
  and ($5::text is null or k.name = $5)
order by k.created_at desc, k.key_id desc limit $6

-- name: rotate
-- One statement: the new secret, and the end of all that were before it. $5: seconds of grace. A key
-- that ends lives as long again as it was given at first.
with old as (
    select key_id, key_hash, expires_at - coalesce(rotated_at, created_at) as life
    from api_keys
    where tenant_id = $1 and key_id = $2 and revoked_at is null
      and (expires_at is null or expires_at > now())
    for update
), cut as (
    update former_secrets f set valid_until = least(valid_until, now() + make_interval(secs => $5))
    from old where f.key_id = old.key_id and f.valid_until > now()
), kept as (
    insert into former_secrets (key_hash, tenant_id, key_id, valid_until)
    select key_hash, $1, key_id, now() + make_interval(secs => $5) from old
)
update api_keys k
set key_hash = $3, key_prefix = $4, rotated_at = now(), expires_at = now() + old.life
from old where k.key_id = old.key_id
returning k.*, (select name from agents a where a.agent_id = k.agent_id) as agent

-- name: get
select k.*, a.name as agent from api_keys k left join agents a using (agent_id)
where k.tenant_id = $1 and k.key_id = $2

-- name: revoke
update api_keys k set revoked_at = coalesce(revoked_at, now())
where k.tenant_id = $1 and k.key_id = $2
returning k.*, (select name from agents a where a.agent_id = k.agent_id) as agent

-- name: owner_of_hash
select tenant_id, permissions, agent_id, revoked_at is not null as is_revoked
from api_keys where key_hash = $1
union all
select k.tenant_id, k.permissions, k.agent_id, k.revoked_at is not null or f.valid_until <= now()
from former_secrets f join api_keys k using (key_id) where f.key_hash = $1

-- name: touch
update api_keys set last_used_at = now() where key_id = $1

-- name: first_tenant
select tenant_id from tenants order by created_at, tenant_id limit 1

-- name: insert_tenant
insert into tenants (tenant_id, name) values ($1, $2) on conflict (name) do nothing

-- name: alive
select 1
