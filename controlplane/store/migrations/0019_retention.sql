-- What is kept for how long. A body may be erased: the line of a record, and what repeats it. What
-- proves it may not: its number, its hash, its leaf, and who decided what by which rule. Each
-- erasure is itself written down; and what is sent on to other systems knows how far it came.

-- The newest one of a tenant counts; the others say who wanted what before. `days` null: as the
-- installation has it; 0: for ever.
create table retention_rules (
    rule_seq   bigint generated always as identity primary key,
    tenant_id  uuid not null references tenants,
    days       integer check (days between 0 and 36500),
    legal_hold boolean not null,
    reason     text not null check (char_length(reason) between 1 and 2000),
    set_by     text not null check (char_length(set_by) between 1 and 256),
    set_by_key uuid not null references api_keys,
    set_at     timestamptz not null default clock_timestamp()
);

create index retention_rules_newest on retention_rules (tenant_id, rule_seq desc);

-- How far a tenant's records are erased by their age.
create table retention_cursors (
    tenant_id uuid primary key references tenants,
    record_id bigint not null default 0
);

-- What was erased, by whom and why; `set_by_key` null: by its age.
create table erasures (
    erasure_seq     bigint generated always as identity primary key,
    erasure_id      uuid not null unique default gen_random_uuid(),
    tenant_id       uuid not null references tenants,
    cause           text not null check (cause in ('AGE', 'REQUEST')),
    decision_id     text,
    first_record_id bigint,
    last_record_id  bigint,
    record_count    integer not null check (record_count >= 0),
    approval_count  integer not null check (approval_count >= 0),
    incident_count  integer not null check (incident_count >= 0),
    -- Of what came before this; null of what was erased on request.
    before          timestamptz,
    reason          text not null,
    erased_by       text not null,
    erased_by_key   uuid references api_keys,
    erased_at       timestamptz not null default clock_timestamp(),
    check ((cause = 'AGE') = (before is not null)),
    check ((cause = 'REQUEST') = (erased_by_key is not null and decision_id is not null))
);

create index erasures_newest on erasures (tenant_id, erasure_seq desc);

create trigger retention_rules_append_only before update or delete on retention_rules
    for each row execute function refuse_change();
create trigger erasures_append_only before update or delete on erasures
    for each row execute function refuse_change();

create function note_erasure() returns trigger language plpgsql as $$
begin
    insert into events (tenant_id, kind, subject_id, change)
        values (new.tenant_id, 'erasure', new.erasure_id::text, new.cause);
    return null;
end
$$;

create trigger erasures_noted after insert on erasures
    for each row execute function note_erasure();

create function note_retention() returns trigger language plpgsql as $$
begin
    insert into events (tenant_id, kind, subject_id, change)
        values (new.tenant_id, 'retention', new.tenant_id::text, 'SET');
    return null;
end
$$;

create trigger retention_rules_noted after insert on retention_rules
    for each row execute function note_retention();

-- A tenant's rule and its erasures take turns: after a legal hold was stored nothing is erased, not
-- even by a batch that had begun.
create function retention_place(tenant_id uuid) returns bigint language sql immutable as $$
    select hashtextextended('retention ' || tenant_id::text, 0)
$$;

create function await_erasures() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(retention_place(new.tenant_id));
    return new;
end
$$;

create trigger retention_rules_in_turn before insert on retention_rules
    for each row execute function await_erasures();

-- INVARIANT(append-only): of a record only the line can go, once, and nothing takes its place.
alter table records alter column line drop not null;
drop trigger records_append_only on records;

create function guard_record() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.line is null or new.line is not null
        or (new.record_id, new.tenant_id, new.gateway_id, new.seq, new.hash, new.kind, new.at,
            new.agent, new.effect, new.decision_id, new.received_at)
        is distinct from
           (old.record_id, old.tenant_id, old.gateway_id, old.seq, old.hash, old.kind, old.at,
            old.agent, old.effect, old.decision_id, old.received_at)
    then
        raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

create trigger records_append_only before update or delete on records
    for each row execute function guard_record();

