-- The rest of what is done here gets its records too: keys, agents, channels, grants, sessions, and
-- the keys that gateways sign with. (0020 has the outbox, and the acts that it began with.)

-- Who a statement is of, as the service says it at every connection (`store/tenancy.py`): for
-- tables that have no column of it. A hand at the database says nothing, and is named by its role.
create function acting_name() returns text language sql stable as $$
    select coalesce(nullif(current_setting('checkrein.by', true), ''),
        'database role ' || session_user)
$$;

create function acting_key() returns uuid language sql stable as $$
    select nullif(current_setting('checkrein.by_key', true), '')::uuid
$$;

-- 1. What is done once, of rows that never say anything else: as in 0020.

alter table gateway_keys add column enrolled_by text;
alter table gateway_keys add column enrolled_by_key uuid references api_keys;
alter table gateway_keys alter column enrolled_by set default acting_name();
alter table gateway_keys alter column enrolled_by_key set default acting_key();

-- Whose credential the id of a gateway was first used with: the one that may enrol its first key.
alter table gateways add column first_used_by_key uuid references api_keys;
alter table gateways alter column first_used_by_key set default acting_key();
alter table gateway_heads add column first_used_by_key uuid references api_keys;
alter table gateway_heads alter column first_used_by_key set default acting_key();

create function act_of_gateway_key(g gateway_keys) returns jsonb language sql stable as $$
    select jsonb_build_object('id', g.key_seq::text, 'gateway_id', g.gateway_id,
        'verifier_key', g.key, 'by', coalesce(g.enrolled_by, 'unknown'),
        'by_key', g.enrolled_by_key, 'at', moment_text(g.enrolled_at))
$$;

-- A grant is given by all who said yes.
create function act_of_grant(g grants) returns jsonb language sql stable as $$
    select jsonb_build_object('id', g.grant_id, 'approval', g.approval_id, 'agent', g.agent,
        'uses_max', g.uses_max, 'this_run', g.this_run, 'same_target', g.same_target,
        'same_act', g.same_act, 'risk_max', g.risk_max, 'amount_param', g.amount_param,
        'amount_currency', g.amount_currency, 'amount_max', g.amount_max, 'each_max', g.each_max,
        'recipients', g.recipients, 'expires_at', moment_text(g.expires_at),
        'at', moment_text(g.made_at), 'by', (
            select string_agg(distinct a.answered_by, ', ' order by a.answered_by)
            from approval_answers a
            where a.approval_id = g.approval_id and a.answer = 'APPROVED'))
$$;

create function act_of_grant_end(g grants) returns jsonb language sql stable as $$
    select jsonb_build_object('id', g.grant_id, 'agent', g.agent, 'by', g.ended_by,
        'by_key', g.ended_by_key, 'at', moment_text(g.ended_at))
$$;

-- What was offered with a yes: whose grants end with a key is looked up there.
create function act_of_offer(o grant_offers) returns jsonb language sql stable as $$
    select jsonb_build_object('id', o.offer_id::text, 'approval', o.approval_id,
        'seconds', o.seconds, 'uses_max', o.uses_max, 'this_run', o.this_run,
        'same_target', o.same_target, 'same_act', o.same_act, 'risk_max', o.risk_max,
        'amount_param', o.amount_param, 'amount_currency', o.amount_currency,
        'amount_max', o.amount_max, 'amount_first', o.amount_first, 'each_max', o.each_max,
        'recipients', o.recipients, 'by', k.name, 'by_key', o.key_id,
        'at', moment_text(o.offered_at))
    from (select 1) as one left join api_keys k on k.key_id = o.key_id
$$;

create function act_of_learner_mode(m learner_modes) returns jsonb language sql stable as $$
    select jsonb_build_object('id', m.mode_seq::text, 'scope_type', m.scope_type,
        'scope', m.scope_id, 'mode', m.mode, 'by', m.set_by, 'by_key', m.set_by_key,
        'at', moment_text(m.set_at))
$$;

-- A session stands for a key. Its cookie is 256 random bits, so that a digest of it tells nothing.
create function act_of_session(s sessions) returns jsonb language sql stable as $$
    select jsonb_build_object('id', s.session_id, 'through', s.signed_in_by,
        'cookie', encode(sha256(s.token_hash), 'hex'), 'by', k.name, 'by_key', s.key_id,
        'at', moment_text(s.created_at))
    from (select 1) as one left join api_keys k on k.key_id = s.key_id
$$;

