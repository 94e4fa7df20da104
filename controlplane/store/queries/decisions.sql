-- Decisions, read out of the records: the first record of a decision, with what became of it.

-- part: decisions
select r.record_id, r.gateway_id, line_told(r) as line, r.line is null as is_erased,
       o.line as outcome_line, s.line as sent_line,
       a.approval_id, effective_status(a.status, a.expires_at) as approval_status
from records r
left join lateral (
    select line_told(records) as line from records
    where tenant_id = r.tenant_id and decision_id = r.decision_id and kind = 'outcome'
    order by record_id desc limit 1
) o on true
left join lateral (
    select line_told(records) as line from records
    where tenant_id = r.tenant_id and decision_id = r.decision_id and kind = 'intent'
      and record_id > r.record_id
    order by record_id limit 1
) s on true
left join lateral (
    select approval_id, status, expires_at from approvals
    where tenant_id = r.tenant_id and decision_id = r.decision_id
    order by approval_seq desc limit 1
) a on true

-- name: list
{decisions}
where r.tenant_id = $1 and r.kind in ('intent', 'decision')
  and ($2::text is null or r.agent = $2)
  and ($3::text is null or r.effect = $3)
  and ($4::bigint is null or r.record_id < $4)
  and not exists (
      select from records e
      where e.tenant_id = r.tenant_id and e.decision_id = r.decision_id
        and e.kind in ('intent', 'decision') and e.record_id < r.record_id
  )
order by r.record_id desc
limit $5

-- name: approval_status
select approval_id, effective_status(status, expires_at) as status
from approvals where tenant_id = $1 and approval_id = any ($2)

-- name: of_records
-- The same of decisions that were found elsewhere, by their first records.
{decisions}
where r.tenant_id = $1 and r.record_id = any ($2)
order by r.record_id desc