-- Of whatever repeats a body only these columns go, and each to the one value that stands for what
-- was erased: null where there may be none, else the empty text or object, or `erased`.
create function guard_erasure() returns trigger language plpgsql as $$
declare
    was jsonb := to_jsonb(old);
    is_now jsonb := to_jsonb(new);
    column_name text;
begin
    if tg_op = 'DELETE' or is_now - tg_argv is distinct from was - tg_argv then
        raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
    end if;
    foreach column_name in array tg_argv loop
        if column_name <> 'erased_at' and is_now -> column_name is distinct from was -> column_name
            and coalesce(is_now ->> column_name, '') not in ('', '{}', 'erased')
        then
            raise exception '% is append-only', tg_table_name
                using errcode = 'insufficient_privilege';
        end if;
    end loop;
    return new;
end
$$;

drop trigger run_steps_append_only on run_steps;
create trigger run_steps_append_only before update or delete on run_steps
    for each row execute function guard_erasure('target_id', 'message');

drop trigger unknown_outcomes_append_only on unknown_outcomes;
create trigger unknown_outcomes_append_only before update or delete on unknown_outcomes
    for each row execute function guard_erasure('target_id');

alter table approvals add column erased_at timestamptz;
drop trigger approvals_guard on approvals;
create trigger approvals_guard before update on approvals
    for each row when (old.erased_at is not distinct from new.erased_at)
    execute function guard_approval();
create trigger approvals_not_deleted before delete on approvals
    for each row execute function guard_approval();
create trigger approvals_erased before update on approvals
    for each row when (old.erased_at is distinct from new.erased_at)
    execute function guard_erasure('params', 'path', 'target_id', 'summary', 'message', 'request',
        'resource_id', 'witness_state', 'witness_now_state', 'erased_at');
create index approvals_unerased on approvals (tenant_id, created_at) where erased_at is null;

alter table incidents add column erased_at timestamptz;
drop trigger incidents_guard on incidents;
create trigger incidents_guard before update on incidents
    for each row when (old.erased_at is not distinct from new.erased_at)
    execute function guard_incident();
create trigger incidents_not_deleted before delete on incidents
    for each row execute function guard_incident();
create trigger incidents_erased before update on incidents
    for each row when (old.erased_at is distinct from new.erased_at)
    execute function guard_erasure('title', 'summary', 'target', 'erased_at');
create index incidents_unerased on incidents (tenant_id, last_seen_at) where erased_at is null;

-- Erases the lines of records, and the steps and outcomes that repeat them. How many lines.
create function erase_records(of_tenant uuid, ids bigint[], decisions text[]) returns integer
    language plpgsql set search_path = checkrein, pg_temp as $$
declare
    erased integer;
begin
    update records set line = null
        where tenant_id = of_tenant and record_id = any (ids) and line is not null;
    get diagnostics erased = row_count;
    update run_steps set target_id = '', message = ''
        where tenant_id = of_tenant and record_id = any (ids)
            and (target_id, message) is distinct from ('', '');
    update unknown_outcomes set target_id = ''
        where tenant_id = of_tenant and decision_id = any (decisions) and target_id <> '';
    return erased;
end
$$;

-- What a person was asked, of questions that are over. How many.
create function erase_approvals(of_tenant uuid, ids uuid[]) returns integer
    language plpgsql set search_path = checkrein, pg_temp as $$
declare
    erased integer;
begin
    update approvals set
        params = '{}', path = '', target_id = '', summary = '', message = '', request = null,
        resource_id = null, erased_at = clock_timestamp(),
        witness_state = case when witness_state is not null then '{}' end,
        witness_now_state = case when witness_now_state is not null then '{}' end
        where tenant_id = of_tenant and approval_id = any (ids) and erased_at is null
            and (status not in ('PENDING', 'APPROVED') or expires_at <= now() - interval '1 day');
    get diagnostics erased = row_count;
    return erased;
end
$$;

create function erase_incidents(of_tenant uuid, ids uuid[]) returns integer
    language plpgsql set search_path = checkrein, pg_temp as $$
declare
    erased integer;
begin
    update incidents set title = 'erased', summary = '', target = null, erased_at = clock_timestamp()
        where tenant_id = of_tenant and incident_id = any (ids) and erased_at is null;
    get diagnostics erased = row_count;
    return erased;
