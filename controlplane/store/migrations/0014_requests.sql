-- What requests leave behind: answers that a repeated request gets again, secrets that keys had
-- before, and the mode in which a tenant wants to learn.

-- A request with an Idempotency-Key is noted before it is carried out, and its answer after. The
-- answer is sealed with the caller's own key, which is stored nowhere: it may carry a secret.
create table idempotency_keys (
    tenant_id       uuid not null references tenants,
    key_id          uuid not null references api_keys,
    route           text not null,
    idempotency_key text not null check (length(idempotency_key) between 1 and 255),
    -- SHA-256 of path, query and body.
    request_digest  bytea not null check (octet_length(request_digest) = 32),
    -- Who carries it out; another one may only begin after `expires_at`.
    attempt_id      uuid not null,
    status          integer,
    sealed_answer   bytea,
    expires_at      timestamptz not null,
    primary key (tenant_id, key_id, route, idempotency_key),
    check ((status is null) = (sealed_answer is null))
);

create index idempotency_keys_by_end on idempotency_keys (expires_at);
select wall_tenant('idempotency_keys');

-- Secrets that a key had before it was rotated. They stay known, so that none comes back.
alter table api_keys add column rotated_at timestamptz;

create table former_secrets (
    key_hash    bytea primary key check (octet_length(key_hash) = 32),
    tenant_id   uuid not null references tenants,
    key_id      uuid not null references api_keys,
    valid_until timestamptz not null
);

create index former_secrets_of_keys on former_secrets (key_id);
select wall_tenant('former_secrets');

-- The newest one of a scope counts; the others say who wanted what before.
create table learner_modes (
    mode_seq   bigint generated always as identity primary key,
    tenant_id  uuid not null references tenants,
    scope_type text not null check (scope_type = 'ORG'),
    scope_id   uuid not null,
    mode       text not null check (mode in ('MONITOR', 'ENFORCE', 'AUTO_PROMOTE_SAFE')),
    set_by     text not null,
    set_by_key uuid not null,
    set_at     timestamptz not null default clock_timestamp()
);

create index learner_modes_newest on learner_modes (tenant_id, scope_type, scope_id, mode_seq desc);
select wall_tenant('learner_modes');

create trigger learner_modes_append_only before update or delete on learner_modes
    for each row execute function refuse_change();
create trigger learner_modes_not_truncated before truncate on learner_modes
    for each statement execute function refuse_change();

-- Keys are listed newest first, page by page.
create index api_keys_in_order on api_keys (tenant_id, created_at, key_id);
