-- What the control plane did: what has no record yet, and what the tables say otherwise than records.

-- name: tenants_behind
select distinct tenant_id from acts where seq is null limit $1

-- name: pending
select act_seq, event, act::text as act, at from acts
where tenant_id = $1 and seq is null order by act_seq limit $2

-- name: place
-- Each gets the number of its record, in the transaction that stores that.
update acts set seq = p.seq from unnest($2::bigint[], $3::bigint[]) as p (act_seq, seq)
where acts.tenant_id = $1 and acts.act_seq = p.act_seq

-- name: differing
-- Records that their tables don't say, or say otherwise; and rows that have no record, but those that
-- wait for theirs, which is a matter of a second: one that waits for long is kept from it.
with told as materialized (
    select r.seq, f.fields ->> 'event' as event, f.fields -> 'act' as act
    from records r cross join lateral line_fields(r.line) as f (fields)
    where r.tenant_id = $1 and r.gateway_id = $2 and f.fields ? 'act'
), now_is as materialized (
    select event, row_id, act from acts_now($1)
)
select t.seq, t.event, t.act ->> 'id' as row_id, n.act is not null as is_there
from told t left join now_is n on n.event = t.event and n.row_id = t.act ->> 'id'
where n.act is distinct from t.act
union all
select null, n.event, n.row_id, true
from now_is n
where not exists (select from told t where t.event = n.event and t.act ->> 'id' = n.row_id)
  and not exists (
      select from acts a
      where a.tenant_id = $1 and a.event = n.event and a.row_id = n.row_id and a.seq is null
        and a.at > clock_timestamp() - interval '1 minute')
order by 1, 2, 3 limit $3
