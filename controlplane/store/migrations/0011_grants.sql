-- Grants: a yes to one question that holds for a while, what was offered with each yes, each use.
--
-- What a grant covers is said by the question that it was given with (`approval_id`); what it leaves
-- open stands here. Its uses are those of approvals: each has a question, a decision and a record of
-- its own, and is consumed once as ever.

-- What one of the approvers offered with their yes. A grant comes of it when all of them did.
create table grant_offers (
    offer_id        bigint generated always as identity primary key,
    tenant_id       uuid not null references tenants,
    approval_id     uuid not null references approvals (approval_id),
    key_id          uuid not null references api_keys,
    seconds         integer not null check (seconds between 1 and 86400),
    uses_max        integer not null check (uses_max between 2 and 1000),
    this_run        boolean not null,
    same_target     boolean not null,
    risk_max        integer not null check (risk_max between 0 and 69),
    amount_param    text,
    amount_currency text,
    amount_max      bigint check (amount_max >= 0),
    each_max        bigint check (each_max >= 0),
    -- What the act that was asked about takes of `amount_max` itself.
    amount_first    bigint check (amount_first >= 0),
    same_act        boolean not null default false,
    recipients      text not null default '',
    offered_at      timestamptz not null default clock_timestamp(),
    unique (approval_id, key_id),
    check ((amount_param is null) = (amount_max is null)),
    check ((amount_param is null) = (amount_first is null)),
    check (amount_param is not null or (amount_currency is null and each_max is null)),
    check (amount_first <= amount_max)
);

create trigger grant_offers_append_only before update or delete on grant_offers
    for each row execute function refuse_change();
create trigger grant_offers_not_truncated before truncate on grant_offers
    for each statement execute function refuse_change();

create table grants (
    grant_seq       bigint generated always as identity unique,
    grant_id        uuid primary key,
    tenant_id       uuid not null references tenants,
    approval_id     uuid not null unique references approvals (approval_id),
    agent           text not null,
    state           text not null default 'ACTIVE' check (state in ('ACTIVE', 'REVOKED', 'EXPIRED')),
    uses_max        integer not null check (uses_max between 2 and 1000),
    this_run        boolean not null,
    same_target     boolean not null,
    risk_max        integer not null check (risk_max between 0 and 69),
    amount_param    text,
    amount_currency text,
    amount_max      bigint,
    each_max        bigint,
    same_act        boolean not null default false,
    -- A digest of whom it is sent to; empty where the act names nobody.
    recipients      text not null default '',
    made_at         timestamptz not null default clock_timestamp(),
    expires_at      timestamptz not null,
    ended_at        timestamptz,
    ended_by        text,
    ended_by_key    uuid references api_keys,
    end_reason      text,
    check ((state = 'ACTIVE') = (ended_at is null))
);

create index grants_of_agents on grants (tenant_id, agent, grant_seq) where state = 'ACTIVE';
create index grants_newest on grants (tenant_id, grant_seq desc);
create index grants_expiring on grants (expires_at) where state = 'ACTIVE';

create table grant_uses (
    use_id        bigint generated always as identity primary key,
    tenant_id     uuid not null references tenants,
    grant_id      uuid not null references grants,
    approval_id   uuid not null unique references approvals (approval_id),
    amount        bigint not null default 0 check (amount >= 0),
    used_at       timestamptz not null default clock_timestamp(),
    given_back_at timestamptz
);

create index grant_uses_counting on grant_uses (grant_id) include (amount)
    where given_back_at is null;
create index grant_uses_newest on grant_uses (grant_id, use_id desc);

-- What a stored state means now.
create function grant_state_now(state text, expires_at timestamptz) returns text
language sql stable as $$
    select case when state = 'ACTIVE' and expires_at <= clock_timestamp() then 'EXPIRED'
        else state end
$$;

create function guard_grant() returns trigger language plpgsql as $$
declare
    changeable constant text[] :=
        array['state', 'ended_at', 'ended_by', 'ended_by_key', 'end_reason'];
begin
    if tg_op = 'DELETE' then
        raise exception 'grants are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if to_jsonb(new) - changeable is distinct from to_jsonb(old) - changeable then
        raise exception 'what a grant covers does not change' using errcode = 'check_violation';
    end if;
    if new is distinct from old and (old.state, new.state) not in (
        ('ACTIVE', 'REVOKED'), ('ACTIVE', 'EXPIRED')
    ) then
        raise exception 'a grant does not move from % to %', old.state, new.state
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger grants_guard before update or delete on grants
    for each row execute function guard_grant();
