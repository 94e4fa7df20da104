-- Sessions of the dashboard. Only the SHA-256 of a cookie is ever stored or asked for.

-- name: insert
-- $6: the hash of the secret that was shown, null where none was. One that was rotated out opens no
-- session, which would outlast it; the lock lets no rotation come between.
insert into sessions (session_id, tenant_id, key_id, token_hash, signed_in_by)
select $1, $2, k.key_id, $4, $5 from api_keys k
where k.tenant_id = $2 and k.key_id = $3 and ($6::bytea is null or k.key_hash = $6)
for share of k
returning session_id

-- name: find
-- $2: idle seconds, $3: seconds in all.
select session_id, tenant_id, key_id, signed_in_by, created_at, last_seen_at from sessions
where token_hash = $1 and ended_at is null
  and last_seen_at > clock_timestamp() - make_interval(secs => $2)
  and created_at > clock_timestamp() - make_interval(secs => $3)
  -- Who rotates a key that may be known to others means their sessions too.
  and (signed_in_by <> 'key' or not exists (
      select from api_keys k where k.key_id = sessions.key_id and k.rotated_at >= sessions.created_at
  ))

-- name: touch
update sessions set last_seen_at = clock_timestamp() where session_id = $1 and ended_at is null

-- name: end
update sessions set ended_at = clock_timestamp() where session_id = $1 and ended_at is null

-- name: open
-- $2: of one key, or of all; $3 idle seconds, $4 seconds in all.
select s.session_id, s.key_id, k.name, s.signed_in_by, s.created_at, s.last_seen_at
from sessions s join api_keys k using (key_id)
where s.tenant_id = $1 and ($2::uuid is null or s.key_id = $2) and s.ended_at is null
  and s.last_seen_at > clock_timestamp() - make_interval(secs => $3)
  and s.created_at > clock_timestamp() - make_interval(secs => $4)
  and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
  and (s.signed_in_by <> 'key' or k.rotated_at is null or k.rotated_at < s.created_at)
order by s.last_seen_at desc limit $5

-- name: end_one
-- $3: only where it is of this key.
update sessions set ended_at = clock_timestamp()
where tenant_id = $1 and session_id = $2 and ($3::uuid is null or key_id = $3) and ended_at is null
returning session_id

-- name: end_others
update sessions set ended_at = clock_timestamp()
where key_id = $1 and session_id <> $2 and ended_at is null
returning session_id

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
