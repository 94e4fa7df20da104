-- What agents sent, by what the mappers know of it.

-- name: unmapped
-- $2: days, $3: how many of the newest are looked at, $4: how many groups are told.
with newest as (
    select record_id, provider, operation, target_id, agent, decided_at,
           case when target_type = 'endpoint' then split_part(target_id, '/', 1) else '' end as host
    from run_steps
    where tenant_id = $1 and kind = 'unknown'
      and recorded_at >= now() - make_interval(days => $2)
    order by recorded_at desc limit $3
), alike as (
    select host, provider, operation, count(*) as requests, count(distinct agent) as agents,
           count(distinct target_id) as places, max(decided_at) as last_at,
           max(record_id) as record_id
    from newest group by 1, 2, 3
    order by 4 desc, 1, 2, 3 limit $4
)
select a.host, a.provider, a.operation, a.requests, a.agents, a.places, a.last_at,
       line_told(r) as line
from alike a join records r on r.tenant_id = $1 and r.record_id = a.record_id
order by a.requests desc, a.host, a.provider, a.operation

-- name: seen
select provider, sum(decisions)::bigint as decisions, count(distinct action) as actions
from traffic_counts
where tenant_id = $1 and span = 'hour' and at >= now() - make_interval(days => $2)
group by 1 order by 2 desc, 1 limit $3