create trigger grants_not_truncated before truncate on grants
    for each statement execute function refuse_change();
create trigger grants_noted after insert or update on grants
    for each row execute function note_event('grant', 'grant_id', 'state');

-- INVARIANT(grant-bounds): no statement at all takes more of a grant than it has, or any of one that
-- is over. The grant's row is locked, so that uses are counted one after the other.
-- What was used is given back once, where its approval came to nothing.
create function guard_grant_use() returns trigger language plpgsql as $$
declare
    whole grants%rowtype;
    uses bigint;
    amounts numeric;
begin
    if tg_op = 'DELETE' then
        raise exception 'uses of grants are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'UPDATE' then
        if to_jsonb(new) - 'given_back_at' is distinct from to_jsonb(old) - 'given_back_at'
                or old.given_back_at is not null or not exists (
                    select from approvals a where a.approval_id = new.approval_id
                        and a.status in ('LAPSED', 'CANCELLED')
                ) then
            raise exception 'a use is given back once, when its approval came to nothing'
                using errcode = 'check_violation';
        end if;
        return new;
    end if;
    select * into whole from grants g
        where g.grant_id = new.grant_id and g.tenant_id = new.tenant_id for no key update;
    if not found or whole.state <> 'ACTIVE' or whole.expires_at <= clock_timestamp() then
        raise exception 'this grant is over' using errcode = 'check_violation';
    end if;
    select count(*), coalesce(sum(u.amount), 0) into uses, amounts
        from grant_uses u where u.grant_id = new.grant_id and u.given_back_at is null;
    if uses >= whole.uses_max or amounts + new.amount > whole.amount_max
            or new.amount > whole.each_max then
        raise exception 'this grant is used up' using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger grant_uses_guard before insert or update or delete on grant_uses
    for each row execute function guard_grant_use();
create trigger grant_uses_not_truncated before truncate on grant_uses
    for each statement execute function refuse_change();

create function give_back_use() returns trigger language plpgsql as $$
begin
    update grant_uses set given_back_at = clock_timestamp()
        where approval_id = new.approval_id and given_back_at is null;
    return null;
end
$$;

create trigger approvals_give_back after update on approvals
    for each row when (old.status = 'APPROVED' and new.status in ('LAPSED', 'CANCELLED'))
    execute function give_back_use();

-- Notes what an approver offers with the yes that `answer_approval` has just taken, in the same
-- transaction. Where that yes completed the quorum, and everybody who said yes offered a grant, the
-- narrowest of all offers is given; the act that was asked about is its first use.
create function offer_grant(
    of_tenant uuid, asked_id uuid, by_key uuid, for_seconds integer, for_uses integer,
    in_this_run boolean, on_same_target boolean, up_to_risk integer, of_param text,
    of_currency text, up_to_amount bigint, up_to_each bigint, first_amount bigint,
    on_same_act boolean, to_recipients text
) returns uuid language plpgsql as $$
declare
    asked approvals%rowtype;
    made uuid;
begin
    insert into grant_offers (
        tenant_id, approval_id, key_id, seconds, uses_max, this_run, same_target, risk_max,
        amount_param, amount_currency, amount_max, each_max, amount_first, same_act, recipients
    )
    values (of_tenant, asked_id, by_key, for_seconds, for_uses, in_this_run, on_same_target,
            up_to_risk, of_param, of_currency, up_to_amount, up_to_each, first_amount,
            on_same_act, to_recipients)
    on conflict do nothing;
    select * into asked from approvals
        where tenant_id = of_tenant and approval_id = asked_id for update;
    if not found or asked.status <> 'APPROVED' or asked.origin <> 'gateway' or exists (
        select from approval_answers a
            join api_keys k using (key_id)
            left join grant_offers o using (approval_id, key_id)
        where a.approval_id = asked_id and a.answer = 'APPROVED' and k.revoked_at is null
            and o.offer_id is null
    ) then
        return null;
    end if;
    insert into grants (
        grant_id, tenant_id, approval_id, agent, uses_max, this_run, same_target, risk_max,
        amount_param, amount_currency, amount_max, each_max, same_act, recipients, expires_at
    )
    select gen_random_uuid(), of_tenant, asked_id, asked.agent, min(o.uses_max),
        bool_or(o.this_run), bool_or(o.same_target), min(o.risk_max), min(o.amount_param),
        min(o.amount_currency), min(o.amount_max), min(o.each_max), bool_or(o.same_act),
        min(o.recipients),
        clock_timestamp() + make_interval(secs => min(o.seconds))
    from grant_offers o join api_keys k using (key_id)
    where o.approval_id = asked_id and k.revoked_at is null
    -- Bounds of different params, or in different currencies, have no narrowest.
    having count(distinct (o.amount_param, o.amount_currency)) = 1
    on conflict do nothing
    returning grant_id into made;
    if made is not null then
        insert into grant_uses (tenant_id, grant_id, approval_id, amount)
            values (of_tenant, made, asked_id, coalesce(first_amount, 0));
    end if;
    return made;