create or replace function acts_now(of_tenant uuid)
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
        union all
        select 'gateway_key_enrolled', act_of_gateway_key(g), g.enrolled_at
            from gateway_keys g where g.tenant_id = of_tenant
        union all
        select 'grant_offered', act_of_offer(o), o.offered_at
            from grant_offers o where o.tenant_id = of_tenant
        union all
        select 'grant_given', act_of_grant(g), g.made_at
            from grants g where g.tenant_id = of_tenant
        union all
        select 'grant_revoked', act_of_grant_end(g), g.ended_at
            from grants g where g.tenant_id = of_tenant and g.state = 'REVOKED'
        union all
        select 'learner_mode_set', act_of_learner_mode(m), m.set_at
            from learner_modes m where m.tenant_id = of_tenant
        union all
        select 'session_begun', act_of_session(s), s.created_at
            from sessions s where s.tenant_id = of_tenant
    ) as now_is
$$;

create trigger gateway_keys_told after insert on gateway_keys
    for each row execute function note_act('gateway_key_enrolled', 'act_of_gateway_key');
create trigger grant_offers_told after insert on grant_offers
    for each row execute function note_act('grant_offered', 'act_of_offer');
create trigger grants_told after insert on grants
    for each row execute function note_act('grant_given', 'act_of_grant');
create trigger grants_end_told after update on grants
    for each row when (old.state <> 'REVOKED' and new.state = 'REVOKED')
    execute function note_act('grant_revoked', 'act_of_grant_end');
create trigger learner_modes_told after insert on learner_modes
    for each row execute function note_act('learner_mode_set', 'act_of_learner_mode');
create trigger sessions_told after insert on sessions
    for each row execute function note_act('session_begun', 'act_of_session');

-- 2. What changes: each change has an act, which holds all that the row then says. The newest one
-- of a row says what it is to say now. Its `row_id` is the row's own, a slash, and a number.

alter table acts add column subject uuid;
create index acts_of_subjects on acts (tenant_id, subject, act_seq desc) where subject is not null;

-- What a record must not hold is in it as a digest with a salt that only this database has: who
-- reads records can't try values, and who rewrites the row can't find another value for a digest.
alter table agents add column act_salt uuid not null default gen_random_uuid();
alter table api_keys add column act_salt uuid not null default gen_random_uuid();
alter table channels add column act_salt uuid not null default gen_random_uuid();

create function salted_digest(salt uuid, said text) returns text language sql immutable as $$
    select encode(sha256(uuid_send(salt) || convert_to(said, 'UTF8')), 'hex')
$$;

create function state_of_agent(a agents) returns jsonb language sql stable as $$
    select jsonb_build_object('agent', a.agent_id, 'name', a.name, 'enabled', a.enabled,
        'labels', salted_digest(a.act_salt, a.labels))
$$;

create function state_of_key(k api_keys) returns jsonb language sql stable as $$
    select jsonb_build_object('key', k.key_id, 'name', k.name, 'permissions', k.permissions,
        'groups', k.groups, 'agent', k.agent_id, 'expires_at', moment_text(k.expires_at),
        'rotated_at', moment_text(k.rotated_at), 'revoked_at', moment_text(k.revoked_at),
        'secret', salted_digest(k.act_salt, encode(k.key_hash, 'hex')), 'former_secrets', (
            select salted_digest(k.act_salt, string_agg(
                encode(f.key_hash, 'hex') || ' ' || moment_text(f.valid_until), ','
                order by f.key_hash))
            from former_secrets f where f.key_id = k.key_id))
$$;

create function state_of_channel(c channels) returns jsonb language sql stable as $$
    select jsonb_build_object('channel', c.channel_id, 'name', c.name, 'channel_kind', c.kind,
        'enabled', c.enabled, 'events', c.events, 'groups', c.groups, 'severity', c.severity,
        'removed_at', moment_text(c.removed_at), 'target', salted_digest(c.act_salt, c.settings),
        'secrets', salted_digest(c.act_salt, encode(c.secrets, 'hex')), 'people', (
            select salted_digest(c.act_salt, string_agg(
                p.key_id || ' ' || p.address, chr(10) order by p.address collate "C"))
            from channel_people p where p.channel_id = c.channel_id))
$$;

-- Everything that has, or is to have, a record of how it is: what the tables say now.
create function states_now(of_tenant uuid)
    returns table (family text, subject uuid, state jsonb, made_at timestamptz)
    language sql stable as $$
    select 'agent', a.agent_id, state_of_agent(a), a.created_at
        from agents a where a.tenant_id = of_tenant
    union all
    select 'key', k.key_id, state_of_key(k), k.created_at
        from api_keys k where k.tenant_id = of_tenant
    union all
    select 'channel', c.channel_id, state_of_channel(c), c.created_at
        from channels c where c.tenant_id = of_tenant
$$;

-- What an act says of its row, without what it says of itself.
create function state_told(act jsonb) returns jsonb language sql immutable as $$
    select act - array['id', 'by', 'by_key', 'at']
$$;