end
$$;

-- Whether a tenant's bodies may be erased at all, and after how many days.
create function erasable_after(of_tenant uuid, default_days integer, out days integer,
    out is_held boolean) language plpgsql stable set search_path = checkrein, pg_temp as $$
begin
    if not acts_for(of_tenant) then
        raise exception 'another tenant' using errcode = 'insufficient_privilege';
    end if;
    select r.days, r.legal_hold into days, is_held from retention_rules r
        where r.tenant_id = of_tenant order by rule_seq desc limit 1;
    days := coalesce(days, default_days);
    is_held := coalesce(is_held, false);
end
$$;

-- How far both the log and the runs have read a tenant's records: behind it nothing is erased.
create function read_through(of_tenant uuid) returns bigint language sql stable as $$
    select least(
        coalesce((select through_record_id from log_heads where tenant_id = of_tenant), 0),
        coalesce((select record_id from projection_cursors where tenant_id = of_tenant), 0))
$$;

-- INVARIANT(erasure-is-told): these two functions erase, nothing else has the right to, and each
-- writes down what it did in the same transaction.

-- Erases what is older than the tenant's rule says, `rows_max` of each sort at the most. How many
-- there were; 0: nothing is left, or another replica is at it.
create function erase_old(of_tenant uuid, default_days integer, rows_max integer) returns integer
    language plpgsql security definer set search_path = checkrein, pg_temp as $$
declare
    rule record;
    cutoff timestamptz;
    done_through bigint;
    moved_to bigint;
    ids bigint[];
    decisions text[];
    asked uuid[];
    opened uuid[];
    counts integer[];
begin
    if not pg_try_advisory_xact_lock(retention_place(of_tenant)) then
        return 0;
    end if;
    select * into rule from erasable_after(of_tenant, default_days);
    if rule.is_held or rule.days < 1 then
        return 0;
    end if;
    cutoff := clock_timestamp() - make_interval(days => rule.days);
    insert into retention_cursors (tenant_id) values (of_tenant) on conflict do nothing;
    select record_id into done_through from retention_cursors where tenant_id = of_tenant;
    with page as materialized (
        select record_id, received_at, decision_id, line is not null as is_there from records
        where tenant_id = of_tenant and record_id > done_through
            and record_id <= read_through(of_tenant)
        order by record_id limit rows_max
    ), young as (
        select coalesce(min(record_id), 9223372036854775807) as first
        from page where received_at >= cutoff
    )
    select array_agg(record_id) filter (where is_there),
        array_agg(distinct decision_id) filter (where decision_id is not null), max(record_id)
        into ids, decisions, moved_to
        from page, young where record_id < young.first;
    select array_agg(approval_id) into asked from (
        select approval_id from approvals
        where tenant_id = of_tenant and erased_at is null and created_at < cutoff
            and (status not in ('PENDING', 'APPROVED') or expires_at <= now() - interval '1 day')
        order by created_at limit rows_max) as a;
    select array_agg(incident_id) into opened from (
        select incident_id from incidents
        where tenant_id = of_tenant and erased_at is null and last_seen_at < cutoff
            and status = 'RESOLVED'
        order by last_seen_at limit rows_max) as i;
    if moved_to is not null then
        update retention_cursors set record_id = moved_to where tenant_id = of_tenant;
    end if;
    counts := array[
        case when moved_to is null then 0 else erase_records(of_tenant, ids, decisions) end,
        case when asked is null then 0 else erase_approvals(of_tenant, asked) end,
        case when opened is null then 0 else erase_incidents(of_tenant, opened) end];
    if counts <> array[0, 0, 0] then
        insert into erasures (tenant_id, cause, first_record_id, last_record_id, record_count,
                approval_count, incident_count, before, reason, erased_by)
            values (of_tenant, 'AGE', done_through + 1, coalesce(moved_to, done_through),
                counts[1], counts[2], counts[3], cutoff,
                'older than ' || rule.days || ' days', 'checkrein');
    end if;
    return greatest(counts[1] + counts[2] + counts[3], case when moved_to is null then 0 else 1 end);
end
$$;

