-- What is sent to channels, and what became of it.

-- name: tenants_with_news
select c.tenant_id from channel_cursors c
where exists (
    select from events e
    where e.tenant_id = c.tenant_id and (e.made_in, e.event_seq) > (c.made_in, c.event_seq)
      and e.made_in < pg_snapshot_xmin(pg_current_snapshot())
)
limit $1

-- name: lock_cursor
-- Another replica that works on the same tenant is left to it.
select made_in::text as made_in, event_seq from channel_cursors
where tenant_id = $1 for update skip locked

-- name: move_cursor
update channel_cursors set made_in = $2::text::xid8, event_seq = $3 where tenant_id = $1

-- name: insert
insert into deliveries (
    delivery_id, tenant_id, channel_id, recipient, event_seq, event, kind, subject_id, happened_at
)
select * from unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::text[],
    $8::text[], $9::timestamptz[]
)
on conflict (channel_id, event_seq, recipient) do nothing

-- name: claim
-- $1: channels that are busy; $2: how many of one channel; $3: of all; $4: the lease in seconds.
-- What is about the same thing is sent in the order in which it happened.
update deliveries d
set attempts = d.attempts + 1, claim = d.claim + 1,
    due_at = clock_timestamp() + make_interval(secs => $4)
from (
    select due.delivery_id
    from channels c cross join lateral (
        select p.delivery_id from deliveries p
        where p.channel_id = c.channel_id and p.status = 'PENDING'
          and p.due_at <= clock_timestamp()
          and not exists (
              select from deliveries earlier
              where earlier.channel_id = p.channel_id and earlier.recipient = p.recipient
                and earlier.subject_id = p.subject_id and earlier.delivery_seq < p.delivery_seq
                and earlier.status = 'PENDING'
          )
        order by p.due_at limit $2 for update skip locked
    ) as due
    where c.enabled and c.removed_at is null and c.channel_id <> all ($1)
    limit $3
) as claimed
where d.delivery_id = claimed.delivery_id
returning d.*

-- name: settle
update deliveries
set status = $3, problem = $4, reference = coalesce($5, reference), ended_at = clock_timestamp()
where delivery_id = $1 and claim = $2 and status = 'PENDING'
returning delivery_id

-- name: put_off
update deliveries
set due_at = clock_timestamp() + make_interval(secs => $3), problem = $4
where delivery_id = $1 and claim = $2 and status = 'PENDING'
returning delivery_id

-- name: references_of
-- What the messages about a thing are called in a channel.
select reference from deliveries
where tenant_id = $1 and channel_id = $2 and subject_id = $3 and recipient = ''
  and reference is not null
order by delivery_seq limit $4

-- name: give_up
-- Nothing is sent to a channel that is removed.
update deliveries
set status = 'DEAD', problem = 'the channel was removed', ended_at = clock_timestamp()
where tenant_id = $1 and channel_id = $2 and status = 'PENDING'

-- name: resend
update deliveries d
set status = 'PENDING', attempts = 0, due_at = clock_timestamp(), ended_at = null, problem = null
from channels c
where d.tenant_id = $1 and d.delivery_id = $2 and d.status <> 'PENDING'
  and c.channel_id = d.channel_id and c.removed_at is null
returning d.*

-- name: get
select * from deliveries where tenant_id = $1 and delivery_id = $2

-- name: list
select * from deliveries
where tenant_id = $1 and ($2::uuid is null or channel_id = $2) and ($3::text is null or status = $3)
  and ($4::bigint is null or delivery_seq < $4)
order by delivery_seq desc limit $5

-- name: forget
delete from deliveries where delivery_id in (
    select delivery_id from deliveries
    where ended_at < clock_timestamp() - make_interval(days => $1) limit $2
)