-- What became of a row, in a word.
create function change_made(was jsonb, is_now jsonb) returns text language sql immutable as $$
    select case
        when was -> 'revoked_at' = 'null' and is_now -> 'revoked_at' <> 'null' then 'revoked'
        when was -> 'removed_at' = 'null' and is_now -> 'removed_at' <> 'null' then 'removed'
        when was -> 'rotated_at' <> is_now -> 'rotated_at' then 'rotated'
        when is_now ? 'agent' and was -> 'enabled' = 'true' and is_now -> 'enabled' = 'false'
            then 'disabled'
        when is_now ? 'agent' and was -> 'enabled' = 'false' and is_now -> 'enabled' = 'true'
            then 'enabled'
        else 'changed'
    end
$$;

create function insert_state_act(
    of_tenant uuid, of_subject uuid, what text, state jsonb, by_name text, by_key uuid
) returns void language sql as $$
    with numbered as (
        select of_subject || '/' || 1 + count(*) as row_id from acts a
        where a.tenant_id = of_tenant and a.subject = of_subject
    )
    insert into acts (tenant_id, subject, event, row_id, act)
    select of_tenant, of_subject, what, n.row_id, state || jsonb_build_object('id', n.row_id,
        'by', by_name, 'by_key', by_key, 'at', moment_text(clock_timestamp()))
    from numbered n
$$;

-- A trigger of these tables and of those that hold parts of what they say: note_state(family, the
-- column that names the row). Changes that come to nothing leave no act.
create function note_state() returns trigger language plpgsql as $$
declare
    family constant text := tg_argv[0];
    touched constant jsonb := to_jsonb(coalesce(new, old));
    of_tenant constant uuid := touched ->> 'tenant_id';
    of_subject constant uuid := touched ->> tg_argv[1];
    is_part constant boolean := tg_table_name in ('channel_people', 'former_secrets');
    last jsonb;
    was jsonb;
    is_now jsonb;
begin
    -- One change of a row at a time, so that the last act is of the last change.
    if family = 'channel' then
        perform from channels c where c.channel_id = of_subject for no key update;
    elsif family = 'key' then
        perform from api_keys k where k.key_id = of_subject for no key update;
    end if;
    select n.state into is_now from states_now(of_tenant) n where n.subject = of_subject;
    select state_told(a.act) into last from acts a
        where a.tenant_id = of_tenant and a.subject = of_subject order by a.act_seq desc limit 1;
    if tg_op = 'UPDATE' and not is_part and last is not null then
        -- A row that was changed past these triggers: its next change must not hide that.
        execute format('select %I($1)', 'state_of_' || family) into was using old;
        if was - array['people', 'former_secrets']
            is distinct from last - array['people', 'former_secrets']
        then
            perform insert_state_act(of_tenant, of_subject, family || '_rewritten', was,
                                     'unknown', null);
            last := was;
        end if;
    end if;
    if is_now is null then
        -- Nothing of the service deletes such a row: its last record goes on to miss it.
        if last is not null and not is_part then
            perform insert_state_act(of_tenant, of_subject, family || '_deleted', last,
                                     acting_name(), acting_key());
        end if;
        return null;
    end if;
    if is_now is not distinct from last then
        return null;
    end if;
    perform insert_state_act(of_tenant, of_subject, family || '_' || case
        when last is not null then change_made(last, is_now)
        when tg_op = 'INSERT' and not is_part then 'made'
        else 'found'
    end, is_now, acting_name(), acting_key());
    return null;
end
$$;

create trigger agents_told after insert or update or delete on agents
    for each row execute function note_state('agent', 'agent_id');
create trigger channels_told after insert or update or delete on channels
    for each row execute function note_state('channel', 'channel_id');
create trigger api_keys_told after insert or delete on api_keys
    for each row execute function note_state('key', 'key_id');
-- Not when it was only used.
create trigger api_keys_changes_told after update on api_keys
    for each row
    when (to_jsonb(old) - 'last_used_at' is distinct from to_jsonb(new) - 'last_used_at')
    execute function note_state('key', 'key_id');
-- At the end of the transaction: what is said anew is deleted first.
create constraint trigger channel_people_told after insert or update or delete on channel_people
    deferrable initially deferred for each row
    execute function note_state('channel', 'channel_id');
create constraint trigger former_secrets_told after insert or update or delete on former_secrets
    deferrable initially deferred for each row execute function note_state('key', 'key_id');

-- 3. What was there before there were such records gets them now, in its order. Who made it isn't
-- known: `found` says no more than how it is.
insert into acts (tenant_id, event, row_id, act, at)
    select t.tenant_id, n.event, n.row_id, n.act, n.at
    from tenants t cross join lateral acts_now(t.tenant_id) n order by n.at
    on conflict do nothing;

insert into acts (tenant_id, subject, event, row_id, act, at)
    select t.tenant_id, n.subject, n.family || '_found', n.subject || '/1',
        n.state || jsonb_build_object('id', n.subject || '/1', 'by', 'unknown', 'by_key', null,
            'at', moment_text(n.made_at)),
        n.made_at
    from tenants t cross join lateral states_now(t.tenant_id) n order by n.made_at;
