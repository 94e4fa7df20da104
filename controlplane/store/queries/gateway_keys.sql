-- Keys that gateways sign with, and what they signed. Nothing here is ever changed.

-- name: newest
select key_seq, key, proof, enrolled_at from gateway_keys
where tenant_id = $1 and gateway_id = $2 order by key_seq desc limit 1

-- name: insert
insert into gateway_keys (tenant_id, gateway_id, key, proof)
values ($1, $2, $3, $4)
returning key_seq, key, proof, enrolled_at

-- name: count
select count(distinct gateway_id) as gateways,
    count(*) filter (where gateway_id = $2) as own
from gateway_keys where tenant_id = $1

-- name: is_anothers
-- Whether the id was first used with another key that still holds.
select exists (
    select from (
        select first_used_by_key from gateways where tenant_id = $1 and gateway_id = $2
        union all
        select first_used_by_key from gateway_heads where tenant_id = $1 and gateway_id = $2
    ) as used join api_keys k on k.key_id = used.first_used_by_key
    where k.key_id <> $3 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
) as is_anothers

-- name: keys_of
select key_seq, key, proof, enrolled_at from gateway_keys
where tenant_id = $1 and gateway_id = $2 order by key_seq

-- name: insert_head
insert into gateway_signed_heads (tenant_id, gateway_id, seq, key_seq, note)
values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: heads_of
-- Of each key the newest head up to a number, and the newest one of all.
select distinct on (key_seq) key_seq, seq, note from gateway_signed_heads
where tenant_id = $1 and gateway_id = $2 and seq <= $3
order by key_seq, seq desc

-- name: unsigned
-- Gateways that have records and no key.
select h.gateway_id from gateway_heads h
where h.tenant_id = $1 and not exists (
    select from gateway_keys k where k.tenant_id = $1 and k.gateway_id = h.gateway_id
)
order by h.gateway_id limit $2
