-- What the dashboard's overview draws, from counts that are small already.

-- name: pending_count
-- $2 bounds the work: beyond it the exact number says nothing more to a person.
select count(*) from (
    select 1 from approvals
    where tenant_id = $1 and status = 'PENDING' and expires_at > now() limit $2
) as pending
