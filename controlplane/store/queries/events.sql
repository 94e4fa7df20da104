-- What happened, in the order of the transactions that are over: by the column of the table, a number,
-- and not by its text in the answer.

-- name: after
-- $2, $3: the last one seen.
select event_seq, made_in::text as made_in, kind, subject_id, change, at from events
where tenant_id = $1 and (made_in, event_seq) > ($2::text::xid8, $3)
  and made_in < pg_snapshot_xmin(pg_current_snapshot())
order by events.made_in, event_seq limit $4

-- name: newest
select event_seq, made_in::text as made_in from events
where tenant_id = $1 and made_in < pg_snapshot_xmin(pg_current_snapshot())
order by events.made_in desc, event_seq desc limit 1

-- name: forget
-- Events wake people and programs; what they tell of stands elsewhere. The oldest $2 are looked at, in
-- the order in which they came, so that a look that finds nothing to forget costs as little.
delete from events where event_seq in (
    select event_seq from (select event_seq, at from events order by event_seq limit $2) as oldest
    where at < clock_timestamp() - make_interval(days => $1)
)
returning event_seq
