-- What the projection reads and writes, all of a batch in one transaction.

-- name: behind
-- Tenants with records that are not read yet: one look at the end of each one's index.
select t.tenant_id from tenants t
left join projection_cursors c using (tenant_id)
where (select max(r.record_id) from records r where r.tenant_id = t.tenant_id)
    > coalesce(c.record_id, 0)
order by t.tenant_id limit $1

-- name: ensure_cursor
insert into projection_cursors (tenant_id) values ($1) on conflict do nothing

-- name: claim
-- One reads at a time for a tenant; whoever finds it taken leaves it to that one.
select record_id from projection_cursors where tenant_id = $1 for update skip locked

-- name: move
update projection_cursors set record_id = $2, moved_at = clock_timestamp() where tenant_id = $1

-- name: records
select record_id, gateway_id, seq, kind, line, received_at from records
where tenant_id = $1 and record_id > $2 order by record_id limit $3

-- name: find_runs
-- The newest run that each name means.
select k.agent, k.name, r.run_id
from unnest($2::text[], $3::text[]) as k (agent, name)
cross join lateral (
    select run_id from runs
    where tenant_id = $1 and agent = k.agent and name = k.name
    order by run_seq desc limit 1
) r

-- name: lock_runs
select run_id, origin, status, ended_at, step_count from runs
where tenant_id = $1 and run_id = any ($2)
order by run_id for update

-- name: opened_lately
select agent, count(*) as count from runs
where tenant_id = $1 and agent = any ($2) and created_at > now() - interval '1 hour'
group by agent

-- name: open_run
insert into runs (run_id, tenant_id, agent, name, origin, mode, status, started_at, last_step_at)
values ($1, $2, $3, $4, 'gateway', $5, 'RUNNING', $6, $6)
on conflict (tenant_id, agent, name) where status in ('PENDING', 'RUNNING')
do update set last_step_at = runs.last_step_at
returning run_id, origin, status, ended_at, step_count

-- name: insert_steps
insert into run_steps (tenant_id, run_id, step_index, recorded_at, decided_at, record_id,
                       decision_id, agent, provider, operation, action, kind, target_type,
                       target_id, action_count, effect, mode, policy, rule, reason_code, message,
                       risk)
select $1, s.* from unnest(
    $2::uuid[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
    $15::int[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[],
    $22::smallint[]
) as s

-- name: count_steps
-- $8: the states that a step moves to the one of $9.
update runs r
set step_count = r.step_count + s.steps,
    blocked_count = r.blocked_count + s.blocked,
    held_count = r.held_count + s.held,
    started_at = coalesce(r.started_at, s.first_at),
    last_step_at = greatest(r.last_step_at, s.last_at),
    status = case when r.status = any ($8) then $9 else r.status end
from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[],
            $7::timestamptz[]) as s (run_id, steps, blocked, held, first_at, last_at)
where r.tenant_id = $1 and r.run_id = s.run_id

-- name: steps_of_decisions
select distinct on (s.decision_id) s.*,
    (select a.approval_id from approvals a
     where a.tenant_id = s.tenant_id and a.decision_id = s.decision_id
     order by a.approval_seq desc limit 1) as approval_id
from run_steps s
where s.tenant_id = $1 and s.decision_id = any ($2)
order by s.decision_id, s.record_id

-- name: count_blocks
-- $3: from when on, $4: until when, by agent; never more than $5 are counted.
select k.agent, (
    select count(*) from (
        select from run_steps
        where tenant_id = $1 and agent = k.agent and effect = 'BLOCK' and mode = 'enforce'
          and decided_at between k.from_at and k.until_at
        limit $5
    ) as counted
) as count
from unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) as k (agent, from_at, until_at)

-- name: denied_before
-- Acts that were asked again within a day after a person had denied them.
select k.decision_id, a.approval_id
from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])
    as k (decision_id, agent, digest, at)
cross join lateral (
    select approval_id from approvals
    where tenant_id = $1 and agent = k.agent and request_digest = k.digest and status = 'DENIED'
      and resolved_at between k.at - interval '1 day' and k.at
    order by resolved_at desc limit 1
) a

-- name: open_intents
-- Acts of a gateway that were about to be sent before it went down, and have no outcome.
select r.decision_id from records r
where r.tenant_id = $1 and r.gateway_id = $2 and r.seq < $3 and r.seq >= $4 and r.kind = 'intent'
  and r.decision_id is not null
  and not exists (
      select from records o
      where o.tenant_id = r.tenant_id and o.decision_id = r.decision_id and o.kind = 'outcome'
  )
order by r.seq desc limit $5

-- name: note_unknown
insert into unknown_outcomes (tenant_id, decision_id, record_id, agent, run_id, provider, operation,
                              action, kind, target_type, target_id, code, at, incident_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict do nothing
