-- Grants. What may be done with them is in the functions of migration 0011; here they are called.

-- name: offer
select offer_grant($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) as grant_id

-- name: is_any
-- Whether an agent has any grant at all, so that most questions cost nothing more.
select exists (
    select from grants
    where tenant_id = $1 and agent = $2 and state = 'ACTIVE' and expires_at > clock_timestamp()
) as is_any

-- name: use
-- $4: every param's name; $5: what each comes to, null where that is no whole number.
select use_grant($1, $2, $3, $4::text[], $5::bigint[], $6, $7, $8) as grant_id

-- name: count_in_force
select count(*) from grants
where tenant_id = $1 and agent = $2 and state = 'ACTIVE' and expires_at > clock_timestamp()

-- part: grants_with_their_acts
select g.*, grant_state_now(g.state, g.expires_at) as state_now,
    a.run_id, a.provider, a.operation, a.action, a.kind, a.authority, a.method, a.policy, a.rule,
    a.target_type, a.target_id, a.summary, used.*, given.*
from grants g
    join approvals a on a.approval_id = g.approval_id
    cross join lateral (
        select count(*) as uses_count, coalesce(sum(u.amount), 0)::bigint as amount_used
        from grant_uses u where u.grant_id = g.grant_id and u.given_back_at is null
    ) as used
    cross join lateral (
        select coalesce(array_agg(s.answered_by order by s.answer_id), '{}') as given_by
        from approval_answers s join grant_offers o using (approval_id, key_id)
        where s.approval_id = g.approval_id and s.answer = 'APPROVED'
    ) as given

-- name: get
{grants_with_their_acts}
where g.tenant_id = $1 and g.grant_id = $2

-- name: of_approval
select grant_id from grants where tenant_id = $1 and approval_id = $2

-- name: list
-- $2: the stored states that can read as the wanted one; $3: the wanted one, or null.
{grants_with_their_acts}
where g.tenant_id = $1
  and ($2::text[] is null or g.state = any ($2))
  and ($3::text is null or grant_state_now(g.state, g.expires_at) = $3)
  and ($4::text is null or g.agent = $4)
  and ($5::bigint is null or g.grant_seq < $5)
order by g.grant_seq desc
limit $6

-- name: uses
select use_id, approval_id, amount, used_at, given_back_at from grant_uses
where tenant_id = $1 and grant_id = $2
order by use_id desc
limit $3

-- name: revoke
select revoke_grant($1, $2, $3, $4, $5) as is_revoked

-- name: sweep
update grants set state = 'EXPIRED', ended_at = expires_at
where grant_id in (
    select grant_id from grants
    where state = 'ACTIVE' and expires_at <= clock_timestamp()
    order by expires_at limit $1 for update skip locked
)
returning tenant_id
