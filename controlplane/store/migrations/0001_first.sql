-- Tenants, keys, agents, approvals and records. Times are the database's own.

create table tenants (
    tenant_id  uuid primary key,
    name       text not null unique,
    created_at timestamptz not null default now()
);

create table agents (
    agent_id   uuid primary key,
    tenant_id  uuid not null references tenants,
    name       text not null,
    labels     text not null default '{}',
    enabled    boolean not null default true,
    created_at timestamptz not null default now(),
    unique (tenant_id, name)
);

create table api_keys (
    key_id       uuid primary key,
    tenant_id    uuid not null references tenants,
    name         text not null,
    key_prefix   text not null,
    key_hash     bytea not null unique,
    permissions  text[] not null,
    agent_id     uuid references agents,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    check (octet_length(key_hash) = 32),
    -- An agent's key is of one agent and may do nothing else: it can never approve.
    check (('Agent' = any (permissions)) = (agent_id is not null)),
    check (agent_id is null or permissions = array['Agent'])
);

create index api_keys_of_agents on api_keys (tenant_id, agent_id);

create table approvals (
    approval_seq      bigint generated always as identity unique,
    approval_id       uuid primary key,
    tenant_id         uuid not null references tenants,
    agent             text not null,
    run_id            text,
    request_digest    text not null check (request_digest ~ '^[0-9a-f]{64}$'),
    decision_id       text not null,
    provider          text not null,
    operation         text not null,
    action            text not null,
    kind              text not null,
    target_type       text not null,
    target_id         text not null,
    params            text not null,
    authority         text not null,
    method            text not null,
    path              text not null,
    summary           text not null,
    policy            text,
    rule              text,
    reason_code       text not null,
    message           text not null,
    risk              text not null,
    bundle_revision   text not null,
    mode              text not null,
    approver_groups   text[] not null,
    quorum            integer not null check (quorum >= 1),
    timeout_seconds   integer not null check (timeout_seconds >= 1),
    witness_required  boolean not null,
    status            text not null default 'PENDING' check (status in
        ('PENDING', 'APPROVED', 'DENIED', 'EXPIRED', 'CANCELLED', 'CONSUMED', 'LAPSED')),
    created_at        timestamptz not null default clock_timestamp(),
    expires_at        timestamptz not null,
    resolved_at       timestamptz,
    resolved_by       text,
    resolved_by_key   uuid references api_keys,
    comment           text,
    consumed_at       timestamptz,
    claim_id          text
);

-- INVARIANT(one-question): one exact act of one agent is asked about once at a time.
create unique index approvals_open on approvals (tenant_id, agent, request_digest)
    where status in ('PENDING', 'APPROVED');
create index approvals_expiring on approvals (expires_at) where status in ('PENDING', 'APPROVED');
create index approvals_newest on approvals (tenant_id, status, approval_seq desc);
create index approvals_of_decisions on approvals (tenant_id, decision_id);

-- What a stored status means now: expiry counts from its moment on, swept or not.
create function effective_status(status text, expires_at timestamptz) returns text
language sql stable as $$
    select case
        when status = 'PENDING' and expires_at <= now() then 'EXPIRED'
        when status = 'APPROVED' and expires_at <= now() then 'LAPSED'
        else status
    end
$$;

create function guard_approval() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'approvals are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if new is not distinct from old then
        return new;
    end if;
    -- Everything that the person was asked stays as it was asked.
    if (to_jsonb(new) - array['status', 'expires_at', 'resolved_at', 'resolved_by',
            'resolved_by_key', 'comment', 'consumed_at', 'claim_id'])
        is distinct from
       (to_jsonb(old) - array['status', 'expires_at', 'resolved_at', 'resolved_by',
            'resolved_by_key', 'comment', 'consumed_at', 'claim_id'])
    then
        raise exception 'what an approval asks does not change' using errcode = 'check_violation';
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

create trigger approvals_guard before update or delete on approvals
    for each row execute function guard_approval();

create table records (
    record_id   bigint generated always as identity primary key,
    tenant_id   uuid not null references tenants,
    gateway_id  text not null,
    seq         bigint not null check (seq >= 1),
    hash        text not null,
    line        text not null,
    kind        text not null,
    at          text not null,
    agent       text,
    effect      text,
    decision_id text,
    received_at timestamptz not null default clock_timestamp(),
    unique (tenant_id, gateway_id, seq)
);

create index records_in_order on records (tenant_id, record_id);
create index records_of_decisions on records (tenant_id, decision_id, record_id)
    where decision_id is not null;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

create trigger records_append_only before update or delete on records
    for each row execute function refuse_change();
create trigger records_not_truncated before truncate on records
    for each statement execute function refuse_change();
create trigger approvals_not_truncated before truncate on approvals
    for each statement execute function refuse_change();

-- The last record of each gateway. Derived from `records`, kept for one cheap look.
create table gateway_heads (
    tenant_id  uuid not null references tenants,
    gateway_id text not null,
    seq        bigint not null,
    hash       text not null,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, gateway_id)
);