end
$$;

-- Who gave a grant and may still answer the question `asked` by it: people with a valid key, of the
-- groups that it is put to, none of whom asks for it, with a reason where it wants one.
create function givers_for(given_with uuid, asked approvals)
returns table (key_id uuid, person text, answered_by text, comment text)
language sql stable as $$
    select k.key_id, lower(k.name), a.answered_by, a.comment
    from grant_offers o
        join api_keys k using (key_id)
        join approval_answers a on a.approval_id = o.approval_id and a.key_id = o.key_id
            and a.answer = 'APPROVED'
    where o.approval_id = given_with and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > clock_timestamp())
        and not k.permissions && array['Gateway', 'Agent']
        and (cardinality(asked.approver_groups) = 0 or k.groups && asked.approver_groups)
        -- By the key's name, and by the name that was said where several share a key.
        and lower(btrim(k.name)) <> all (asked.requesters)
        and lower(btrim(a.answered_by)) <> all (asked.requesters)
        and (not asked.comment_required or a.comment ~ '\S')
$$;

-- Answers a question by a grant that covers it, if there is one: counts the use, writes the answers
-- of those who gave it, approves. In the transaction in which the question was stored, so that nobody
-- else has seen it. INVARIANT(quorum): the same number of people stand behind it as behind any other
-- yes. The grant's id; null where people have to be asked.
create function use_grant(
    of_tenant uuid, asked_id uuid, score integer, names text[], amounts bigint[],
    in_currency text, to_recipients text, usable_seconds double precision
) returns uuid language plpgsql as $$
declare
    asked approvals%rowtype;
    held_id uuid;
    held grants%rowtype;
    place integer;
    taken bigint;
    uses bigint;
    spent numeric;
begin
    select * into asked from approvals
        where tenant_id = of_tenant and approval_id = asked_id and status = 'PENDING'
            and origin = 'gateway' for update;
    if not found then
        return null;
    end if;
    for held_id in
        select g.grant_id from grants g join approvals given on given.approval_id = g.approval_id
        where g.tenant_id = of_tenant and g.agent = asked.agent and g.state = 'ACTIVE'
            and g.expires_at > clock_timestamp() and g.risk_max >= score
            and (given.tenant_id, given.agent, given.provider, given.operation, given.action,
                 given.kind, given.authority, given.method, given.mode)
                = (asked.tenant_id, asked.agent, asked.provider, asked.operation, asked.action,
                   asked.kind, asked.authority, asked.method, asked.mode)
            and given.policy is not distinct from asked.policy
            and given.rule is not distinct from asked.rule
            and (not g.this_run or given.run_id = asked.run_id)
            and given.target_type = asked.target_type
            and (not g.same_target or given.target_id = asked.target_id)
            and (not g.same_act or given.request_digest = asked.request_digest)
            and g.recipients = to_recipients
            -- The state that people saw, or none was looked at either time.
            and given.witness_hash is not distinct from asked.witness_hash
            and (not asked.witness_required or asked.witness_hash is not null)
            -- A first look, so that those that are used up are not locked; counted again below.
            and g.uses_max > (
                select count(*) from grant_uses u
                where u.grant_id = g.grant_id and u.given_back_at is null
            )
        -- Always in this order, so that no two wait for each other in a ring.
        order by g.grant_seq
    loop
        -- One at a time: who finds room in the first leaves the others to others.
        select * into held from grants g
            where g.grant_id = held_id and g.state = 'ACTIVE' and g.expires_at > clock_timestamp()
            for no key update;
        continue when not found or held.expires_at <= clock_timestamp();
        taken := 0;
        if held.amount_param is null then
            continue when 'amount' = any (names);
        else
            place := array_position(names, held.amount_param);
            taken := amounts[place];
            continue when taken is null or taken < 0
                or in_currency is distinct from held.amount_currency;
        end if;
        select count(*), coalesce(sum(u.amount), 0) into uses, spent
            from grant_uses u where u.grant_id = held.grant_id and u.given_back_at is null;
        continue when uses >= held.uses_max or spent + taken > held.amount_max
            or taken > held.each_max;
        continue when (
            select count(distinct g.person) from givers_for(held.approval_id, asked) g
        ) < asked.quorum;

        insert into grant_uses (tenant_id, grant_id, approval_id, amount)
            values (of_tenant, held.grant_id, asked_id, taken);
        insert into approval_answers (
            tenant_id, approval_id, key_id, answered_by, answer, comment, through
        )
        select of_tenant, asked_id, g.key_id, g.answered_by, 'APPROVED', g.comment, 'grant'
            from givers_for(held.approval_id, asked) g;
        update approvals q
            set status = 'APPROVED', resolved_at = clock_timestamp(), grant_id = held.grant_id,
                resolved_by = said.names || ' (grant)', resolved_by_key = said.key_id,
                comment = said.comment,
                expires_at = least(clock_timestamp() + make_interval(secs => usable_seconds),
                                   held.expires_at)
            from (
                select string_agg(distinct g.answered_by, ', ') as names,
                    (array_agg(g.key_id order by g.key_id))[1] as key_id,
                    (array_agg(g.comment order by g.key_id))[1] as comment
                from givers_for(held.approval_id, asked) g
            ) as said
            where q.approval_id = asked_id;
        return held.grant_id;
    end loop;
    return null;
