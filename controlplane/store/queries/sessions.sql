-- Sessions of the dashboard. Only the SHA-256 of a cookie is ever stored or asked for.

-- name: insert
insert into sessions (session_id, tenant_id, key_id, token_hash, signed_in_by)
values ($1, $2, $3, $4, $5)

-- name: find
-- $2: idle seconds, $3: seconds in all.
select session_id, tenant_id, key_id, signed_in_by, created_at, last_seen_at from sessions
where token_hash = $1 and ended_at is null
  and last_seen_at > clock_timestamp() - make_interval(secs => $2)
  and created_at > clock_timestamp() - make_interval(secs => $3)

-- name: touch
update sessions set last_seen_at = clock_timestamp() where session_id = $1 and ended_at is null

-- name: end
update sessions set ended_at = clock_timestamp() where session_id = $1 and ended_at is null

-- name: end_surplus
-- $2: how many sessions of one key may be open at once; the oldest end.
update sessions set ended_at = clock_timestamp()
where session_id in (
    select session_id from sessions where key_id = $1 and ended_at is null
    order by created_at desc offset $2
)

-- name: forget
delete from sessions where session_id in (
    select session_id from sessions where created_at < clock_timestamp() - make_interval(secs => $1)
    order by created_at limit $2
)

-- name: people_named
select tenant_id, key_id from api_keys
where lower(name) = lower($1) and revoked_at is null and (expires_at is null or expires_at > now())
  and agent_id is null and not permissions && array['Gateway', 'Agent']
order by created_at desc limit 100
