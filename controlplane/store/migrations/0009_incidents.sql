-- Incidents, the outcomes that nobody could see, and what people found out about these.

create table incidents (
    incident_seq     bigint generated always as identity unique,
    incident_id      uuid primary key,
    tenant_id        uuid not null references tenants,
    origin           text not null check (origin in ('api', 'watch')),
    severity         text not null check (severity in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    reason_code      text not null check (char_length(reason_code) between 1 and 256),
    title            text not null check (char_length(title) between 1 and 500),
    summary          text not null default '' check (char_length(summary) <= 8192),
    agent            text check (char_length(agent) <= 256),
    run_id           uuid references runs,
    target           text check (char_length(target) <= 600),
    -- What makes two occurrences one incident; null where a person or a program opened it.
    group_key        text check (char_length(group_key) <= 128),
    occurrences      bigint not null default 1 check (occurrences >= 1),
    -- The newest of them.
    decision_ids     text[] not null default '{}' check (cardinality(decision_ids) <= 20),
    approval_ids     text[] not null default '{}' check (cardinality(approval_ids) <= 20),
    status           text not null default 'OPEN'
        check (status in ('OPEN', 'ACKNOWLEDGED', 'RESOLVED')),
    opened_by        text not null check (char_length(opened_by) between 1 and 256),
    opened_at        timestamptz not null default clock_timestamp(),
    last_seen_at     timestamptz not null default clock_timestamp(),
    acknowledged_at  timestamptz,
    acknowledged_by  text check (char_length(acknowledged_by) between 1 and 256),
    acknowledged_key uuid references api_keys,
    resolved_at      timestamptz,
    resolved_by      text check (char_length(resolved_by) between 1 and 256),
    resolved_key     uuid references api_keys,
    note             text check (char_length(note) <= 2000),
    check ((origin = 'api') = (group_key is null)),
    check ((resolved_at is null) = (status <> 'RESOLVED')),
    check (status <> 'ACKNOWLEDGED' or acknowledged_at is not null)
);

-- INVARIANT(one-incident): what happens again while an incident is open is counted there.
create unique index incidents_open on incidents (tenant_id, group_key)
    where status <> 'RESOLVED' and group_key is not null;
create index incidents_newest on incidents (tenant_id, incident_seq desc);
create index incidents_not_resolved on incidents (tenant_id, origin, incident_seq desc)
    where status <> 'RESOLVED';
create index incidents_of_runs on incidents (tenant_id, run_id) where run_id is not null;
select wall_tenant('incidents');

create function guard_incident() returns trigger language plpgsql as $$
declare
    changeable constant text[] := array['status', 'occurrences', 'decision_ids', 'approval_ids',
        'last_seen_at', 'acknowledged_at', 'acknowledged_by', 'acknowledged_key', 'resolved_at',
        'resolved_by', 'resolved_key', 'note'];
begin
    if tg_op = 'DELETE' then
        raise exception 'incidents are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if new is not distinct from old then
        return new;
    end if;
    if to_jsonb(new) - changeable is distinct from to_jsonb(old) - changeable then
        raise exception 'what an incident tells of does not change'
            using errcode = 'check_violation';
    end if;
    if old.status = 'RESOLVED' then
        raise exception 'a resolved incident does not change' using errcode = 'check_violation';
    end if;
    if old.status <> new.status and (old.status, new.status) not in (
        ('OPEN', 'ACKNOWLEDGED'), ('OPEN', 'RESOLVED'), ('ACKNOWLEDGED', 'RESOLVED')
    ) then
        raise exception 'an incident does not move from % to %', old.status, new.status
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger incidents_guard before update or delete on incidents
    for each row execute function guard_incident();
create trigger incidents_not_truncated before truncate on incidents
    for each statement execute function refuse_change();
create trigger incidents_noted after insert or update on incidents
    for each row execute function note_event('incident', 'incident_id', 'status');

-- Counts what happened on the open incident of its group, or opens one. Agents choose names and
-- targets, so groups are bounded: beyond `open_max` the surplus of a reason is one incident.
create function note_incident(
    of_tenant uuid, in_group text, how_severe text, why text, what text, told text, by_agent text,
    in_run uuid, at_target text, decisions text[], approved text[], times bigint, seen timestamptz,
    open_max integer
) returns uuid language plpgsql as $$
declare
    found_id uuid;
begin
    if not exists (
        select from incidents
        where tenant_id = of_tenant and group_key = in_group and status <> 'RESOLVED'
    ) and open_max <= (
        select count(*) from incidents
        where tenant_id = of_tenant and origin = 'watch' and status <> 'RESOLVED'
    ) then
        in_group := '(other) ' || left(why, 100);
        what := 'More of ' || left(why, 100) || ' than is shown one by one';
        by_agent := null;
        in_run := null;
        at_target := null;
    end if;
    insert into incidents as i (incident_id, tenant_id, origin, severity, reason_code, title,
            summary, agent, run_id, target, group_key, occurrences, decision_ids, approval_ids,
            opened_by, opened_at, last_seen_at)
        values (gen_random_uuid(), of_tenant, 'watch', how_severe, why, what, told, by_agent,
            in_run, at_target, in_group, times, newest_of('{}', decisions),
            newest_of('{}', approved), 'checkrein', seen, seen)
        on conflict (tenant_id, group_key) where status <> 'RESOLVED' and group_key is not null
        do update set
            occurrences = i.occurrences + excluded.occurrences,
            last_seen_at = greatest(i.last_seen_at, excluded.last_seen_at),
            decision_ids = newest_of(i.decision_ids, excluded.decision_ids),
            approval_ids = newest_of(i.approval_ids, excluded.approval_ids)
        returning incident_id into found_id;
    return found_id;
end
$$;

create function newest_of(known text[], more text[]) returns text[] language sql immutable as $$
    select coalesce(array_agg(id order by place), '{}') from (
        select id, max(place) as place from unnest(known || more) with ordinality as all_ids (id, place)
        group by id order by max(place) desc limit 20
    ) as newest
$$;

-- Pulling the kill switch is an incident, however it was pulled; the end of one run is none.
create function open_incident_of_stop() returns trigger language plpgsql as $$
begin
    if new.scope = 'run' and exists (
        select from runs where tenant_id = new.tenant_id and status = 'CANCELLED'
            and agent || '+' || name = new.name
    ) then
        return null;
    end if;
    perform note_incident(
        new.tenant_id, 'KILL_SWITCH ' || new.stop_id,
        case new.scope when 'everything' then 'CRITICAL' when 'run' then 'MEDIUM' else 'HIGH' end,
        'KILL_SWITCH',
        left(case new.scope when 'everything' then 'Everything' else initcap(new.scope) || ' '
            || new.name end || ' is stopped by ' || new."by", 500),
        new.reason, case new.scope when 'agent' then new.name end, null, null, '{}', '{}', 1,
        new.at, 1000000);
    return null;
end
$$;

create trigger stops_open_incidents after insert on stops
    for each row execute function open_incident_of_stop();

-- Acts whose outcome nobody could see, and what a person found out. Neither ever changes.
create table unknown_outcomes (
    outcome_seq bigint generated always as identity unique,
    tenant_id   uuid not null references tenants,
    decision_id text not null,
    record_id   bigint not null,
    agent       text not null,
    run_id      uuid references runs,
    provider    text not null,
    operation   text not null,
    action      text not null,
    kind        text not null,
    target_type text not null,
    target_id   text not null,
    code        text,
    at          timestamptz not null,
    incident_id uuid not null references incidents,
    primary key (tenant_id, decision_id)
);
create index unknown_outcomes_newest on unknown_outcomes (tenant_id, outcome_seq desc);
create index unknown_outcomes_of_incidents on unknown_outcomes (incident_id);
select wall_tenant('unknown_outcomes');

create table outcome_settlements (
    tenant_id   uuid not null,
    decision_id text not null,
    outcome     text not null check (outcome in ('executed', 'not_executed')),
    note        text not null check (char_length(note) between 1 and 2000),
    settled_by  text not null check (char_length(settled_by) between 1 and 256),
    settled_key uuid not null references api_keys,
    settled_at  timestamptz not null default clock_timestamp(),
    primary key (tenant_id, decision_id),
    foreign key (tenant_id, decision_id) references unknown_outcomes
);
select wall_tenant('outcome_settlements');

create trigger unknown_outcomes_append_only before update or delete on unknown_outcomes
    for each row execute function refuse_change();
create trigger unknown_outcomes_not_truncated before truncate on unknown_outcomes
    for each statement execute function refuse_change();
create trigger outcome_settlements_append_only before update or delete on outcome_settlements
    for each row execute function refuse_change();
create trigger outcome_settlements_not_truncated before truncate on outcome_settlements
    for each statement execute function refuse_change();

-- For "denied, and asked again".
create index approvals_denied on approvals (tenant_id, agent, request_digest)
    where status = 'DENIED';
