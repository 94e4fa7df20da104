-- What a reviewer is told beside a question. Bounded, whatever there is.

-- name: around
-- Who asks ($2 an agent, $3 the name of its run or the id of one made through the API).
select a.labels, r.run_id, r.name, r.goal, r.status, coalesce(r.started_at, r.created_at) as started_at,
       r.step_count, r.blocked_count
from (select) as one
left join agents a on a.tenant_id = $1 and a.name = $2
left join lateral (
    select * from (
        (select * from runs where tenant_id = $1 and agent = $2 and name = $3
         order by run_seq desc limit 1)
        union all
        (select * from runs where tenant_id = $1 and run_id = $4)
    ) as named
    order by run_seq desc limit 1
) r on true

-- name: recent
-- The newest decisions of an agent ($2) with what became of each; $3 so many records are looked at,
-- of which a decision has up to three.
select distinct on (first.record_id) first.decision_id, line_told(first) as line, o.line as outcome_line
from (
    select decision_id, min(record_id) as record_id
    from (
        select decision_id, record_id from records
        where tenant_id = $1 and agent = $2
        order by record_id desc limit $3
    ) as newest
    where decision_id is not null and decision_id <> $4
    group by decision_id
    order by max(record_id) desc limit $5
) as found
join lateral (
    select * from records r
    where r.tenant_id = $1 and r.decision_id = found.decision_id
      and r.kind in ('intent', 'decision')
    order by r.record_id limit 1
) first on true
left join lateral (
    select line_told(r) as line from records r
    where r.tenant_id = $1 and r.decision_id = found.decision_id and r.kind = 'outcome'
    order by r.record_id desc limit 1
) o on true
order by first.record_id desc

-- name: past_answers
-- How questions about the same action ended since $5, of the newest $6; the agent's own apart.
select agent = $4 as is_own, status, count(*) as count
from (
    select agent, status from approvals
    where tenant_id = $1 and provider = $2 and action = $3
      and created_at > now() - make_interval(days => $5)
    order by created_at desc limit $6
) as newest
group by 1, 2

-- name: counts
-- $2: the groups of the caller.
select count(*) filter (where status = 'PENDING') as pending,
       count(*) filter (where status = 'PENDING' and (
           cardinality(approver_groups) = 0 or asked_groups(a) && $2::text[])) as mine,
       count(*) filter (where status = 'PENDING' and escalated_at is not null) as escalated,
       count(*) filter (where status = 'APPROVED') as approved
from approvals a
where tenant_id = $1 and status in ('PENDING', 'APPROVED') and expires_at > clock_timestamp()
