-- Decisions as an auditor looks for them, the story of one, and pieces of a gateway's chain.

-- name: read_so_far
-- The newest record of a tenant, and the newest that is a step already.
select coalesce((select max(record_id) from records where tenant_id = $1), 0) as newest,
       coalesce((select record_id from projection_cursors where tenant_id = $1), 0) as read

-- name: first_since
-- A step never arrives before it was decided: none of a moment stands before the first arrival then.
select record_id from run_steps
where tenant_id = $1 and recorded_at >= $2
order by recorded_at limit 1

-- name: runs_named
select run_id from runs
where tenant_id = $1 and (name = $2 or run_id = $3)
order by run_seq desc limit $4

-- name: search
-- $4 to $11: the word by which an index is walked (or agent and effect); $12: how many of its steps are looked at.
-- $14 and on: everything that must fit. The inner limit ends the walk where little fits.
select s.record_id from (
    select * from run_steps
    where tenant_id = $1 and record_id < $2 and record_id >= $3
      and ($4::text is null or decision_id = $4)
      and ($5::uuid[] is null or run_id = any ($5))
      and ($6::text is null or target_id = $6)
      and ($7::text is null or rule = $7)
      and ($8::text is null or action = $8)
      and ($9::text is null or agent = $9)
      and ($10::text is null or provider = $10)
      and ($11::text is null or effect = $11)
    order by record_id desc limit $12
) s
where ($14::text is null or s.decision_id = $14)
  and ($15::uuid[] is null or s.run_id = any ($15))
  and ($16::text is null or s.target_id = $16)
  and ($17::text is null or s.rule = $17)
  and ($18::text is null or s.action = $18)
  and ($19::text is null or s.agent = $19)
  and ($20::text is null or s.provider = $20)
  and ($21::text is null or s.effect = $21)
  and ($22::text is null or s.operation = $22)
  and ($23::text is null or s.kind = $23)
  and ($24::text is null or s.policy = $24)
  and ($25::text is null or s.reason_code = $25)
  and ($26::text is null or s.mode = $26)
  and ($27::smallint is null or s.risk >= $27)
  and ($28::timestamptz is null or s.decided_at >= $28)
  and ($29::timestamptz is null or s.decided_at < $29)
  and ($30::text is null or position(lower($30) in lower(concat_ws(E'\n', s.agent, s.provider,
        s.operation, s.action, s.kind, s.target_type, s.target_id, s.policy, s.rule,
        s.reason_code, s.message, s.decision_id))) > 0)
  and ($31::text is null or $31 = coalesce((
        select case when o.line is null then 'erased'
            else coalesce(substring(o.line from '"outcome":"([a-z_]+)"'), 'open') end from records o
        where o.tenant_id = s.tenant_id and o.decision_id = s.decision_id and o.kind = 'outcome'
        order by o.record_id desc limit 1), 'open'))
order by s.record_id desc limit $13

-- name: walk_end
-- The last step that `search` looked at with these words, if there were so many.
select record_id from run_steps
where tenant_id = $1 and record_id < $2 and record_id >= $3
  and ($4::text is null or decision_id = $4)
  and ($5::uuid[] is null or run_id = any ($5))
  and ($6::text is null or target_id = $6)
  and ($7::text is null or rule = $7)
  and ($8::text is null or action = $8)
  and ($9::text is null or agent = $9)
  and ($10::text is null or provider = $10)
  and ($11::text is null or effect = $11)
order by record_id desc offset $12 - 1 limit 1

-- name: words
-- What stands in the newest $2 steps, for completion.
with newest as (
    select agent, provider, action, kind, rule, policy, reason_code from run_steps
    where tenant_id = $1 order by record_id desc limit $2
)
select name, value from (
    select w.name, w.value, count(*) as times,
           row_number() over (partition by w.name order by count(*) desc, w.value) as place
    from newest n cross join lateral (values
        ('agent', n.agent), ('provider', n.provider), ('action', n.action),
        ('rule', n.rule), ('policy', n.policy), ('reason', n.reason_code)
    ) as w (name, value)
    where w.value <> ''
    group by w.name, w.value
) counted
where place <= $3
order by name, place

-- name: story
-- Every record that names the decision.
select record_id, gateway_id, seq, kind, hash, line_told(records) as line, received_at,
       line is null as is_erased
from records
where tenant_id = $1 and decision_id = $2 order by record_id limit $3

-- name: story_run
select run_id from run_steps where tenant_id = $1 and decision_id = $2
order by record_id limit 1

-- name: chain
-- A piece of a gateway's chain, in its own order. An erased line is null.
select seq, hash, line, received_at from records
where tenant_id = $1 and gateway_id = $2 and seq >= $3 and seq < $4
order by seq

-- name: chain_head
select seq, hash from gateway_heads where tenant_id = $1 and gateway_id = $2

-- name: records_after
-- Exact lines, oldest first, for an export: up to $3, which was the newest when it began.
select record_id, line_or_place(records) as line from records
where tenant_id = $1 and record_id > $2 and record_id <= $3
  and ($4::text is null or agent = $4)
  and ($5::text is null or effect = $5)
  and ($6::text is null or kind = $6)
  and ($7::text is null or gateway_id = $7)
order by record_id limit $8
