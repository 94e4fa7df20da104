-- Counters of limits. The statements that change them are functions of the schema: each runs in one
-- round trip, so that a lock is held for no longer than its commit takes.

-- name: lock
-- Every place of a batch at once: taken one demand after the other, they could be out of order.
select lock_limits(array_agg(distinct place order by place)) from (
    select limit_place(tenant_id, limit_name, key) as place
    from unnest($1::uuid[], $2::text[], $3::text[]) as c (tenant_id, limit_name, key)
    union all
    select owner_place(tenant_id, owner)
    from unnest($4::uuid[], $5::text[]) as o (tenant_id, owner)
) as places

-- name: reserve
select token, limits, keys, used, exceeded
from reserve_limits($1, $2, $3, $4, $5, $6, $7::text[], $8::text[], $9::bigint[], $10::bigint[],
                    $11::bigint[], $12::bigint[], $13::boolean[])

-- name: start
select start_limits($1, $2, $3) as started

-- name: lock_open
select lock_limits(coalesce(array_agg(distinct place order by place), '{}'))
from limit_reservations r
join unnest($1::uuid[], $2::uuid[]) as o (tenant_id, token) using (tenant_id, token),
unnest(r.places) as place

-- name: settle
select settle_limits($1, $2, $3) as needs_disk

-- name: leave_to_the_disk
set local synchronous_commit = off

-- name: release
select release_limits($1, $2)

-- name: sweep
select sweep_limits($1, $2) as count

-- name: full_tenants
-- Counted only where the planner's estimate says that it may be worth it.
select tenant_id from limit_uses
where (select coalesce(sum(reltuples), 0) from pg_class
       where oid = 'limit_uses'::regclass) >= $1::bigint
group by tenant_id having count(*) >= $1::bigint

-- name: list
-- Counters that something still counts in, newest first, as of their last change.
select c.counter_id, c.limit_name, c.key, c.counted_since, c.changed_at,
       least(limit_used(c, c.counted_since, n.now), 9007199254740991)::bigint as used,
       least(coalesce(h.held, 0), 9007199254740991)::bigint as held
from limit_counters c
cross join (select limits_now() as now offset 0) n
left join lateral (
    select sum(u.amount) as held from limit_uses u
    where u.counter_id = c.counter_id and u.lapses_at > n.now and u.at > c.counted_since
) h on true
where c.tenant_id = $1
  and ($2::text is null or c.limit_name = $2)
  and ($3::text is null or c.key = $3)
  and ($4::bigint is null or c.counter_id < $4)
  and exists (select from limit_uses u
              where u.counter_id = c.counter_id and u.expires_at > n.now
                and (u.lapses_at is null or u.lapses_at > n.now))
order by c.counter_id desc
limit $5
