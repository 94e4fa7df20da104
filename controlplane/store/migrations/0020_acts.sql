-- What the control plane itself does (who answered what, which policy is in force, what was stopped,
-- erased, or to be kept) becomes records of its own in the tenant's log, so that whoever rewrites
-- these tables is found out as who rewrites a gateway's record is.

-- An outbox: written by the statement that acts, by triggers, so that no way around a service can
-- leave an act out and no crash can lose one. `seq` is the number of its record, null until it has
-- one. The line of that record holds `act`, which is made of the row by the functions below: the
-- same functions say later what the table says now.
create table acts (
    act_seq   bigint generated always as identity primary key,
    tenant_id uuid not null references tenants,
    event     text not null,
    row_id    text not null,
    act       jsonb not null,
    at        timestamptz not null default clock_timestamp(),
    seq       bigint check (seq >= 1),
    unique (tenant_id, event, row_id)
);

create index acts_open on acts (tenant_id, act_seq) where seq is null;
select wall_tenant('acts');

create function guard_act() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.seq is not null or new.seq is null
        or to_jsonb(new) - 'seq' is distinct from to_jsonb(old) - 'seq'
    then
        raise exception 'acts is append-only' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;

create trigger acts_append_only before update or delete on acts
    for each row execute function guard_act();
create trigger acts_not_truncated before truncate on acts
    for each statement execute function refuse_change();

-- A moment as records write it: RFC 3339, UTC, microseconds, whatever the session's time zone.
create function moment_text(at timestamptz) returns text language sql stable as $$
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- What a row says, as its record holds it. `id` tells it from all others of its table. What people
-- wrote (reasons, comments) is not in it: it may hold anything, and records hold no secret.
create function act_of_answer(a approval_answers) returns jsonb language sql stable as $$
    select jsonb_build_object('id', a.answer_id::text, 'approval', a.approval_id,
        'answer', a.answer, 'by', a.answered_by, 'by_key', a.key_id, 'through', a.through,
        'at', moment_text(a.answered_at), 'agent', q.agent, 'decision', q.decision_id,
        'digest', q.request_digest)
    from (select 1) as one left join approvals q on q.approval_id = a.approval_id
$$;

create function act_of_activation(v policy_versions) returns jsonb language sql stable as $$
    select jsonb_build_object('id', v.policy_id || '/' || v.version, 'policy', p.name,
        'version', v.version, 'mode', v.mode, 'default_effect', v.default_effect,
        'scope_type', v.scope_type, 'scope', v.scope_id, 'digest', v.digest,
        'document', encode(sha256(convert_to(v.document, 'UTF8')), 'hex'),
        'by', v.activated_by, 'at', moment_text(v.activated_at))
    from (select 1) as one left join policies p on p.policy_id = v.policy_id
$$;

create function act_of_archiving(v policy_versions) returns jsonb language sql stable as $$
    select jsonb_build_object('id', v.policy_id || '/' || v.version, 'policy', p.name,
        'version', v.version, 'by', v.archived_by, 'at', moment_text(v.archived_at))
    from (select 1) as one left join policies p on p.policy_id = v.policy_id
$$;

create function act_of_erasure(e erasures) returns jsonb language sql stable as $$
    select jsonb_build_object('id', e.erasure_id, 'cause', e.cause, 'decision', e.decision_id,
        'first_record', e.first_record_id, 'last_record', e.last_record_id,
        'records', e.record_count, 'approvals', e.approval_count, 'incidents', e.incident_count,
        'before', moment_text(e.before), 'by', e.erased_by, 'by_key', e.erased_by_key,
        'at', moment_text(e.erased_at))
$$;

create function act_of_retention(r retention_rules) returns jsonb language sql stable as $$
    select jsonb_build_object('id', r.rule_seq::text, 'days', r.days, 'legal_hold', r.legal_hold,
        'by', r.set_by, 'by_key', r.set_by_key, 'at', moment_text(r.set_at))
$$;

create function act_of_stop(s stops) returns jsonb language sql stable as $$
    select jsonb_build_object('id', s.stop_id, 'scope', s.scope, 'name', s.name, 'by', s.by,
        'by_key', s.by_key, 'at', moment_text(s.at))
$$;

