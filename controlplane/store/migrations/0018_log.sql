-- The log of each tenant that proves itself (RFC 6962): one leaf for each record in the order of
-- arrival, the checkpoints that were signed over it, where those were anchored, and the keys and
-- signed heads of the gateways whose records it holds.

-- A leaf commits to the hash of a line and not to the line, so that a line can be erased and
-- everything still verifies. Both hashes are kept: one serves proofs, the other is what is proven.
create table log_leaves (
    tenant_id  uuid not null references tenants,
    leaf_index bigint not null check (leaf_index >= 0),
    record_id  bigint not null,
    gateway_id text not null,
    seq        bigint not null check (seq >= 1),
    line_hash  bytea not null check (octet_length(line_hash) = 32),
    leaf_hash  bytea not null check (octet_length(leaf_hash) = 32),
    primary key (tenant_id, leaf_index)
);

create unique index log_leaves_of_records on log_leaves (tenant_id, gateway_id, seq);

-- Roots of whole subtrees: 256 leaves at level 1, 256 of those at level 2, and so on. A proof of a
-- log of a million needs some hundred rows of three levels.
create table log_nodes (
    tenant_id  uuid not null references tenants,
    level      smallint not null check (level between 1 and 7),
    node_index bigint not null check (node_index >= 0),
    hash       bytea not null check (octet_length(hash) = 32),
    primary key (tenant_id, level, node_index)
);

-- How far a log goes. `frontier`: the roots of its perfect subtrees, the largest first, joined;
-- `through_record_id`: the last record that has its leaf.
create table log_heads (
    tenant_id         uuid primary key references tenants,
    size              bigint not null default 0 check (size >= 0),
    frontier          bytea not null default '' check (octet_length(frontier) % 32 = 0),
    through_record_id bigint not null default 0,
    updated_at        timestamptz not null default clock_timestamp()
);

-- INVARIANT(gapless-log): each statement that appends leaves moves the head by exactly what it
-- appended, or fails. Of two at once the second waits for the first one's head, and then fails.
create function move_log_heads() returns trigger language plpgsql as $$
declare
    grown record;
begin
    for grown in
        select tenant_id, min(leaf_index) as first, max(leaf_index) as last, count(*) as rows
        from fresh group by tenant_id order by tenant_id
    loop
        update log_heads set size = grown.last + 1, updated_at = clock_timestamp()
            where tenant_id = grown.tenant_id and size = grown.first;
        if not found or grown.rows <> grown.last - grown.first + 1 then
            raise exception 'leaves % to % do not follow the head of the log',
                grown.first, grown.last using errcode = 'check_violation';
        end if;
    end loop;
    return null;
end
$$;

create trigger log_leaves_move_heads after insert on log_leaves referencing new table as fresh
    for each statement execute function move_log_heads();

create function guard_log_head() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or new.size < old.size or new.tenant_id <> old.tenant_id
        or new.through_record_id < old.through_record_id
    then
        raise exception 'the head of a log only moves forward' using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger log_heads_forward before update or delete on log_heads
    for each row execute function guard_log_head();

-- What was signed, as the note itself. The signer keeps its own memory outside of this database;
-- this is what is shown and proven against.
create table log_checkpoints (
    checkpoint_seq bigint generated always as identity primary key,
    checkpoint_id  uuid not null unique,
    tenant_id      uuid not null references tenants,
    size           bigint not null check (size >= 0),
    root           bytea not null check (octet_length(root) = 32),
    note           text not null,
    signed_at      timestamptz not null default clock_timestamp()
);

create index log_checkpoints_newest on log_checkpoints (tenant_id, checkpoint_seq desc);

-- Which checkpoint is to be kept where, outside of this database, and what became of that. Of
-- `webhook` the deliveries of its event tell.
create table log_anchors (
    anchor_seq    bigint generated always as identity primary key,
    tenant_id     uuid not null references tenants,
    checkpoint_id uuid not null references log_checkpoints (checkpoint_id),
    place         text not null check (place in ('file', 's3', 'webhook')),
    status        text not null default 'PENDING' check (status in ('PENDING', 'ANCHORED', 'TOLD')),
    attempts      integer not null default 0,
    due_at        timestamptz not null default clock_timestamp(),
    -- Why the last attempt failed, in words that hold no secret.
    problem       text,
    -- What it is called there.
    reference     text,
    made_at       timestamptz not null default clock_timestamp(),
    ended_at      timestamptz,
    unique (tenant_id, place, checkpoint_id)
);

create index log_anchors_newest on log_anchors (tenant_id, place, anchor_seq desc);
create index log_anchors_due on log_anchors (due_at) where status = 'PENDING';

create function guard_anchor() returns trigger language plpgsql as $$
declare
    changeable constant text[] := array['status', 'attempts', 'due_at', 'problem', 'reference',
        'ended_at'];
begin
    if tg_op = 'DELETE' or old.status <> 'PENDING'
        or to_jsonb(new) - changeable is distinct from to_jsonb(old) - changeable
    then
        raise exception 'what an anchor says does not change' using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger log_anchors_guard before update or delete on log_anchors
    for each row execute function guard_anchor();

-- Webhook channels are told as of everything else: by the outbox that makes deliveries of events.
create function note_anchor() returns trigger language plpgsql as $$
begin
    insert into events (tenant_id, kind, subject_id, change)
        values (new.tenant_id, 'checkpoint', new.checkpoint_id::text, 'SIGNED');
    return null;
end
$$;

create trigger log_anchors_noted after insert on log_anchors
    for each row when (new.place = 'webhook') execute function note_anchor();

-- The public keys of gateways, each with the proof that its bearer, and the bearer of the key
-- before it, wanted it. The newest one holds; none is ever forgotten.
create table gateway_keys (
    key_seq     bigint generated always as identity primary key,
    tenant_id   uuid not null references tenants,
    gateway_id  text not null,
    key         text not null,
    proof       text not null,
    enrolled_at timestamptz not null default clock_timestamp(),
    unique (tenant_id, gateway_id, key)
);

create index gateway_keys_newest on gateway_keys (tenant_id, gateway_id, key_seq desc);

-- What gateways signed of their own chains: the last line of each batch that they shipped.
create table gateway_signed_heads (
    tenant_id   uuid not null references tenants,
    gateway_id  text not null,
    seq         bigint not null check (seq >= 1),
    key_seq     bigint not null references gateway_keys,
    note        text not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, gateway_id, seq, key_seq)
);

create trigger log_leaves_append_only before update or delete on log_leaves
    for each row execute function refuse_change();
create trigger log_nodes_append_only before update or delete on log_nodes
    for each row execute function refuse_change();
create trigger log_checkpoints_append_only before update or delete on log_checkpoints
    for each row execute function refuse_change();
create trigger gateway_keys_append_only before update or delete on gateway_keys
    for each row execute function refuse_change();
create trigger gateway_signed_heads_append_only before update or delete on gateway_signed_heads
    for each row execute function refuse_change();

do $$
declare
    name text;
begin
    foreach name in array array['log_leaves', 'log_nodes', 'log_heads', 'log_checkpoints',
        'log_anchors', 'gateway_keys', 'gateway_signed_heads']
    loop
        perform wall_tenant(name::regclass);
        execute format('create trigger %I before truncate on %I for each statement '
            'execute function refuse_change()', name || '_not_truncated', name);
    end loop;
end
$$;
