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
from agents where tenant_id = $1 order by name limit $2

-- name: set_enabled
update agents set enabled = $3 where tenant_id = $1 and agent_id = $2
returning agent_id, name, labels, enabled, created_at

-- name: directory
select a.agent_id, a.name, a.labels,
       coalesce(array_agg(encode(k.key_hash, 'hex') order by k.key_hash)
                filter (where k.key_id is not null), '{}') as key_hashes
from agents a
left join api_keys k on k.tenant_id = a.tenant_id and k.agent_id = a.agent_id
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
where a.tenant_id = $1 and a.enabled
group by a.agent_id
order by a.name