end
$$;

-- Ends a grant before its time, and with it what was approved by it and not sent yet; false where it
-- is over already. The grant's row is locked first: a use at the same moment is either seen here or
-- finds the grant revoked.
create function revoke_grant(
    of_tenant uuid, of_grant uuid, by_whom text, by_key uuid, why text
) returns boolean language plpgsql as $$
begin
    update grants set state = 'REVOKED', ended_at = clock_timestamp(), ended_by = by_whom,
            ended_by_key = by_key, end_reason = why
        where tenant_id = of_tenant and grant_id = of_grant and state = 'ACTIVE'
            and expires_at > clock_timestamp();
    if not found then
        return false;
    end if;
    update approvals set status = 'CANCELLED', resolved_at = clock_timestamp(),
            resolved_by = by_whom, resolved_by_key = by_key, comment = why
        where tenant_id = of_tenant and status = 'APPROVED' and approval_id in (
            select u.approval_id from grant_uses u
            where u.grant_id = of_grant and u.given_back_at is null
        );
    return true;
end
$$;

-- Whoever stole a key may have given grants with it: they end with the key.
create function end_grants_of_key() returns trigger language plpgsql as $$
declare
    given uuid;
begin
    for given in
        select g.grant_id from grants g join grant_offers o using (approval_id)
        where o.key_id = new.key_id and g.state = 'ACTIVE' order by g.grant_seq
    loop
        perform revoke_grant(new.tenant_id, given, null, null,
                             'the key of ' || new.name || ' was revoked');
    end loop;
    return null;
end
$$;

-- A name means one run at a time (0008): what was granted for a run is not for the next of its name.
create function end_grants_of_run() returns trigger language plpgsql as $$
declare
    given uuid;
begin
    for given in
        select g.grant_id from grants g join approvals a on a.approval_id = g.approval_id
        where g.tenant_id = new.tenant_id and g.agent = new.agent and g.state = 'ACTIVE'
            and g.this_run and a.run_id = new.name
        order by g.grant_seq
    loop
        perform revoke_grant(new.tenant_id, given, null, null, 'the run ' || new.name || ' is over');
    end loop;
    return null;
end
$$;

create trigger runs_end_grants after update on runs
    for each row when (old.ended_at is null and new.ended_at is not null)
    execute function end_grants_of_run();

create index grant_offers_of_keys on grant_offers (key_id);
create trigger api_keys_end_grants after update on api_keys
    for each row when (old.revoked_at is null and new.revoked_at is not null)
    execute function end_grants_of_key();

select wall_tenant(name::regclass) from unnest(array['grant_offers', 'grants', 'grant_uses']) as name;
