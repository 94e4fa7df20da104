-- What comes back from channels: links that were mailed, and callbacks that were taken.

-- name: insert_link
insert into mail_links (
    link_hash, tenant_id, channel_id, approval_id, key_id, expires_at
)
values ($1, $2, $3, $4, $5, $6)

-- name: link
select tenant_id, channel_id, approval_id, key_id, used_at,
    expires_at <= clock_timestamp() as is_over
from mail_links where link_hash = $1

-- name: use_link
-- Once, of however many that try at the same time.
update mail_links set used_at = clock_timestamp()
where link_hash = $1 and used_at is null and expires_at > clock_timestamp()
returning approval_id

-- name: give_back_link
update mail_links set used_at = null where link_hash = $1

-- name: see
insert into callbacks_seen (channel_id, tenant_id, signature) values ($1, $2, $3)
on conflict do nothing returning signature

-- name: forget_callbacks
delete from callbacks_seen where seen_at < clock_timestamp() - make_interval(secs => $1)

-- name: forget_links
delete from mail_links where link_hash in (
    select link_hash from mail_links
    where expires_at < clock_timestamp() - make_interval(days => $1) limit $2
)
