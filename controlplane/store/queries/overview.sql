-- What the dashboard's overview draws: counts that were made when records were read, never records.

-- name: pending_count
-- $2 bounds the work: beyond it the exact number says nothing more to a person.
select count(*) from (
    select 1 from approvals
    where tenant_id = $1 and status = 'PENDING' and expires_at > now() limit $2
) as pending

-- name: add_traffic
insert into traffic_counts
    (tenant_id, span, at, agent, provider, action, effect, mode, reason_code, decisions)
select $1, c.span, date_trunc(c.span, c.at), c.agent, c.provider, c.action, c.effect, c.mode,
       c.reason_code, sum(c.decisions)
from (
    select s.span, n.* from unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                                   $7::text[], $8::text[], $9::bigint[])
        as n (at, agent, provider, action, effect, mode, reason_code, decisions)
    cross join (values ('minute'), ('hour')) as s (span)
) as c
group by 2, 3, 4, 5, 6, 7, 8, 9
on conflict (tenant_id, span, at, agent, provider, action, effect, mode, reason_code)
do update set decisions = traffic_counts.decisions + excluded.decisions

-- name: add_answers
-- An answer is of the provider of its decision, which is in the batch ($3) or a step of before.
insert into provider_counts (tenant_id, span, at, provider, answers, failures, micros_sum, micros_max)
select $1, s.span, date_trunc(s.span, n.at), p.provider, count(*), count(*) filter (where n.failed),
       sum(n.micros), max(n.micros)
from unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::boolean[])
    as n (decision_id, provider, at, micros, failed)
cross join lateral (
    select coalesce(n.provider, (
        select provider from run_steps
        where tenant_id = $1 and decision_id = n.decision_id limit 1
    )) as provider
) as p
cross join (values ('minute'), ('hour')) as s (span)
where p.provider is not null
group by 2, 3, 4
on conflict (tenant_id, span, at, provider) do update
set answers = provider_counts.answers + excluded.answers,
    failures = provider_counts.failures + excluded.failures,
    micros_sum = provider_counts.micros_sum + excluded.micros_sum,
    micros_max = greatest(provider_counts.micros_max, excluded.micros_max)

-- name: bars
select date_bin($4, at, $3) as at, effect, sum(decisions)::bigint as decisions
from traffic_counts where tenant_id = $1 and span = $2 and at >= $3
group by 1, 2

-- name: actions
select provider, action, sum(decisions)::bigint as decisions,
       coalesce(sum(decisions) filter (where effect = 'BLOCK' and mode = 'enforce'), 0)::bigint
           as blocked
from traffic_counts where tenant_id = $1 and span = $2 and at >= $3
group by 1, 2 order by 3 desc, 1, 2 limit $4

-- name: blocks
select agent, reason_code, sum(decisions)::bigint as decisions
from traffic_counts
where tenant_id = $1 and span = $2 and at >= $3 and effect = 'BLOCK' and mode = 'enforce'
group by 1, 2 order by 3 desc, 1, 2 limit $4

-- name: providers
select provider, sum(answers)::bigint as answers, sum(failures)::bigint as failures,
       (sum(micros_sum) / greatest(sum(answers), 1))::bigint as micros_mean,
       max(micros_max)::bigint as micros_max
from provider_counts where tenant_id = $1 and span = $2 and at >= $3
group by 1 order by 4 desc, 1 limit $4

-- name: modes
select distinct mode from traffic_counts
where tenant_id = $1 and span = 'hour' and at >= date_trunc('hour', now()) - interval '1 hour'

-- name: forget_traffic
delete from traffic_counts where ctid = any (array(
    select ctid from traffic_counts
    where span = $1 and at < now() - make_interval(days => $2) limit $3
))

-- name: forget_answers
delete from provider_counts where ctid = any (array(
    select ctid from provider_counts
    where span = $1 and at < now() - make_interval(days => $2) limit $3
))
