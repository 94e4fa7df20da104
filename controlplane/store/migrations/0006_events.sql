-- What happened to something that people or programs follow: written by the same statement that made
-- it happen, so that no way around a service can leave it out. Dashboards follow it live, and
-- notifications are made from it.

create table events (
    event_seq  bigint generated always as identity primary key,
    tenant_id  uuid not null references tenants,
    -- Numbers become visible in another order than they were given in; transactions that are over
    -- don't. A reader goes by (made_in, event_seq), below every transaction that still runs.
    made_in    xid8 not null default pg_current_xact_id(),
    kind       text not null,
    subject_id text not null,
    change     text not null,
    at         timestamptz not null default clock_timestamp()
);

create index events_in_order on events (tenant_id, made_in, event_seq);
select wall_tenant('events');

create trigger events_append_only before update on events
    for each row execute function refuse_change();
create trigger events_not_truncated before truncate on events
    for each statement execute function refuse_change();

-- A trigger of whatever is followed: note_event(kind, column of the id, column of the state). An
-- update that leaves the state as it was is no event.
create function note_event() returns trigger language plpgsql as $$
declare
    now_is jsonb := to_jsonb(new);
begin
    if tg_op = 'UPDATE' and to_jsonb(old) ->> tg_argv[2] is not distinct from now_is ->> tg_argv[2]
    then
        return null;
    end if;
    insert into events (tenant_id, kind, subject_id, change)
        values (new.tenant_id, tg_argv[0], now_is ->> tg_argv[1], now_is ->> tg_argv[2]);
    return null;
end
$$;

create trigger approvals_noted after insert or update on approvals
    for each row execute function note_event('approval', 'approval_id', 'status');
