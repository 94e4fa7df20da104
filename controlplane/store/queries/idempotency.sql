-- Requests that are carried out once. A commit here waits for no disk of its own: what the request
-- itself changes is committed between these two, and takes the first with it; without the second a
-- repeat is refused until the time is over, and nothing is done twice.

-- name: begin
-- The row is ours when it comes back. $7: seconds; $8: how many one key may have.
with quick as materialized (select set_config('synchronous_commit', 'off', true))
insert into idempotency_keys (
    tenant_id, key_id, route, idempotency_key, request_digest, attempt_id, expires_at
)
select $1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7)
from quick
where $8::integer > (
    select count(*) from (
        select 1 from idempotency_keys where tenant_id = $1 and key_id = $2 limit $8
    ) as these
)
on conflict (tenant_id, key_id, route, idempotency_key) do update
set request_digest = excluded.request_digest, attempt_id = excluded.attempt_id,
    expires_at = excluded.expires_at, status = null, sealed_answer = null
where idempotency_keys.expires_at <= clock_timestamp()
returning attempt_id

-- name: find
select request_digest, status, sealed_answer from idempotency_keys
where tenant_id = $1 and key_id = $2 and route = $3 and idempotency_key = $4
  and expires_at > clock_timestamp()

-- name: finish
with quick as materialized (select set_config('synchronous_commit', 'off', true))
update idempotency_keys set status = $6, sealed_answer = $7
from quick
where tenant_id = $1 and key_id = $2 and route = $3 and idempotency_key = $4 and attempt_id = $5
  and status is null

-- name: abandon
delete from idempotency_keys
where tenant_id = $1 and key_id = $2 and route = $3 and idempotency_key = $4 and attempt_id = $5
  and status is null

-- name: sweep
delete from idempotency_keys
where (tenant_id, key_id, route, idempotency_key) in (
    select tenant_id, key_id, route, idempotency_key from idempotency_keys
    where expires_at <= clock_timestamp() order by expires_at limit $1 for update skip locked
)
returning 1
