-- Runs, the steps of them, and how far the records are read into both.

create table runs (
    run_seq       bigint generated always as identity unique,
    run_id        uuid primary key,
    tenant_id     uuid not null references tenants,
    agent         text not null check (char_length(agent) between 1 and 256),
    -- What the program calls it in its proxy credentials; empty for traffic that names no run.
    name          text not null check (char_length(name) <= 256),
    origin        text not null check (origin in ('api', 'gateway')),
    mode          text not null check (mode in ('enforce', 'monitor')),
    goal          text not null default '' check (char_length(goal) <= 2000),
    status        text not null check (status in
        ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    created_at    timestamptz not null default clock_timestamp(),
    started_at    timestamptz,
    last_step_at  timestamptz,
    ended_at      timestamptz,
    ended_by      text check (char_length(ended_by) between 1 and 256),
    ended_by_key  uuid references api_keys,
    end_reason    text check (char_length(end_reason) <= 500),
    step_count    bigint not null default 0,
    blocked_count bigint not null default 0,
    held_count    bigint not null default 0,
    check ((ended_at is null) = (status in ('PENDING', 'RUNNING')))
);

-- INVARIANT(one-open-run): a name means one run of an agent at a time.
create unique index runs_open on runs (tenant_id, agent, name)
    where status in ('PENDING', 'RUNNING');
create index runs_named on runs (tenant_id, agent, name, run_seq desc);
create index runs_newest on runs (tenant_id, run_seq desc);
create index runs_of_agents on runs (tenant_id, agent, created_at);
create index runs_idle on runs (last_step_at) where origin = 'gateway' and status = 'RUNNING';
select wall_tenant('runs');

create function guard_run() returns trigger language plpgsql as $$
declare
    changeable constant text[] := array['status', 'started_at', 'last_step_at', 'ended_at',
        'ended_by', 'ended_by_key', 'end_reason', 'step_count', 'blocked_count', 'held_count'];
begin
    if tg_op = 'DELETE' then
        raise exception 'runs are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if to_jsonb(new) - changeable is distinct from to_jsonb(old) - changeable then
        raise exception 'whose run it is and what for does not change'
            using errcode = 'check_violation';
    end if;
    if old.status <> new.status and (old.status, new.status) not in (
        ('PENDING', 'RUNNING'), ('PENDING', 'COMPLETED'), ('PENDING', 'FAILED'),
        ('PENDING', 'CANCELLED'), ('RUNNING', 'COMPLETED'), ('RUNNING', 'FAILED'),
        ('RUNNING', 'CANCELLED')
    ) then
        raise exception 'a run does not move from % to %', old.status, new.status
            using errcode = 'check_violation';
    end if;
    -- Steps of a run may become known after its end; the end itself stays as it was.
    if old.ended_at is not null and (old.ended_at, old.ended_by, old.end_reason)
        is distinct from (new.ended_at, new.ended_by, new.end_reason)
    then
        raise exception 'a run ends once' using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger runs_guard before update or delete on runs
    for each row execute function guard_run();
create trigger runs_not_truncated before truncate on runs
    for each statement execute function refuse_change();
create trigger runs_noted after insert or update on runs
    for each row execute function note_event('run', 'run_id', 'status');

-- One row for each decision of a run. What became of it stands in the records, which are read
-- beside it: a step never changes. Partitions are by the time of arrival, which is the database's.
create table run_steps (
    tenant_id    uuid not null,
    run_id       uuid not null,
    step_index   bigint not null,
    recorded_at  timestamptz not null,
    decided_at   timestamptz not null,
    record_id    bigint not null,
    decision_id  text not null,
    agent        text not null,
    provider     text not null,
    operation    text not null,
    action       text not null,
    kind         text not null,
    target_type  text not null,
    target_id    text not null,
    action_count integer not null,
    effect       text not null,
    mode         text not null,
    policy       text,
    rule         text,
    reason_code  text not null,
    message      text not null,
    risk         smallint,
    primary key (run_id, step_index, recorded_at)
) partition by range (recorded_at);

create index run_steps_of_decisions on run_steps (tenant_id, decision_id);
create index run_steps_blocked on run_steps (tenant_id, agent, decided_at)
    where effect = 'BLOCK' and mode = 'enforce';
select wall_tenant('run_steps');

create trigger run_steps_append_only before update or delete on run_steps
    for each row execute function refuse_change();
create trigger run_steps_not_truncated before truncate on run_steps
    for each statement execute function refuse_change();

-- What no partition was made for in time: it is kept, and not lost.
create table run_steps_rest partition of run_steps default;
select wall_tenant('run_steps_rest');

-- Makes the partitions of this month and of the next ones of one of the two tables that have any, and
-- says how many. With the owner's rights, since the service's role may make no table. A month whose
-- rows went to the rest already stays there.
create function make_month_partitions(parent text, months_ahead integer) returns integer
    language plpgsql security definer set search_path = checkrein, pg_temp as $$
declare
    month date := date_trunc('month', now() at time zone 'UTC')::date;
    made integer := 0;
    part text;
begin
    if parent not in ('records', 'run_steps') then
        raise exception '% has no months', parent using errcode = 'invalid_parameter_value';
    end if;
    for ahead in 0 .. least(greatest(months_ahead, 0), 24) loop
        part := parent || '_' || to_char(month, 'YYYY_MM');
        if to_regclass('checkrein.' || part) is null then
            begin
                execute format(
                    'create table %I partition of %I for values from (%L) to (%L)', part, parent,
                    to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
                    to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
                perform wall_tenant(part::regclass);
                execute format(
                    'create trigger not_truncated before truncate on %I '
                    'for each statement execute function refuse_change()', part);
                made := made + 1;
            -- Rows of the month are in the rest, or in what was there before.
            exception when check_violation or invalid_object_definition or duplicate_table then
                null;
            end;
        end if;
        month := (month + interval '1 month')::date;
    end loop;
    return made;
end
$$;

revoke all on function make_month_partitions(text, integer) from public;
select make_month_partitions('run_steps', 3);

-- How far a tenant's records are read into runs, steps and incidents. Moved in the transaction that
-- wrote what was read: each record counts once, whoever is killed when.
create table projection_cursors (
    tenant_id  uuid primary key references tenants,
    record_id  bigint not null default 0,
    moved_at   timestamptz not null default clock_timestamp()
);
select wall_tenant('projection_cursors');
