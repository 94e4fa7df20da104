-- Which checkpoints are to be kept elsewhere, and what became of that.

-- name: make
-- $1: the place; $2: the status that it begins with; $3: how often; $4: how often without growth;
-- $5: the event that webhook channels ask for.
-- What waits there already goes first: a place that is away collects one checkpoint, not hundreds.
insert into log_anchors (tenant_id, checkpoint_id, place, status, ended_at)
select t.tenant_id, c.checkpoint_id, $1, $2,
    case when $2 = 'PENDING' then null else clock_timestamp() end
from tenants t
cross join lateral (
    select checkpoint_id, size from log_checkpoints
    where tenant_id = t.tenant_id order by checkpoint_seq desc limit 1
) as c
left join lateral (
    select a.made_at, a.status, p.size
    from log_anchors a join log_checkpoints p using (checkpoint_id)
    where a.tenant_id = t.tenant_id and a.place = $1 order by a.anchor_seq desc limit 1
) as last on true
where (last.made_at is null
    or (last.status <> 'PENDING' and (
        (c.size > last.size and last.made_at < clock_timestamp() - make_interval(secs => $3))
        or last.made_at < clock_timestamp() - make_interval(secs => $4))))
    and ($1 <> 'webhook' or exists (
        select from channels w
        where w.tenant_id = t.tenant_id and w.kind = 'webhook' and w.enabled
            and w.removed_at is null and $5 = any (w.events)))
on conflict do nothing
returning anchor_seq

-- name: claim
update log_anchors a
set attempts = a.attempts + 1, due_at = clock_timestamp() + make_interval(secs => $2)
from log_checkpoints c, (
    select anchor_seq from log_anchors
    where status = 'PENDING' and due_at <= clock_timestamp()
    order by due_at limit $1 for update skip locked
) as due
where a.anchor_seq = due.anchor_seq and c.checkpoint_id = a.checkpoint_id
returning a.*, c.size

-- name: settle
update log_anchors
set status = 'ANCHORED', reference = $2, problem = null, ended_at = clock_timestamp()
where anchor_seq = $1 and status = 'PENDING'
returning anchor_seq

-- name: put_off
update log_anchors set due_at = clock_timestamp() + make_interval(secs => $2), problem = $3
where anchor_seq = $1 and status = 'PENDING'
returning anchor_seq

-- name: newest
-- Of each place the newest one, and the newest one that is there.
select a.*, c.size
from (values ('file'), ('s3'), ('webhook')) as places (place)
cross join lateral (
    (select * from log_anchors
     where tenant_id = $1 and place = places.place order by anchor_seq desc limit 1)
    union
    (select * from log_anchors
     where tenant_id = $1 and place = places.place and status = 'ANCHORED'
     order by anchor_seq desc limit 1)
) as a
join log_checkpoints c using (checkpoint_id)
order by a.place, a.anchor_seq desc

-- name: list
select a.*, c.size from log_anchors a join log_checkpoints c using (checkpoint_id)
where a.tenant_id = $1 and ($2::bigint is null or a.anchor_seq < $2)
order by a.anchor_seq desc limit $3

-- name: late_count
select count(*) from log_anchors
where status = 'PENDING' and made_at < clock_timestamp() - make_interval(secs => $1)
