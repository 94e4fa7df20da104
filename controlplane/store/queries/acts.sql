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

-- name: take_long
-- In this transaction alone.
select set_config('statement_timeout', $1, true)

-- name: differing
-- Records that their tables don't say, or say otherwise; and rows that have no record, but those
-- that wait for theirs, which is a matter of a second: one that waits for long is kept from it.
with told as materialized (
    select r.seq, f.fields ->> 'event' as event, f.fields -> 'act' as act,
        split_part(f.fields ->> 'event', '_', 1) as family,
        f.fields ->> 'event' ~ '^(agent|key|channel)_' as is_state
    from records r cross join lateral line_fields(r.line) as f (fields)
    where r.tenant_id = $1 and r.gateway_id = $2 and f.fields ? 'act'
), waiting as materialized (
    select event, row_id, subject from acts
    where tenant_id = $1 and seq is null and at > clock_timestamp() - interval '1 minute'
), now_is as materialized (
    select event, row_id, act from acts_now($1)
), told_last as materialized (
    -- Of a row that changes, the newest record is what it is to say.
    select distinct on (family, subject) seq, event, act, family, split.subject
    from told cross join lateral split_part(act ->> 'id', '/', 1) as split (subject)
    where is_state order by family, subject, seq desc
), states as materialized (
    select family, subject::text, state from states_now($1)
)
select t.seq, t.event, t.act ->> 'id' as row_id, n.act is not null as is_there
from told t left join now_is n on n.event = t.event and n.row_id = t.act ->> 'id'
where not t.is_state and n.act is distinct from t.act
  -- Sessions that are long over are deleted.
  and (n.act is not null or t.event <> 'session_begun')
union all
select null, n.event, n.row_id, true
from now_is n
where not exists (select from told t where t.event = n.event and t.act ->> 'id' = n.row_id)
  and not exists (select from waiting w where w.event = n.event and w.row_id = n.row_id)
union all
select t.seq, t.event, t.subject, s.state is not null
from told_last t left join states s using (family, subject)
where s.state is distinct from state_told(t.act)
  and not exists (select from waiting w where w.subject::text = t.subject)
union all
select null, s.family || '_found', s.subject, true
from states s
where not exists (
        select from told_last t where t.family = s.family and t.subject = s.subject)
  and not exists (select from waiting w where w.subject::text = s.subject)
union all
-- That a row was rewritten stays told, whatever the next change made of it.
select t.seq, t.event, split_part(t.act ->> 'id', '/', 1), true
from told t where t.is_state and t.event like '%\_rewritten'
order by 1, 2, 3 limit $3
