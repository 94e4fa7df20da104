-- How far records were sent to places outside, and what is to be sent next.

-- name: begin_webhooks
-- A channel that asks for records ($1: the event) hears of those that come after it did.
insert into stream_cursors (tenant_id, destination, record_id)
select w.tenant_id, w.channel_id::text, coalesce((
        select r.record_id from records r
        where r.tenant_id = w.tenant_id and r.received_at <= w.changed_at
        order by r.record_id desc limit 1), 0)
from channels w
where w.kind = 'webhook' and w.enabled and w.removed_at is null and $1 = any (w.events)
  and not exists (
      select from stream_cursors c
      where c.tenant_id = w.tenant_id and c.destination = w.channel_id::text)
on conflict do nothing

-- name: begin_everywhere
-- $1: a destination of the operator's, which hears of every tenant from now on.
insert into stream_cursors (tenant_id, destination, record_id)
select t.tenant_id, $1, coalesce((
        select r.record_id from records r
        where r.tenant_id = t.tenant_id order by r.record_id desc limit 1), 0)
from tenants t
where not exists (
    select from stream_cursors c where c.tenant_id = t.tenant_id and c.destination = $1)
on conflict do nothing

-- name: claim
-- $1: the event; $2: a destination of the operator's, or null; $3: how many; $4: the lease.
update stream_cursors s
set claim = s.claim + 1, attempts = s.attempts + 1,
    due_at = clock_timestamp() + make_interval(secs => $4)
from (
    select c.tenant_id, c.destination
    from stream_cursors c
    left join channels w on w.tenant_id = c.tenant_id and w.channel_id::text = c.destination
        and w.kind = 'webhook' and w.enabled and w.removed_at is null and $1 = any (w.events)
    where c.due_at <= clock_timestamp() and (w.channel_id is not null or c.destination = $2)
      and exists (
          select from records r where r.tenant_id = c.tenant_id and r.record_id > c.record_id)
    order by c.due_at limit $3 for update of c skip locked
) as due
where s.tenant_id = due.tenant_id and s.destination = due.destination
returning s.tenant_id, s.destination, s.record_id, s.claim, s.attempts

-- name: batch
-- The next $3 records at the most, of $4 bytes or one.
select record_id, gateway_id, seq, hash, kind, effect, line, received_at from (
    select p.*, sum(size) over (order by record_id) - size as bytes_before from (
        select r.*, coalesce(octet_length(r.line), 0) as size from records r
        where r.tenant_id = $1 and r.record_id > $2 order by r.record_id limit $3
    ) as p
) as sized
where bytes_before < $4 order by record_id

-- name: settle
update stream_cursors
set record_id = $4, attempts = 0, problem = null, due_at = clock_timestamp(),
    moved_at = clock_timestamp()
where tenant_id = $1 and destination = $2 and claim = $3 and record_id <= $4

-- name: put_off
update stream_cursors set due_at = clock_timestamp() + make_interval(secs => $4), problem = $5
where tenant_id = $1 and destination = $2 and claim = $3

-- name: behind
-- Each destination of a tenant with how far it is behind; $2 are counted at the most.
select c.destination, w.name, c.record_id, c.attempts, c.problem, c.due_at, c.moved_at,
       (select count(*) from (
            select from records r where r.tenant_id = c.tenant_id and r.record_id > c.record_id
            limit $2) as waiting) as waiting,
       (select r.received_at from records r
        where r.tenant_id = c.tenant_id and r.record_id > c.record_id
        order by r.record_id limit 1) as oldest_at
from stream_cursors c
left join channels w on w.tenant_id = c.tenant_id and w.channel_id::text = c.destination
where c.tenant_id = $1
  and (w.channel_id is null or (w.enabled and w.removed_at is null and $3 = any (w.events)))
order by w.name nulls first

-- name: oldest
-- For how long the oldest unsent record of any tenant waits, by sort of destination.
select case when c.destination = 'otlp' then 'otlp' else 'webhook' end as sort,
       max(extract(epoch from clock_timestamp() - r.received_at)) as seconds
from stream_cursors c
left join channels w on w.tenant_id = c.tenant_id and w.channel_id::text = c.destination
cross join lateral (
    select received_at from records r
    where r.tenant_id = c.tenant_id and r.record_id > c.record_id order by r.record_id limit 1
) as r
where c.destination = $1
   or (w.enabled and w.removed_at is null and $2 = any (w.events))
group by 1
