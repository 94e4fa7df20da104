-- Policies, their versions and the rules of each, beside the bundles that are made of the active ones.

create table policies (
    policy_id   uuid primary key,
    policy_seq  bigint generated always as identity unique,
    tenant_id   uuid not null references tenants,
    name        text not null,
    description text not null default '',
    -- Grows with every change of the policy or of a version of it: the etag.
    revision    bigint not null default 1 check (revision >= 1),
    created_by  text not null,
    created_at  timestamptz not null default clock_timestamp(),
    updated_at  timestamptz not null default clock_timestamp(),
    unique (tenant_id, name),
    unique (tenant_id, policy_id)
);

create table policy_versions (
    tenant_id      uuid not null references tenants,
    policy_id      uuid not null,
    version        integer not null check (version >= 1),
    status         text not null check (status in ('DRAFT', 'ACTIVE', 'ARCHIVED')),
    document       text not null,
    -- Of what it means: comments and spelling don't change it.
    digest         text not null check (digest ~ '^[0-9a-f]{64}$'),
    scope_type     text not null check (scope_type in ('ORG', 'AGENT')),
    scope_id       text,
    mode           text not null check (mode in ('enforce', 'monitor')),
    default_effect text not null check (default_effect in ('ALLOW', 'BLOCK', 'REQUIRE_APPROVAL')),
    comment        text,
    created_by     text not null,
    created_at     timestamptz not null default clock_timestamp(),
    activated_by   text,
    activated_at   timestamptz,
    archived_by    text,
    archived_at    timestamptz,
    primary key (policy_id, version),
    foreign key (tenant_id, policy_id) references policies (tenant_id, policy_id)
);

-- INVARIANT(one-active): at most one version of a policy is in force.
create unique index policy_versions_one_active on policy_versions (policy_id)
    where status = 'ACTIVE';
create index policy_versions_active on policy_versions (tenant_id) where status = 'ACTIVE';

-- What each rule says, for lists and searches. The document is what decides.
create table policy_rules (
    tenant_id       uuid not null references tenants,
    policy_id       uuid not null,
    version         integer not null,
    position        integer not null check (position >= 0),
    rule_id         text not null,
    priority        integer not null,
    effect          text not null,
    mode            text not null,
    enabled         boolean not null,
    reason_code     text not null,
    message         text not null,
    match           jsonb not null,
    condition       text,
    -- As rules of the first API's form name what they are about.
    target_type     text,
    target_selector text,
    primary key (policy_id, version, position),
    foreign key (policy_id, version) references policy_versions (policy_id, version)
);

-- INVARIANT(legal-moves): draft -> active -> archived, and what a version says never changes.
create function guard_policy_version() returns trigger language plpgsql as $$
begin
    if (old.status, new.status) not in (('DRAFT', 'ACTIVE'), ('ACTIVE', 'ARCHIVED')) then
        raise exception 'a version can''t go from % to %', old.status, new.status
            using errcode = 'check_violation';
    end if;
    if (to_jsonb(new) - array['status', 'activated_by', 'activated_at', 'archived_by', 'archived_at'])
        is distinct from
       (to_jsonb(old) - array['status', 'activated_by', 'activated_at', 'archived_by', 'archived_at'])
    then
        raise exception 'what a version says never changes' using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger policy_versions_moves before update on policy_versions
    for each row execute function guard_policy_version();
create trigger policy_versions_kept before delete on policy_versions
    for each row execute function refuse_change();
create trigger policy_versions_not_truncated before truncate on policy_versions
    for each statement execute function refuse_change();
create trigger policy_rules_append_only before update or delete on policy_rules
    for each row execute function refuse_change();
create trigger policy_rules_not_truncated before truncate on policy_rules
    for each statement execute function refuse_change();

create trigger policy_versions_noted after insert or update on policy_versions
    for each row execute function note_event('policy', 'policy_id', 'status');
create trigger bundles_noted after insert on bundles
    for each row execute function note_event('bundle', 'sequence', 'revision');

select wall_tenant('policies');
select wall_tenant('policy_versions');
select wall_tenant('policy_rules');

-- Which rules a gateway runs: files beside it, or the bundle.
alter table gateways add column source text not null default 'control'
    check (source in ('control', 'files'));
