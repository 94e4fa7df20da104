-- What else a question carries: where it came from, who asked for it, whom it is put to when nobody
-- answers, whether words are wanted with a yes, and what was found when its world had changed.

alter table approvals
    -- A gateway's question is about one act and joined by the same act; one that a program asked
    -- through the API in its own name is about the digest that it brought, and never joined.
    add column origin text not null default 'gateway' check (origin in ('gateway', 'api')),
    add column step_index integer check (step_index >= 0),
    add column requested_by text,
    add column resource_id text,
    -- Names of people in small letters who can't approve this, since it is asked for by them.
    add column requesters text[] not null default '{}',
    -- The agent's labels that named some of them when this was asked.
    add column requester_labels text[] not null default '{}',
    add column comment_required boolean not null default false,
    add column escalate_after_seconds integer check (escalate_after_seconds >= 1),
    add column escalate_to text[] not null default '{}',
    add column escalated_at timestamptz,
    -- Null where the time did it.
    add column escalated_by text,
    add column escalation_comment text,
    add column witness_now_hash text check (witness_now_hash ~ '^[0-9a-f]{64}$'),
    add column witness_now_state text,
    add column grant_id uuid,
    -- JSON: what else the request says, redacted. Null for what no gateway asked.
    add column request text,
    add check (witness_now_state is null or witness_now_hash is not null),
    add check (escalated_at is not null or (escalated_by is null and escalation_comment is null));

alter table approval_answers
    add column through text not null default 'api'
        check (through in ('api', 'cli', 'dashboard', 'slack', 'email', 'grant'));

-- INVARIANT(one-question) holds for what gateways ask.
drop index approvals_open;
create unique index approvals_open on approvals (tenant_id, agent, request_digest)
    where status in ('PENDING', 'APPROVED') and origin = 'gateway';
create index approvals_pending_of_agents on approvals (tenant_id, agent)
    where status = 'PENDING';
create index approvals_of_agents on approvals (tenant_id, agent, approval_seq desc);
create index approvals_of_runs on approvals (tenant_id, run_id, approval_seq desc)
    where run_id is not null;
create index approvals_escalating on approvals (created_at)
    where status = 'PENDING' and escalated_at is null and escalate_after_seconds is not null;
create index approvals_of_actions on approvals (tenant_id, provider, action, created_at desc)
    include (agent, status);

-- What an agent did before is asked beside each question.
create index records_of_agents on records (tenant_id, agent, record_id desc)
    where agent is not null;

create or replace function guard_approval() returns trigger language plpgsql as $$
declare
    changeable constant text[] := array['status', 'expires_at', 'resolved_at', 'resolved_by',
        'resolved_by_key', 'comment', 'consumed_at', 'claim_id', 'escalated_at', 'escalated_by',
        'escalation_comment', 'witness_now_hash', 'witness_now_state', 'grant_id'];
    -- What changes while an approval stays in its state.
    noted constant text[] := array['escalated_at', 'escalated_by', 'escalation_comment',
        'witness_now_hash', 'witness_now_state'];
begin
    if tg_op = 'DELETE' then
        raise exception 'approvals are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if new is not distinct from old then
        return new;
    end if;
    -- Everything that the person was asked stays as it was asked.
    if to_jsonb(new) - changeable is distinct from to_jsonb(old) - changeable then
        raise exception 'what an approval asks does not change' using errcode = 'check_violation';
    end if;
    if (new.escalated_at, new.escalated_by, new.escalation_comment)
            is distinct from (old.escalated_at, old.escalated_by, old.escalation_comment)
            and (old.escalated_at is not null or old.status <> 'PENDING') then
        raise exception 'an approval escalates once, while it is open'
            using errcode = 'check_violation';
    end if;
    if old.grant_id is not null and new.grant_id is distinct from old.grant_id then
        raise exception 'what an approval stands on does not change'
            using errcode = 'check_violation';
    end if;
    if new.status = old.status and new.status in ('PENDING', 'APPROVED')
            and to_jsonb(new) - noted is not distinct from to_jsonb(old) - noted then
        return new;
    end if;
    if (old.status, new.status) not in (
        ('PENDING', 'APPROVED'), ('PENDING', 'DENIED'), ('PENDING', 'EXPIRED'),
        ('PENDING', 'CANCELLED'), ('APPROVED', 'CONSUMED'), ('APPROVED', 'CANCELLED'),
        ('APPROVED', 'LAPSED')
    ) then
        raise exception 'an approval does not move from % to %', old.status, new.status
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