create function act_of_lifting(s stops) returns jsonb language sql stable as $$
    select jsonb_build_object('id', s.stop_id, 'scope', s.scope, 'name', s.name,
        'by', s.lifted_by, 'by_key', s.lifted_by_key, 'at', moment_text(s.lifted_at))
$$;

-- Everything that has, or is to have, a record: what the tables say now.
create function acts_now(of_tenant uuid)
    returns table (event text, row_id text, act jsonb, at timestamptz)
    language sql stable as $$
    select now_is.event, now_is.act ->> 'id', now_is.act, now_is.at from (
        select 'approval_answered' as event, act_of_answer(a) as act, a.answered_at as at
            from approval_answers a where a.tenant_id = of_tenant
        union all
        select 'policy_activated', act_of_activation(v), v.activated_at
            from policy_versions v where v.tenant_id = of_tenant and v.activated_at is not null
        union all
        select 'policy_archived', act_of_archiving(v), v.archived_at
            from policy_versions v where v.tenant_id = of_tenant and v.archived_at is not null
        union all
        select 'erasure_made', act_of_erasure(e), e.erased_at
            from erasures e where e.tenant_id = of_tenant
        union all
        select 'retention_set', act_of_retention(r), r.set_at
            from retention_rules r where r.tenant_id = of_tenant
        union all
        select 'stop_pulled', act_of_stop(s), s.at from stops s where s.tenant_id = of_tenant
        union all
        select 'stop_lifted', act_of_lifting(s), s.lifted_at
            from stops s where s.tenant_id = of_tenant and s.lifted_at is not null
    ) as now_is
$$;

-- A trigger of these tables: note_act(event, the function that says what a row says).
create function note_act() returns trigger language plpgsql as $$
declare
    made jsonb;
begin
    execute format('select %I($1)', tg_argv[1]) into made using new;
    insert into acts (tenant_id, event, row_id, act)
        values (new.tenant_id, tg_argv[0], made ->> 'id', made);
    return null;
end
$$;

create trigger approval_answers_told after insert on approval_answers
    for each row execute function note_act('approval_answered', 'act_of_answer');
create trigger erasures_told after insert on erasures
    for each row execute function note_act('erasure_made', 'act_of_erasure');
create trigger retention_rules_told after insert on retention_rules
    for each row execute function note_act('retention_set', 'act_of_retention');
create trigger stops_told after insert on stops
    for each row execute function note_act('stop_pulled', 'act_of_stop');
create trigger stops_lifting_told after update on stops
    for each row when (old.lifted_at is null and new.lifted_at is not null)
    execute function note_act('stop_lifted', 'act_of_lifting');
create trigger policy_versions_begun_active_told after insert on policy_versions
    for each row when (new.activated_at is not null)
    execute function note_act('policy_activated', 'act_of_activation');
create trigger policy_versions_activation_told after update on policy_versions
    for each row when (old.activated_at is null and new.activated_at is not null)
    execute function note_act('policy_activated', 'act_of_activation');
create trigger policy_versions_archiving_told after update on policy_versions
    for each row when (old.archived_at is null and new.archived_at is not null)
    execute function note_act('policy_archived', 'act_of_archiving');

-- What was done before there were such records gets them now, in its order.
insert into acts (tenant_id, event, row_id, act, at)
    select t.tenant_id, n.event, n.row_id, n.act, n.at
    from tenants t cross join lateral acts_now(t.tenant_id) n order by n.at;

-- What a stored line tells of an act; null where it is no JSON, as after a hand was at it.
create function line_fields(line text) returns jsonb language plpgsql immutable as $$
begin
    return line::jsonb;
exception when others then
    return null;
end
$$;

-- The control plane's own lines hold no body, and who did what is never erased. (As in 0019, but for
-- that.)
create or replace function erase_records(of_tenant uuid, ids bigint[], decisions text[])
    returns integer language plpgsql set search_path = checkrein, pg_temp as $$
declare
    erased integer;
begin
    update records set line = null
        where tenant_id = of_tenant and record_id = any (ids) and line is not null
            and gateway_id <> 'control-plane';
    get diagnostics erased = row_count;
    update run_steps set target_id = '', message = ''
        where tenant_id = of_tenant and record_id = any (ids)
            and (target_id, message) is distinct from ('', '');
    update unknown_outcomes set target_id = ''
        where tenant_id = of_tenant and decision_id = any (decisions) and target_id <> '';
    return erased;
end
$$;
