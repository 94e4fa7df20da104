-- For how long bodies are kept, and what was erased. Erasing itself is two functions of the schema.

-- name: rule
select days, legal_hold, reason, set_by, set_at from retention_rules
where tenant_id = $1 order by rule_seq desc limit 1

-- name: set_rule
insert into retention_rules (tenant_id, days, legal_hold, reason, set_by, set_by_key)
values ($1, $2, $3, $4, $5, $6)
returning days, legal_hold, reason, set_by, set_at

-- name: erase_old
select erase_old($1, $2, $3) as count

-- name: erase_decision
select erase_decision($1, $2, $3, $4, $5) as answer

-- name: erasures
select erasure_seq, erasure_id, cause, decision_id, first_record_id, last_record_id, record_count,
       approval_count, incident_count, before, reason, erased_by, erased_at
from erasures
where tenant_id = $1 and ($2::bigint is null or erasure_seq < $2)
  and ($3::text is null or decision_id = $3)
order by erasure_seq desc limit $4

-- name: erasure
select erasure_seq, erasure_id, cause, decision_id, first_record_id, last_record_id, record_count,
       approval_count, incident_count, before, reason, erased_by, erased_at
from erasures where tenant_id = $1 and erasure_id = $2

-- name: tenants
select tenant_id from tenants order by tenant_id
