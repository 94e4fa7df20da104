-- Where people are reached: channels, who a channel's people are, what is sent to them and what
-- became of it, and what can be answered from there.

create table channels (
    channel_id  uuid primary key,
    tenant_id   uuid not null references tenants,
    name        text not null check (char_length(name) between 1 and 100),
    kind        text not null check (kind in ('webhook', 'slack', 'email')),
    -- JSON without a secret; `secrets` is sealed with a key that is not in this database.
    settings    text not null,
    secrets     bytea,
    events      text[] not null,
    -- Only what is put to one of these groups; none: whatever it is put to.
    groups      text[] not null default '{}',
    severity    text check (severity in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    enabled     boolean not null default true,
    created_at  timestamptz not null default clock_timestamp(),
    changed_at  timestamptz not null default clock_timestamp(),
    removed_at  timestamptz,
    check (removed_at is null or secrets is null)
);

create unique index channels_by_name on channels (tenant_id, lower(name)) where removed_at is null;
select wall_tenant('channels');

-- Who stands behind an address there (a Slack user, a mailbox): the bearer of a key.
create table channel_people (
    tenant_id  uuid not null references tenants,
    channel_id uuid not null references channels,
    address    text not null check (char_length(address) between 1 and 320),
    key_id     uuid not null references api_keys,
    primary key (channel_id, address)
);

select wall_tenant('channel_people');

-- How far the events of a tenant have become deliveries.
create table channel_cursors (
    tenant_id uuid primary key references tenants,
    made_in   xid8 not null,
    event_seq bigint not null
);

select wall_tenant('channel_cursors');

-- INVARIANT(once-per-channel): an event is sent once to a channel (by e-mail: once to each person),
-- however many replicas read it. `due_at` of one that is being sent is the end of the lease: a
-- sender that died loses nothing. `claim` tells a late sender's result from a newer one's.
create table deliveries (
    delivery_seq bigint generated always as identity unique,
    delivery_id  uuid primary key,
    tenant_id    uuid not null references tenants,
    channel_id   uuid not null references channels,
    recipient    text not null default '',
    event_seq    bigint not null,
    event        text not null,
    kind         text not null,
    subject_id   text not null,
    happened_at  timestamptz not null,
    status       text not null default 'PENDING'
        check (status in ('PENDING', 'DELIVERED', 'SKIPPED', 'DEAD')),
    attempts     integer not null default 0,
    claim        bigint not null default 0,
    due_at       timestamptz not null default clock_timestamp(),
    -- Why the last attempt failed, in words that hold no secret.
    problem      text,
    -- What the other side calls the message, to change it later.
    reference    text,
    created_at   timestamptz not null default clock_timestamp(),
    ended_at     timestamptz,
    unique (channel_id, event_seq, recipient)
);

-- What it is about does not change, and it ends only once before somebody sends it again.
create function guard_delivery() returns trigger language plpgsql as $$
declare
    changeable constant text[] := array['status', 'attempts', 'claim', 'due_at', 'problem', 'reference',
        'ended_at'];
begin
    if to_jsonb(new) - changeable is distinct from to_jsonb(old) - changeable then
        raise exception 'what a delivery tells does not change' using errcode = 'check_violation';
    end if;
    if new.status <> old.status and 'PENDING' not in (old.status, new.status) then
        raise exception 'a delivery does not move from % to %', old.status, new.status
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger deliveries_guard before update on deliveries
    for each row execute function guard_delivery();

create index deliveries_due on deliveries (channel_id, due_at) where status = 'PENDING';
create index deliveries_in_order on deliveries (channel_id, recipient, subject_id, delivery_seq);
create index deliveries_newest on deliveries (tenant_id, delivery_seq desc);
create index deliveries_ended on deliveries (ended_at) where ended_at is not null;
select wall_tenant('deliveries');

-- A link that was mailed: what it may answer, and as whom. Only its hash is here.
create table mail_links (
    link_hash   bytea primary key check (octet_length(link_hash) = 32),
    tenant_id   uuid not null references tenants,
    channel_id  uuid not null references channels,
    approval_id uuid not null references approvals (approval_id),
    key_id      uuid not null references api_keys,
    created_at  timestamptz not null default clock_timestamp(),
    expires_at  timestamptz not null,
    used_at     timestamptz
);

create index mail_links_ending on mail_links (expires_at);
select wall_tenant('mail_links');

-- Callbacks that were taken, for as long as their signature would be accepted.
create table callbacks_seen (
    channel_id uuid not null references channels,
    tenant_id  uuid not null references tenants,
    signature  text not null,
    seen_at    timestamptz not null default clock_timestamp(),
    primary key (channel_id, signature)
);

create index callbacks_seen_ending on callbacks_seen (seen_at);
select wall_tenant('callbacks_seen');

-- A stop has no column of its state: it stands until it is lifted.
create function note_stop() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or (old.lifted_at is null and new.lifted_at is not null) then
        insert into events (tenant_id, kind, subject_id, change) values (
            new.tenant_id, 'stop', new.stop_id::text,
            case when new.lifted_at is null then 'PULLED' else 'LIFTED' end
        );
    end if;
    return null;
end
$$;

create trigger stops_noted after insert or update on stops
    for each row execute function note_stop();
