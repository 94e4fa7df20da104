-- Records: exact lines, appended in order, never changed. Of an erased one its place is read.

-- name: head
select seq, hash from gateway_heads where tenant_id = $1 and gateway_id = $2

-- name: stored_hashes
select seq, hash from records
where tenant_id = $1 and gateway_id = $2 and seq between $3 and $4

-- name: append
-- INVARIANT(chain-once): the statement moves the head too, by a trigger, or fails.
insert into records (tenant_id, gateway_id, seq, hash, line, kind, at, agent, effect, decision_id)
select $1, $2, r.seq, r.hash, r.line, r.kind, r.at, r.agent, r.effect, r.decision_id
from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[])
    as r (seq, hash, line, kind, at, agent, effect, decision_id)
order by r.seq

-- name: after
select record_id, gateway_id, seq, hash, line_or_place(records) as line, received_at
from records
where tenant_id = $1 and record_id > $2
  and ($3::text is null or agent = $3)
  and ($4::text is null or effect = $4)
  and ($5::text is null or kind = $5)
  and ($6::text is null or gateway_id = $6)
order by record_id
limit $7

-- name: newest
select * from (
    select record_id, gateway_id, seq, hash, line_or_place(records) as line, received_at
    from records
    where tenant_id = $1
      and ($2::text is null or agent = $2)
      and ($3::text is null or effect = $3)
      and ($4::text is null or kind = $4)
      and ($5::text is null or gateway_id = $5)
    order by record_id desc
    limit $6
) as newest
order by record_id
