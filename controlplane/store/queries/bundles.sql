-- Bundles: appended, numbered from 1 for each tenant, never changed. The highest number is current.

-- name: now
select clock_timestamp()

-- name: append
insert into bundles (tenant_id, sequence, revision, mappers_digest, payload, signature, key_id,
                     created_by, comment, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: newest
select sequence, revision, mappers_digest, key_id, created_by, comment, created_at, true as is_current
from bundles where tenant_id = $1 order by sequence desc limit 1

-- name: list
select b.sequence, b.revision, b.mappers_digest, b.key_id, b.created_by, b.comment, b.created_at,
       b.sequence = (select max(sequence) from bundles where tenant_id = $1) as is_current
from bundles b
where b.tenant_id = $1 and ($2::bigint is null or b.sequence < $2)
order by b.sequence desc
limit $3

-- name: find
select b.sequence, b.revision, b.mappers_digest, b.key_id, b.created_by, b.comment, b.created_at,
       b.sequence = (select max(sequence) from bundles where tenant_id = $1) as is_current,
       b.payload, b.signature
from bundles b
where b.tenant_id = $1 and b.sequence = $2
