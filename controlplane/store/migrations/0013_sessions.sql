-- Who is signed in to the dashboard, and the counts that its overview draws.

-- A session stands for a key that was shown once; what it may do is asked of the key at every request.
-- Only the SHA-256 of the cookie is here, so that whoever reads the table can't sign in with it.
create table sessions (
    session_id   uuid primary key,
    tenant_id    uuid not null references tenants,
    key_id       uuid not null references api_keys,
    token_hash   bytea not null unique check (octet_length(token_hash) = 32),
    signed_in_by text not null check (signed_in_by in ('key', 'oidc')),
    created_at   timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    ended_at     timestamptz
);

create index sessions_by_age on sessions (created_at);
create index sessions_of_keys on sessions (key_id);
select wall_tenant('sessions');

-- A sign-in elsewhere names a person, whose key has that name.
create index api_keys_by_name on api_keys (lower(name));

-- Counts per minute and per hour, written in the transaction that reads records into runs (0008): a
-- page must not read a million lines. What they count stands in the records.
create table traffic_counts (
    tenant_id   uuid not null references tenants,
    span        text not null check (span in ('minute', 'hour')),
    at          timestamptz not null,
    agent       text not null,
    provider    text not null,
    action      text not null,
    effect      text not null,
    mode        text not null,
    reason_code text not null,
    decisions   bigint not null,
    primary key (tenant_id, span, at, agent, provider, action, effect, mode, reason_code)
);

create index traffic_counts_by_age on traffic_counts (span, at);

create table provider_counts (
    tenant_id  uuid not null references tenants,
    span       text not null check (span in ('minute', 'hour')),
    at         timestamptz not null,
    provider   text not null,
    answers    bigint not null,
    failures   bigint not null,
    micros_sum bigint not null,
    micros_max bigint not null,
    primary key (tenant_id, span, at, provider)
);

create index provider_counts_by_age on provider_counts (span, at);

select wall_tenant(name::regclass) from unnest(array['traffic_counts', 'provider_counts']) as name;
