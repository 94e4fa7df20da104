-- Approvals. A change of state is one statement, conditioned on the old state and on the time.

-- name: settle_one
-- Closes an open approval of this act whose time is over, or that stands on the answer of a key that
-- was revoked since, so that a new one can be asked.
update approvals
set status = case
    when expires_at > clock_timestamp() then 'CANCELLED'
    when status = 'PENDING' then 'EXPIRED'
    else 'LAPSED'
end
where tenant_id = $1 and agent = $2 and request_digest = $3 and origin = 'gateway'
  and status in ('PENDING', 'APPROVED')
  and (expires_at <= clock_timestamp()
       or (status = 'APPROVED' and approvers_of(approval_id) < quorum))
returning approval_id

-- name: find_open
select *, effective_status(status, expires_at) as status_now
from approvals
where tenant_id = $1 and agent = $2 and request_digest = $3 and origin = 'gateway'
  and status in ('PENDING', 'APPROVED') and expires_at > clock_timestamp()
  and (status = 'PENDING' or approvers_of(approval_id) >= quorum)

-- name: count_asked
-- What programs wait for, whoever they say that they are.
select count(*) from approvals
where tenant_id = $1 and status = 'PENDING' and expires_at > clock_timestamp() and origin = 'api'

-- name: count_pending
select count(*) from approvals
where tenant_id = $1 and agent = $2 and status = 'PENDING' and expires_at > clock_timestamp()
  and origin = 'gateway'

-- name: insert
-- Who asks through an agent is said by the agent's labels ($35) as the control plane has them: what
-- a gateway says of them is not asked.
insert into approvals (
    approval_id, tenant_id, agent, run_id, request_digest, decision_id, provider, operation,
    action, kind, target_type, target_id, params, authority, method, path, summary, policy, rule,
    reason_code, message, risk, bundle_revision, mode, approver_groups, quorum, timeout_seconds,
    witness_required, witness_hash, witness_state, origin, step_index, requested_by, resource_id,
    requester_labels, comment_required, escalate_after_seconds, escalate_to, requesters, request,
    expires_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $23, $24, $25, $26, $27::integer, $28, $29, $30, $31, $32, $33, $34, $35, $36,
        $37, $38,
        $39::text[] || array(
            select lower(btrim(labels::jsonb ->> label))
            from agents, unnest($35::text[]) as label
            where tenant_id = $2 and name = $3 and labels::jsonb ->> label <> ''
        ),
        $40,
        clock_timestamp() + make_interval(secs => $27::integer))
on conflict (tenant_id, agent, request_digest)
    where status in ('PENDING', 'APPROVED') and origin = 'gateway' do nothing
returning *, status as status_now

-- name: get
select *, effective_status(status, expires_at) as status_now
from approvals where tenant_id = $1 and approval_id = $2

-- name: list
-- $2: the stored states that can read as the wanted one; $3: the wanted one, or null.
select *, effective_status(status, expires_at) as status_now
from approvals
where tenant_id = $1
  and ($2::text[] is null or status = any ($2))
  and ($3::text is null or effective_status(status, expires_at) = $3)
  and ($4::text is null or agent = $4)
  and ($5::bigint is null or approval_seq < $5)
  and ($7::text is null or action = $7)
  and ($8::text is null or provider = $8)
  and ($9::text is null or run_id = $9)
  and ($10::timestamptz is null or created_at >= $10)
  and ($11::text[] is null or cardinality(approver_groups) = 0 or asked_groups(approvals) && $11)
order by approval_seq desc
limit $6

-- name: answer
-- $3: the states that the answer may follow; $8: how long an approval stays usable, in seconds.
select answer_approval($1, $2, $3, $4, $5, $6, $7, $8, $9) as came_to

-- name: answers
select answered_by, answer, comment, answered_at, through from approval_answers
where tenant_id = $1 and approval_id = $2 order by answer_id

-- name: consume
-- INVARIANT(consumed-once): the same claim may read its own answer again; nobody else can.
-- INVARIANT(quorum): those who approved are still enough, without keys that were revoked since.
update approvals
set status = 'CONSUMED', consumed_at = coalesce(consumed_at, clock_timestamp()), claim_id = $4
where tenant_id = $1 and approval_id = $2 and request_digest = $3 and origin = $5
  and ((status = 'APPROVED' and expires_at > clock_timestamp()
        and approvers_of(approval_id) >= quorum)
       or (status = 'CONSUMED' and claim_id = $4))
returning *, status as status_now

-- name: void
-- What a gateway found to be over: the state that the person was shown is not there any more.
-- $6, $7: the digest and the fields that it found instead, where it read them.
update approvals
set status = 'CANCELLED', resolved_at = clock_timestamp(), resolved_by = $3, resolved_by_key = $4,
    comment = $5, witness_now_hash = coalesce($6, witness_now_hash),
    witness_now_state = case when $6::text is null then witness_now_state else $7 end
where tenant_id = $1 and approval_id = $2 and status in ('PENDING', 'APPROVED')
  and expires_at > clock_timestamp()
returning *, status as status_now

-- name: sweep
update approvals
set status = case status when 'PENDING' then 'EXPIRED' else 'LAPSED' end
where approval_id in (
    select approval_id from approvals
    where status in ('PENDING', 'APPROVED') and expires_at <= clock_timestamp()
    order by expires_at limit $1 for update skip locked
)
returning tenant_id, approval_id

-- name: escalate
select escalate_approval($1, $2, $3, $4, $5) as came_to

-- name: escalate_due
-- What nobody answered in the time that its rule gives the first groups.
update approvals set escalated_at = clock_timestamp()
where approval_id in (
    select approval_id from approvals
    where status = 'PENDING' and escalated_at is null and escalate_after_seconds is not null
      and created_at + make_interval(secs => escalate_after_seconds) <= clock_timestamp()
      and expires_at > clock_timestamp()
    order by created_at limit $1 for update skip locked
)
returning tenant_id, approval_id

-- name: note_world
-- Another digest than the one that was approved was seen while the approval is open.
update approvals set witness_now_hash = $3, witness_now_state = null
where tenant_id = $1 and approval_id = $2 and status in ('PENDING', 'APPROVED')
  and expires_at > clock_timestamp() and witness_now_hash is distinct from $3
returning approval_id
