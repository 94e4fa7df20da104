-- The kill switch: stops are inserted, and lifted once. The schema refuses every other change.

-- name: count_in_force
select count(*) from stops where tenant_id = $1 and lifted_at is null

-- name: insert
insert into stops (stop_id, tenant_id, scope, name, reason, by, by_key)
values ($1, $2, $3, $4, $5, $6, $7)
returning *

-- name: lift
update stops
set lifted_at = clock_timestamp(), lifted_by = $3, lifted_by_key = $4, lift_reason = $5
where tenant_id = $1 and stop_id = $2 and lifted_at is null
returning *

-- name: get
select * from stops where tenant_id = $1 and stop_id = $2

-- name: in_force
select * from stops where tenant_id = any ($1) and lifted_at is null order by stop_seq

-- name: history
select * from stops
where tenant_id = $1 and ($2::bigint is null or stop_seq < $2)
order by stop_seq desc
limit $3
