-- What a person is shown and who answers: the witness, the groups of a key, every answer, the
-- quorum.

alter table approvals
    add column witness_hash text check (witness_hash ~ '^[0-9a-f]{64}$'),
    add column witness_state text,
    add check ((witness_hash is null) = (witness_state is null));

alter table api_keys
    add column groups text[] not null default '{}',
    add check (agent_id is null or groups = '{}');

create table approval_answers (
    answer_id   bigint generated always as identity primary key,
    tenant_id   uuid not null references tenants,
    approval_id uuid not null references approvals (approval_id),
    key_id      uuid not null references api_keys,
    answered_by text not null,
    answer      text not null check (answer in ('APPROVED', 'DENIED', 'CANCELLED')),
    comment     text,
    answered_at timestamptz not null default clock_timestamp(),
    unique (approval_id, key_id, answer)
);

create trigger approval_answers_append_only before update or delete on approval_answers
    for each row execute function refuse_change();
create trigger approval_answers_not_truncated before truncate on approval_answers
    for each statement execute function refuse_change();

-- How many people have approved. A key's name is its person: two keys of one name count once, and
-- the answer of a key that was revoked since counts no more.
create function approvers_of(asked uuid) returns integer language sql stable as $$
    select count(distinct lower(k.name))::integer
    from approval_answers a join api_keys k using (key_id)
    where a.approval_id = asked and a.answer = 'APPROVED' and k.revoked_at is null
$$;

-- INVARIANT(quorum): the one place that says who may answer, and when it is enough. The row is
-- locked first, so that of two answers at once the second counts the first.
create function answer_approval(
    of_tenant uuid, asked_id uuid, may_follow text[], given text, given_by text, by_key uuid,
    why text, usable_seconds double precision
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
    if given = 'APPROVED' and cardinality(asked.approver_groups) > 0
            and not person.groups && asked.approver_groups then
        return 'NOT_IN_GROUP';
    end if;
    insert into approval_answers (tenant_id, approval_id, key_id, answered_by, answer, comment)
        values (of_tenant, asked_id, by_key, given_by, given, why) on conflict do nothing;
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

-- The second wall: no statement at all lets an approval through before its quorum.
create function guard_quorum() returns trigger language plpgsql as $$
begin
    if approvers_of(new.approval_id) < new.quorum then
        raise exception 'an approval needs % people', new.quorum using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger approvals_quorum before update on approvals
    for each row when (old.status = 'PENDING' and new.status = 'APPROVED')
    execute function guard_quorum();
