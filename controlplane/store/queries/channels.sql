-- Channels and their people. A removed channel keeps its row for what was sent there.

-- name: count
select count(*) from channels where tenant_id = $1 and removed_at is null

-- name: insert
insert into channels (
    channel_id, tenant_id, name, kind, settings, secrets, events, groups, severity, enabled
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict do nothing
returning *

-- name: begin_cursor
-- The first channel of a tenant hears what is to come, not what is over.
insert into channel_cursors (tenant_id, made_in, event_seq)
select $1, coalesce(newest.made_in, '0'::xid8), coalesce(newest.event_seq, 0)
from (select 1) as always left join lateral (
    select made_in, event_seq from events
    where tenant_id = $1 and made_in < pg_snapshot_xmin(pg_current_snapshot())
    order by made_in desc, event_seq desc limit 1
) as newest on true
on conflict do nothing

-- name: update
update channels
set name = $3, settings = $4, secrets = $5, events = $6, groups = $7, severity = $8, enabled = $9,
    changed_at = clock_timestamp()
where tenant_id = $1 and channel_id = $2 and removed_at is null
  and not exists (
      select from channels other
      where other.tenant_id = $1 and other.channel_id <> $2 and other.removed_at is null
        and lower(other.name) = lower($3)
  )
returning *

-- name: remove
update channels
set removed_at = clock_timestamp(), enabled = false, secrets = null
where tenant_id = $1 and channel_id = $2 and removed_at is null
returning *

-- name: get
select * from channels where tenant_id = $1 and channel_id = $2 and removed_at is null

-- name: find
select * from channels where channel_id = $1 and removed_at is null

-- name: list
select * from channels where tenant_id = $1 and removed_at is null order by lower(name)

-- name: people
select p.address, p.key_id, k.name, k.groups from channel_people p join api_keys k using (key_id)
where p.tenant_id = $1 and p.channel_id = $2 and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > clock_timestamp())
order by p.address

-- name: forget_people
delete from channel_people where tenant_id = $1 and channel_id = $2

-- name: insert_people
-- Only people's keys of the same tenant.
insert into channel_people (tenant_id, channel_id, address, key_id)
select $1, $2, given.address, k.key_id
from unnest($3::text[], $4::uuid[]) as given (address, key_id)
join api_keys k on k.key_id = given.key_id
where k.tenant_id = $1 and k.revoked_at is null and not k.permissions && array['Gateway', 'Agent']
returning address

-- name: person_at
select key_id from channel_people where tenant_id = $1 and channel_id = $2 and address = $3
