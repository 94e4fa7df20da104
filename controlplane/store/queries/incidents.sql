-- Incidents, unknown outcomes and their settlements. A state change is one statement conditioned on
-- the old states; `incidents_guard` refuses others.

-- name: open
-- $11: how many that people and programs opened may be unresolved.
insert into incidents (incident_id, tenant_id, origin, severity, reason_code, title, summary,
                       agent, run_id, decision_ids, opened_by)
select $1, $2, 'api', $3, $4, $5, $6, $7, $8, $9, $10
where (
    select count(*) from incidents
    where tenant_id = $2 and origin = 'api' and status <> 'RESOLVED'
) < $11
returning *

-- name: note
select note_incident($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) as incident_id

-- name: get
select * from incidents where tenant_id = $1 and incident_id = $2

-- name: list
select * from incidents
where tenant_id = $1
  and ($2::text is null or status = $2)
  and ($3::text is null or severity = $3)
  and ($4::text is null or agent = $4)
  and ($5::uuid is null or run_id = $5)
  and ($6::text is null or reason_code = $6)
  and ($7::timestamptz is null or last_seen_at >= $7)
  and ($8::bigint is null or incident_seq < $8)
order by incident_seq desc limit $9

-- name: open_count
select count(*) from incidents where tenant_id = $1 and status = $2

-- name: acknowledge
update incidents
set status = $4, acknowledged_at = clock_timestamp(), acknowledged_by = $5, acknowledged_key = $6
where tenant_id = $1 and incident_id = $2 and status = any ($3)
returning *

-- name: resolve
update incidents
set status = $4, resolved_at = clock_timestamp(), resolved_by = $5, resolved_key = $6, note = $7
where tenant_id = $1 and incident_id = $2 and status = any ($3)
returning *

-- name: outcomes
-- $2: whether only the open or only the settled ones are wanted.
select u.*, s.outcome as settled_as, s.note, s.settled_by, s.settled_at
from unknown_outcomes u
left join outcome_settlements s using (tenant_id, decision_id)
where u.tenant_id = $1
  and ($2::boolean is null or (s.decision_id is not null) = $2)
  and ($3::text is null or u.agent = $3)
  and ($4::text is null or u.decision_id = $4)
  and ($5::bigint is null or u.outcome_seq < $5)
order by u.outcome_seq desc limit $6

-- name: lock_incident_of
-- Two who settle the last two outcomes of one incident go one after the other.
select i.incident_id from incidents i
join unknown_outcomes u on u.incident_id = i.incident_id
where u.tenant_id = $1 and u.decision_id = $2
for update of i

-- name: settle
insert into outcome_settlements (tenant_id, decision_id, outcome, note, settled_by, settled_key)
select tenant_id, decision_id, $3, $4, $5, $6 from unknown_outcomes
where tenant_id = $1 and decision_id = $2
on conflict do nothing
returning decision_id

-- name: resolve_settled
-- The incident is over once every outcome that it is about is known.
update incidents i
set status = $4, resolved_at = clock_timestamp(), resolved_by = $5, resolved_key = $6, note = $7
where i.tenant_id = $1 and i.incident_id = $2 and i.status = any ($3)
  and i.reason_code = 'OUTCOME_UNKNOWN'
  and not exists (
      select from unknown_outcomes u
      left join outcome_settlements s using (tenant_id, decision_id)
      where u.incident_id = i.incident_id and s.decision_id is null
  )
returning incident_id
