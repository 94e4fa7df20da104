-- Agents: who may send traffic through a gateway.

-- name: insert
insert into agents (agent_id, tenant_id, name, labels)
values ($1, $2, $3, $4)
on conflict (tenant_id, name) do nothing
returning agent_id, name, labels, enabled, created_at

-- name: find
select agent_id, name, labels, enabled, created_at
from agents where tenant_id = $1 and name = $2

-- name: list
select agent_id, name, labels, enabled, created_at
from agents
where tenant_id = $1 and ($2::text is null or name > $2)
  and ($3::boolean is null or enabled = $3)
order by name limit $4

-- name: set_enabled
update agents set enabled = $3 where tenant_id = $1 and agent_id = $2
returning agent_id, name, labels, enabled, created_at

-- name: directory
select a.agent_id, a.name, a.labels,
       coalesce(array_agg(encode(k.key_hash, 'hex') order by k.key_hash)
                filter (where k.key_hash is not null), '{}') as key_hashes
from agents a
left join lateral (
    select s.key_hash from api_keys v, lateral (
        select v.key_hash
        union all
        select f.key_hash from former_secrets f where f.key_id = v.key_id and f.valid_until > now()
    ) s
    where v.tenant_id = a.tenant_id and v.agent_id = a.agent_id
      and v.revoked_at is null and (v.expires_at is null or v.expires_at > now())
) k on true
where a.tenant_id = $1 and a.enabled
group by a.agent_id
order by a.name
