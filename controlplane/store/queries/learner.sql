-- In which mode a tenant wants to learn. Every change is kept; the newest counts.

-- name: current
select scope_type, scope_id, mode, set_by, set_at from learner_modes
where tenant_id = $1 and scope_type = $2 and scope_id = $3
order by mode_seq desc limit 1

-- name: set
-- The same mode again is no change.
insert into learner_modes (tenant_id, scope_type, scope_id, mode, set_by, set_by_key)
select $1, $2, $3, $4, $5, $6
where $4::text is distinct from (
    select mode from learner_modes where tenant_id = $1 and scope_type = $2 and scope_id = $3
    order by mode_seq desc limit 1
)
