-- Signed bundles of policies and mappers, and what each gateway runs of them.

create table bundles (
    tenant_id      uuid not null references tenants,
    sequence       bigint not null check (sequence >= 1),
    revision       text not null check (revision ~ '^[0-9a-f]{64}$'),
    mappers_digest text not null check (mappers_digest ~ '^[0-9a-f]{64}$'),
    payload        text not null,
    signature      text not null,
    key_id         text not null,
    created_by     text not null,
    comment        text,
    created_at     timestamptz not null,
    primary key (tenant_id, sequence)
);

-- INVARIANT(no-gap): the numbers of a tenant's bundles are 1, 2, 3 and so on.
create function guard_bundle() returns trigger language plpgsql as $$
begin
    if new.sequence is distinct from
        (select coalesce(max(b.sequence), 0) + 1 from bundles b where b.tenant_id = new.tenant_id)
    then
        raise exception 'bundle % does not follow the last one', new.sequence
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger bundles_in_order before insert on bundles
    for each row execute function guard_bundle();
create trigger bundles_append_only before update or delete on bundles
    for each row execute function refuse_change();
create trigger bundles_not_truncated before truncate on bundles
    for each statement execute function refuse_change();

-- What gateways say of themselves; nothing is decided by it.
create table gateways (
    tenant_id     uuid not null references tenants,
    gateway_id    text not null,
    sequence      bigint not null check (sequence >= 0),
    revision      text,
    running_since timestamptz not null default now(),
    last_seen_at  timestamptz not null default now(),
    primary key (tenant_id, gateway_id)
);