-- Erases the bodies of one decision, for a reason that a person gives.
create function erase_decision(of_tenant uuid, wanted text, by_name text, by_key uuid, why text)
    returns text language plpgsql security definer set search_path = checkrein, pg_temp as $$
declare
    rule record;
    ids bigint[];
    erased integer;
    asked_count integer;
    opened_count integer;
begin
    perform pg_advisory_xact_lock(retention_place(of_tenant));
    select * into rule from erasable_after(of_tenant, 0);
    select array_agg(record_id) into ids from records
        where tenant_id = of_tenant and decision_id = wanted;
    if ids is null then
        return 'NOT_FOUND';
    elsif rule.is_held then
        return 'HELD';
    elsif exists (select from unnest(ids) as id where id > read_through(of_tenant))
        or exists (select from approvals where tenant_id = of_tenant and decision_id = wanted
            and status in ('PENDING', 'APPROVED') and expires_at > now() - interval '1 day')
        or exists (select from incidents where tenant_id = of_tenant
            and decision_ids @> array[wanted] and status <> 'RESOLVED')
    then
        return 'IN_USE';
    end if;
    erased := erase_records(of_tenant, ids, array[wanted]);
    asked_count := erase_approvals(of_tenant, array(
        select approval_id from approvals where tenant_id = of_tenant and decision_id = wanted));
    opened_count := erase_incidents(of_tenant, array(
        select incident_id from incidents
        where tenant_id = of_tenant and decision_ids @> array[wanted]));
    if erased + asked_count + opened_count = 0 then
        return 'ERASED_BEFORE';
    end if;
    insert into erasures (tenant_id, cause, decision_id, first_record_id, last_record_id,
            record_count, approval_count, incident_count, reason, erased_by, erased_by_key)
        select of_tenant, 'REQUEST', wanted, min(id), max(id), erased, asked_count, opened_count,
            why, by_name, by_key
        from unnest(ids) as id;
    return 'DONE';
end
$$;

revoke all on function erase_records(uuid, bigint[], text[]) from public;
revoke all on function erase_approvals(uuid, uuid[]) from public;
revoke all on function erase_incidents(uuid, uuid[]) from public;
revoke all on function erase_old(uuid, integer, integer) from public;
revoke all on function erase_decision(uuid, text, text, uuid, text) from public;

-- What stands in the place of an erased line: as a reader of exact lines gets it (the same as in an
-- export of the log), and as who tells of decisions does.
create function line_or_place(r records) returns text language sql stable as $$
    select coalesce(r.line, '{"erased":{"gateway":' || to_json(r.gateway_id)::text
        || ',"hash":"' || r.hash || '","prev":"' || coalesce((
            select p.hash from records p where p.tenant_id = r.tenant_id
                and p.gateway_id = r.gateway_id and p.seq = r.seq - 1), repeat('0', 64))
        || '","seq":' || r.seq || '}}')
$$;

create function line_told(r records) returns text language sql stable as $$
    select coalesce(r.line, json_build_object('agent', r.agent, 'at', r.at, 'decision_id',
        r.decision_id, 'effect', r.effect, 'erased', true, 'kind', r.kind)::text)
$$;

-- How far the records of a tenant were sent to a place outside: `destination` is a channel's id, or
-- `otlp`. Moved when the other side said that it has them, so that a crash sends some again and
-- loses none. `due_at` of one that is being sent is the end of the lease.
create table stream_cursors (
    tenant_id   uuid not null references tenants,
    destination text not null check (char_length(destination) between 1 and 64),
    record_id   bigint not null,
    claim       bigint not null default 0,
    attempts    integer not null default 0,
    due_at      timestamptz not null default clock_timestamp(),
    -- Why the last attempt failed, in words that hold no secret.
    problem     text,
    moved_at    timestamptz not null default clock_timestamp(),
    primary key (tenant_id, destination)
);

do $$
declare
    name text;
begin
    foreach name in array array['retention_rules', 'retention_cursors', 'erasures',
        'stream_cursors']
    loop
        perform wall_tenant(name::regclass);
        execute format('create trigger %I before truncate on %I for each statement '
            'execute function refuse_change()', name || '_not_truncated', name);
    end loop;
end
$$;