-- How many people have approved. A key's name is its person: two keys of one name count once, the
-- answer of a key that was revoked since counts no more, and a requester's own never does.
create or replace function approvers_of(asked uuid) returns integer language sql stable as $$
    select count(distinct lower(k.name))::integer
    from approval_answers a
        join api_keys k using (key_id)
        join approvals q on q.approval_id = a.approval_id
    where a.approval_id = asked and a.answer = 'APPROVED' and k.revoked_at is null
        and lower(btrim(k.name)) <> all (q.requesters)
$$;

-- Which groups a question is put to now; none: to everybody.
create function asked_groups(asked approvals) returns text[] language sql stable as $$
    select case
        when asked.escalated_at is null or cardinality(asked.approver_groups) = 0
            then asked.approver_groups
        else asked.approver_groups || asked.escalate_to
    end
$$;

-- INVARIANT(quorum): the one place that says who may answer, and when it is enough. The row is
-- locked first, so that of two answers at once the second counts the first.
drop function answer_approval;
create function answer_approval(
    of_tenant uuid, asked_id uuid, may_follow text[], given text, given_by text, by_key uuid,
    why text, usable_seconds double precision, given_through text
) returns text language plpgsql as $$
declare
    asked approvals%rowtype;
    person api_keys%rowtype;
begin
    select * into asked from approvals
        where tenant_id = of_tenant and approval_id = asked_id for update;
    if not found or asked.status <> all (may_follow)
            or asked.expires_at <= clock_timestamp() then
        return 'WRONG_STATE';
    end if;
    select * into person from api_keys
        where tenant_id = of_tenant and key_id = by_key and revoked_at is null
            and not permissions && array['Gateway', 'Agent'];
    if not found then
        return 'NO_PERSON';
    end if;
    if given = 'APPROVED' then
        if array[lower(btrim(person.name)), lower(btrim(given_by))] && asked.requesters then
            return 'IS_REQUESTER';
        end if;
        if cardinality(asked_groups(asked)) > 0 and not person.groups && asked_groups(asked) then
            return 'NOT_IN_GROUP';
        end if;
        if asked.comment_required and coalesce(why, '') !~ '\S' then
            return 'COMMENT_WANTED';
        end if;
    end if;
    insert into approval_answers (
        tenant_id, approval_id, key_id, answered_by, answer, comment, through
    )
    values (of_tenant, asked_id, by_key, given_by, given, why, given_through)
    on conflict do nothing;
    if given = 'APPROVED' and approvers_of(asked_id) < asked.quorum then
        return case when found then 'COUNTED' else 'ANSWERED_BEFORE' end;
    end if;
    update approvals
        set status = given, resolved_at = clock_timestamp(), resolved_by = given_by,
            resolved_by_key = by_key, comment = why,
            expires_at = case when given = 'APPROVED'
                then clock_timestamp() + make_interval(secs => usable_seconds)
                else expires_at end
        where approval_id = asked_id;
    return 'DONE';
end
$$;

-- A person's wish to put a question to the next groups as well: once, by somebody whom it is put to,
-- for what is left of its time.
create function escalate_approval(
    of_tenant uuid, asked_id uuid, given_by text, by_key uuid, why text
) returns text language plpgsql as $$
declare
    asked approvals%rowtype;
    person api_keys%rowtype;
begin
    select * into asked from approvals
        where tenant_id = of_tenant and approval_id = asked_id for update;
    if not found or asked.status <> 'PENDING' or asked.expires_at <= clock_timestamp() then
        return 'WRONG_STATE';
    end if;
    select * into person from api_keys
        where tenant_id = of_tenant and key_id = by_key and revoked_at is null
            and not permissions && array['Gateway', 'Agent'];
    if not found then
        return 'NO_PERSON';
    end if;
    if cardinality(asked.approver_groups) > 0 and not person.groups && asked_groups(asked) then
        return 'NOT_IN_GROUP';
    end if;
    if asked.escalated_at is not null then
        return 'ESCALATED_BEFORE';
    end if;
    update approvals
        set escalated_at = clock_timestamp(), escalated_by = given_by, escalation_comment = why
        where approval_id = asked_id;
    return 'DONE';
end
$$;

-- An escalation and a changed world are no change of state, and are followed all the same.
create function note_of_approval() returns trigger language plpgsql as $$
begin
    insert into events (tenant_id, kind, subject_id, change)
        values (new.tenant_id, 'approval', new.approval_id::text, tg_argv[0]);
    return null;
end
$$;

create trigger approvals_escalated after update on approvals
    for each row when (old.escalated_at is null and new.escalated_at is not null)
    execute function note_of_approval('ESCALATED');
create trigger approvals_world_changed after update on approvals
    for each row when (new.witness_now_hash is distinct from old.witness_now_hash)
    execute function note_of_approval('WITNESS_CHANGED');
