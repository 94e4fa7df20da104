-- Two more acts get their records: who put which bundle in force, and each use of a grant. (0020 has
-- the outbox.) Uses are counted in a table: whoever deletes some of it gives a grant more than people
-- gave it, and would be seen by nobody.

-- A bundle is megabytes: hashed once, when it is stored or rewritten, never at each look. Whoever has
-- the column taken away first and then rewrites the payload leaves a signature that is not of it.
create function text_digest(said text) returns text language sql immutable as $$
    select encode(sha256(convert_to(said, 'UTF8')), 'hex')
$$;

alter table bundles add column payload_digest text not null
    generated always as (text_digest(payload)) stored;
alter table bundles add column created_by_key uuid references api_keys;
alter table bundles alter column created_by_key set default acting_key();

create function act_of_publication(b bundles) returns jsonb language sql stable as $$
    select jsonb_build_object('id', b.sequence::text, 'revision', b.revision,
        'mappers_digest', b.mappers_digest, 'payload', b.payload_digest,
        'signature', b.signature, 'signing_key', b.key_id, 'by', b.created_by,
        'by_key', b.created_by_key, 'at', moment_text(b.created_at))
$$;

-- A record for each use, since each is one of at most a thousand of its grant and has records of its
-- answers and of its request anyway. A sum of them, told now and then, would leave open what came
-- after it; in the answers it would stand once for each giver, and not at all for the first use.
create function act_of_use(u grant_uses) returns jsonb language sql stable as $$
    select jsonb_build_object('id', u.use_id::text, 'grant', u.grant_id,
        'approval', u.approval_id, 'amount', u.amount, 'by', g.agent, 'agent', g.agent,
        'at', moment_text(u.used_at))
    from (select 1) as one left join grants g on g.grant_id = u.grant_id
$$;

-- Nobody's own act: a use is given back with what became of its approval, which is final.
create function act_of_giving_back(u grant_uses) returns jsonb language sql stable as $$
    select jsonb_build_object('id', u.use_id::text, 'grant', u.grant_id,
        'approval', u.approval_id, 'approval_status', q.status, 'by', null,
        'at', moment_text(u.given_back_at))
    from (select 1) as one left join approvals q on q.approval_id = u.approval_id
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
        union all
        select 'bundle_published', act_of_publication(b), b.created_at
            from bundles b where b.tenant_id = of_tenant
        union all
        select 'grant_used', act_of_use(u), u.used_at
            from grant_uses u where u.tenant_id = of_tenant
        union all
        select 'grant_use_given_back', act_of_giving_back(u), u.given_back_at
            from grant_uses u where u.tenant_id = of_tenant and u.given_back_at is not null
    ) as now_is
$$;

create trigger bundles_told after insert on bundles
    for each row execute function note_act('bundle_published', 'act_of_publication');
create trigger grant_uses_told after insert on grant_uses
    for each row execute function note_act('grant_used', 'act_of_use');
create trigger grant_uses_giving_back_told after update on grant_uses
    for each row when (old.given_back_at is null and new.given_back_at is not null)
    execute function note_act('grant_use_given_back', 'act_of_giving_back');

-- What was there before there were such records gets them now, in its order.
insert into acts (tenant_id, event, row_id, act, at)
    select t.tenant_id, n.event, n.row_id, n.act, n.at
    from tenants t cross join lateral acts_now(t.tenant_id) n order by n.at
    on conflict do nothing;
