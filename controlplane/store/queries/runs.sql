-- Runs. A state change is one statement conditioned on the old states; `runs_guard` refuses others.

-- name: find_agent
-- Who is meant by a name or an id.
select name from agents where tenant_id = $1 and (name = $2 or agent_id::text = lower($2))
order by name = $2 desc limit 1

-- name: create
-- $8: how many an agent may open in an hour. Nothing where that is used up or the name is taken.
insert into runs (run_id, tenant_id, agent, name, origin, mode, goal, status)
select $1, $2, $3, $4, 'api', $5, $6, $7
where (
    select count(*) from runs
    where tenant_id = $2 and agent = $3 and created_at > now() - interval '1 hour'
) < $8
on conflict do nothing
returning *

-- name: is_taken
select exists (
    select from runs
    where tenant_id = $1 and agent = $2 and name = $3 and status in ('PENDING', 'RUNNING')
) as taken

-- name: get
select * from runs where tenant_id = $1 and run_id = $2

-- name: list
select * from runs
where tenant_id = $1
  and ($2::text is null or agent = $2)
  and ($3::text is null or status = $3)
  and ($4::timestamptz is null or coalesce(last_step_at, created_at) >= $4)
  and ($5::bigint is null or run_seq < $5)
order by run_seq desc limit $6

-- name: end
-- $3: the states that it may be in; $4: what it comes to.
update runs
set status = $4, ended_at = clock_timestamp(), ended_by = $5, ended_by_key = $6, end_reason = $7
where tenant_id = $1 and run_id = $2 and status = any ($3)
returning *

-- name: end_and_stop
-- The same, and its traffic is stopped, both or neither.
with ended as (
    update runs
    set status = $4, ended_at = clock_timestamp(), ended_by = $5, ended_by_key = $6,
        end_reason = $7
    where tenant_id = $1 and run_id = $2 and status = any ($3)
    returning *
), stopped as (
    insert into stops (stop_id, tenant_id, scope, name, reason, by, by_key)
    select $8, $1, 'run', agent || '+' || name, $9, $5, $6 from ended
    returning stop_id
)
select ended.* from ended, stopped

-- name: end_idle
-- $2: what it comes to. Only what traffic opened: others say by themselves when they are done.
update runs
set status = $2, ended_at = last_step_at, ended_by = 'checkrein', end_reason = 'IDLE'
where run_id in (
    select run_id from runs
    where origin = 'gateway' and status = 'RUNNING'
      and last_step_at < now() - make_interval(secs => $1)
    order by last_step_at limit $3
) and status = 'RUNNING' and last_step_at < now() - make_interval(secs => $1)
returning tenant_id

-- name: steps
select s.*, o.line as outcome_line, a.approval_id,
       effective_status(a.status, a.expires_at) as approval_status
from run_steps s
left join lateral (
    select line_told(records) as line from records
    where tenant_id = s.tenant_id and decision_id = s.decision_id and kind = 'outcome'
    order by record_id desc limit 1
) o on true
left join lateral (
    select approval_id, status, expires_at from approvals
    where tenant_id = s.tenant_id and decision_id = s.decision_id
    order by approval_seq desc limit 1
) a on true
where s.tenant_id = $1 and s.run_id = $2 and s.step_index > $3
order by s.step_index limit $4
