-- The log of each tenant: leaves, the roots above them, and what was signed over them.

-- name: ensure_head
insert into log_heads (tenant_id) values ($1) on conflict do nothing

-- name: lock_head
select size, frontier, through_record_id from log_heads where tenant_id = $1 for update

-- name: head
select size, frontier, through_record_id from log_heads where tenant_id = $1

-- name: pending
-- Records that have no leaf yet, in the order in which they came.
select record_id, gateway_id, seq, hash from records
where tenant_id = $1 and record_id > $2 order by record_id limit $3

-- name: append_leaves
-- INVARIANT(gapless-log): a trigger moves the size of the head too, or this fails.
insert into log_leaves (tenant_id, leaf_index, record_id, gateway_id, seq, line_hash, leaf_hash)
select $1, l.leaf_index, l.record_id, l.gateway_id, l.seq, l.line_hash, l.leaf_hash
from unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[], $7::bytea[])
    as l (leaf_index, record_id, gateway_id, seq, line_hash, leaf_hash)

-- name: append_nodes
insert into log_nodes (tenant_id, level, node_index, hash)
select $1, n.level, n.node_index, n.hash
from unnest($2::smallint[], $3::bigint[], $4::bytea[]) as n (level, node_index, hash)

-- name: move_head
update log_heads set frontier = $3, through_record_id = $4 where tenant_id = $1 and size = $2

-- name: tenants_behind
-- Tenants with records that have no leaf.
select t.tenant_id
from tenants t
left join log_heads h using (tenant_id)
cross join lateral (
    select record_id from records r
    where r.tenant_id = t.tenant_id order by record_id desc limit 1
) as last
where last.record_id > coalesce(h.through_record_id, 0)
limit $1

-- name: leaf_hashes
-- By their numbers, of which there are some hundreds: ranges would have the planner read it all.
select leaf_index, leaf_hash from log_leaves where tenant_id = $1 and leaf_index = any ($2)

-- name: node_hashes
select n.level, n.node_index, n.hash
from unnest($2::smallint[], $3::bigint[]) as w (level, node_index)
join log_nodes n on n.tenant_id = $1 and n.level = w.level and n.node_index = w.node_index

-- name: leaves
select leaf_index, gateway_id, seq, line_hash from log_leaves
where tenant_id = $1 and leaf_index >= $2 and leaf_index < $3 order by leaf_index

-- name: lines
-- Leaves with the lines of their records; a record that is gone has no line and no hash.
select l.leaf_index, l.gateway_id, l.seq, l.line_hash, r.line, r.hash is not null as is_there
from log_leaves l
left join records r
    on r.tenant_id = l.tenant_id and r.record_id = l.record_id
where l.tenant_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3
order by l.leaf_index

-- name: hash_of
select hash from records where tenant_id = $1 and gateway_id = $2 and seq = $3

-- name: leaf_of_record
select l.leaf_index, l.gateway_id, l.seq, l.line_hash, r.line
from log_leaves l
left join records r on r.tenant_id = l.tenant_id and r.record_id = l.record_id
where l.tenant_id = $1 and l.gateway_id = $2 and l.seq = $3

-- name: leaves_of_decision
select l.leaf_index, l.gateway_id, l.seq, l.line_hash, r.line
from records r
join log_leaves l
    on l.tenant_id = r.tenant_id and l.gateway_id = r.gateway_id and l.seq = r.seq
where r.tenant_id = $1 and r.decision_id = $2
order by l.leaf_index limit $3

-- name: insert_checkpoint
-- Never behind a larger one that another replica stored meanwhile.
insert into log_checkpoints (checkpoint_id, tenant_id, size, root, note)
select $1, $2, $3, $4, $5
where not exists (select from log_checkpoints where tenant_id = $2 and size > $3)
returning *

-- name: newest_checkpoint
select * from log_checkpoints where tenant_id = $1 order by checkpoint_seq desc limit 1

-- name: checkpoint
select * from log_checkpoints where tenant_id = $1 and checkpoint_id = $2

-- name: checkpoints
select * from log_checkpoints
where tenant_id = $1 and ($2::bigint is null or checkpoint_seq < $2)
order by checkpoint_seq desc limit $3

-- name: to_sign
-- Each tenant's log with what was signed of it last. A tenant without records has one too.
select t.tenant_id, coalesce(h.size, 0) as size, c.size as signed_size,
    extract(epoch from clock_timestamp() - c.signed_at) as signed_seconds_ago
from tenants t
left join log_heads h using (tenant_id)
left join lateral (
    select size, signed_at from log_checkpoints c
    where c.tenant_id = t.tenant_id order by checkpoint_seq desc limit 1
) as c on true
order by t.tenant_id

-- name: gateways_in
-- The gateways with a leaf below a size, and the last of each.
select h.gateway_id,
    (select max(l.seq) from log_leaves l
     where l.tenant_id = $1 and l.gateway_id = h.gateway_id and l.leaf_index < $2) as last_seq
from gateway_heads h where h.tenant_id = $1 order by h.gateway_id limit $3
