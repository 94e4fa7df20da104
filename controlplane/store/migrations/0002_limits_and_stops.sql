-- Counters of limits, shared by all gateways of a tenant, and the kill switch.
-- Times of limits are microseconds since the Unix epoch, UTC, by this database's clock.

create function limits_now() returns bigint language sql volatile as $$
    select floor(extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;

-- INVARIANT(counted): `counted` is the sum of the counter's uses with `at > counted_since`,
-- whatever their state. A reading for another beginning adds or takes away only what lies between
-- the two, so that it costs the same for ten uses and for ten million.
-- A counter is written only under the advisory lock of its place, and exists while it has uses.
create table limit_counters (
    counter_id    bigint generated always as identity primary key,
    tenant_id     uuid not null references tenants,
    limit_name    text not null check (char_length(limit_name) between 1 and 256),
    key           text not null check (char_length(key) between 1 and 256),
    counted       numeric not null check (counted >= 0),
    counted_since bigint not null,
    changed_at    bigint not null,
    unique (tenant_id, limit_name, key)
) with (fillfactor = 70);

create index limit_counters_newest on limit_counters (tenant_id, counter_id desc);

-- What is held or in flight: open. Settled and released ones are gone. At `ends_at` a held one
-- lapses, and one in flight whose gateway never came back is settled by the sweeper.
-- INVARIANT(once): an owner has at most one.
-- No reference to the tenant here and below: it would lock the tenant's row for every reservation, and
-- the counter has one.
create table limit_reservations (
    token      uuid primary key,
    tenant_id  uuid not null,
    owner      text not null check (char_length(owner) between 1 and 256),
    places     bigint[] not null,
    limits     text[] not null,
    keys       text[] not null,
    used       bigint[] not null,
    is_held    boolean not null,
    ends_at    bigint not null,
    unique (tenant_id, owner)
);

create index limit_reservations_ending on limit_reservations (ends_at);

-- What each reservation took of each counter. While that is open, its `at` is the end of time, so that
-- it counts in every window; settled, `at` is the latest moment at which it can have happened.
-- `lapses_at` is set while it is only held; from `expires_at` on it can count no longer.
create table limit_uses (
    tenant_id      uuid not null,
    counter_id     bigint not null references limit_counters,
    token          uuid not null,
    at             bigint not null default 9223372036854775807,
    amount         bigint not null check (amount >= 0),
    window_seconds bigint not null,
    lapses_at      bigint,
    expires_at     bigint not null default 9223372036854775807,
    primary key (counter_id, at, token) include (amount)
);

create index limit_uses_of_reservations on limit_uses (token);
create index limit_uses_expiring on limit_uses (expires_at);
create index limit_uses_held on limit_uses (counter_id, lapses_at) where lapses_at is not null;
create index limit_uses_lapsing on limit_uses (lapses_at) where lapses_at is not null;

-- The advisory lock of a counter. Two that share one only wait for each other.
create function limit_place(tenant_id uuid, limit_name text, key text) returns bigint
language sql immutable as $$
    select hashtextextended(tenant_id::text || E'\n' || limit_name || E'\n' || key, 1)
$$;

-- The advisory lock of an owner.
create function owner_place(tenant_id uuid, owner text) returns bigint
language sql immutable as $$
    select hashtextextended(tenant_id::text || E'\n' || owner, 2)
$$;

-- Takes locks in ascending order, whoever asks, so that no two wait for each other in a ring.
create function lock_limits(places bigint[]) returns void language plpgsql as $$
declare
    place bigint;
begin
    foreach place in array places loop
        perform pg_advisory_xact_lock(place);
    end loop;
end
$$;

-- From when on a claim counts by this database's clock. A gateway says `since` by its own clock,
-- which may be wrong, and no answer may be larger than by a right one:
-- * it is ahead: a sliding window would begin too late, so it begins as long before now as the
--   gateway meant; a calendar's window that has not begun yet reaches back as far as one can;
-- * it is behind: its window begins too early, which only counts more.
create function limit_start(now bigint, gateway_now bigint, since bigint, window_seconds bigint)
returns bigint language sql immutable as $$
    select case
        when since >= now then now - window_seconds * 1000000
        else least(since, now - (gateway_now - since))
    end
$$;

-- What a counter holds after `since`; what has lapsed is left out.
create function limit_used(counter limit_counters, since bigint, now bigint) returns numeric
language sql stable as $$
    select counter.counted
        + coalesce((select sum(amount) from limit_uses
            where counter_id = counter.counter_id
              and at > since and at <= counter.counted_since), 0)
        - coalesce((select sum(amount) from limit_uses
            where counter_id = counter.counter_id
              and at > counter.counted_since and at <= since), 0)
        - coalesce((select sum(amount) from limit_uses
            where counter_id = counter.counter_id and lapses_at <= now and at > since), 0)
$$;

-- Reads every claimed counter, then takes all or nothing. `token` is null where a claim that
-- blocks is exceeded; such a call writes nothing and so costs no disk. Where the owner has an open
-- reservation, its token and first readings are given, and claims that it lacks are only read.
create function reserve_limits(
    p_tenant uuid, p_owner text, p_token uuid, p_now bigint, p_lapses_at bigint, p_flight bigint,
    p_limits text[], p_keys text[], p_amounts bigint[], p_maxima bigint[], p_since bigint[],
    p_windows bigint[], p_blocks boolean[],
    out token uuid, out limits text[], out keys text[], out used bigint[], out exceeded boolean[]
) language plpgsql as $$
declare
    v_places bigint[];
    v_now bigint;
    v_lapses_at bigint;
    v_counter limit_counters;
    v_id bigint;
    v_used numeric;
    v_read numeric[] := '{}';
    v_starts bigint[] := '{}';
    v_start bigint;
    v_found limit_reservations;
    v_is_open boolean := false;
    v_first integer;
    v_is_refused boolean := false;
begin
    select array_agg(distinct place order by place) into v_places from (
        select owner_place(p_tenant, p_owner) as place
        union all
        select limit_place(p_tenant, c.limit_name, c.key)
        from unnest(p_limits, p_keys) as c (limit_name, key)
    ) as all_places;
    perform lock_limits(v_places);
    -- Only now: what is locked has seen every earlier `at`.
    v_now := limits_now();

    select * into v_found from limit_reservations r
    where r.tenant_id = p_tenant and r.owner = p_owner;
    if found then
        if v_found.ends_at > v_now or not v_found.is_held then
            token := v_found.token;
            v_is_open := true;
        else
            -- Its uses have lapsed with it, and every reading leaves them out.
            delete from limit_reservations r where r.token = v_found.token;
        end if;
    end if;

    limits := p_limits;
    keys := p_keys;
    used := '{}';
    exceeded := '{}';
    for i in 1 .. cardinality(p_limits) loop
        v_start := limit_start(v_now, p_now, p_since[i], p_windows[i]);
        v_used := 0;
        if v_is_open then
            select n into v_first from generate_subscripts(v_found.keys, 1) n
            where v_found.limits[n] = p_limits[i] and v_found.keys[n] = p_keys[i];
        end if;
        select * into v_counter from limit_counters c
        where c.tenant_id = p_tenant and c.limit_name = p_limits[i] and c.key = p_keys[i];
        if v_first is not null then
            v_used := v_found.used[v_first];
        elsif found then
            v_used := limit_used(v_counter, v_start, v_now);
        end if;
        v_starts := v_starts || v_start;
        v_read := v_read || v_used;
        -- JSON's integers end at 2^53 - 1; a maximum does too.
        used := used || least(v_used, 9007199254740991)::bigint;
        exceeded := exceeded || (p_amounts[i] is null or v_used + p_amounts[i] > p_maxima[i]);
        v_is_refused := v_is_refused or (exceeded[i] and p_blocks[i]);
    end loop;
    if v_is_refused or v_is_open then
        return;
    end if;

    token := p_token;
    v_lapses_at := v_now + (p_lapses_at - p_now);
    for i in 1 .. cardinality(p_limits) loop
        insert into limit_counters as c
            (tenant_id, limit_name, key, counted, counted_since, changed_at)
        values (p_tenant, p_limits[i], p_keys[i], v_read[i] + coalesce(p_amounts[i], 0),
                v_starts[i], v_now)
        on conflict (tenant_id, limit_name, key) do update
            set counted = excluded.counted, counted_since = excluded.counted_since,
                changed_at = excluded.changed_at
        returning c.counter_id into v_id;
        delete from limit_uses u where u.counter_id = v_id and u.lapses_at <= v_now;
        insert into limit_uses (tenant_id, counter_id, token, amount, window_seconds, lapses_at)
        values (p_tenant, v_id, p_token, coalesce(p_amounts[i], 0), p_windows[i], v_lapses_at);
    end loop;
    insert into limit_reservations
        (token, tenant_id, owner, places, limits, keys, used, is_held, ends_at)
    values (p_token, p_tenant, p_owner, v_places, limits, keys, used, v_lapses_at is not null,
            coalesce(v_lapses_at, v_now + p_flight));
end
$$;

-- Puts a held reservation in flight; false when it is not held (any more).
create function start_limits(p_tenant uuid, p_token uuid, p_flight bigint) returns boolean
language plpgsql as $$
declare
    v_found limit_reservations;
    v_count integer;
begin
    select * into v_found from limit_reservations r
    where r.tenant_id = p_tenant and r.token = p_token and r.is_held;
    if not found then
        return false;
    end if;
    perform lock_limits(v_found.places);
    update limit_reservations r set is_held = false, ends_at = limits_now() + p_flight
    where r.token = p_token and r.is_held and r.ends_at > limits_now();
    if not found then
        return false;
    end if;
    update limit_uses u set lapses_at = null where u.token = p_token;
    get diagnostics v_count = row_count;
    if v_count <> cardinality(v_found.keys) then
        -- The clock went back after a part had lapsed: it would be sent without being counted.
        raise exception 'a part of reservation % has lapsed', p_token
            using errcode = 'serialization_failure';
    end if;
    return true;
end
$$;

-- Closes a locked reservation whose act may have happened, just now at the latest. Uses are kept for
-- an hour longer than they should be needed, since a day may have 25 and a clock may be wrong.
create function close_limits(p_token uuid) returns void language sql as $$
    -- The clock may have gone back: what counts already must not leave `counted` without leaving it.
    update limit_uses u
    set at = m.moment, lapses_at = null, expires_at = m.moment + (u.window_seconds + 3600) * 1000000
    from limit_counters c,
        lateral (select greatest(limits_now(), c.counted_since + 1) as moment) m
    where u.token = p_token and c.counter_id = u.counter_id;
    delete from limit_reservations where token = p_token;
$$;

-- It may have happened. True where that needs the disk: what was only held would lapse after a
-- crash, while what is in flight stays so and counts just as much. Alone in its transaction, the
-- call does not wait for the disk where it need not; of several, the caller knows.
create function settle_limits(p_tenant uuid, p_token uuid, p_is_alone boolean) returns boolean
language plpgsql as $$
declare
    v_found limit_reservations;
begin
    select * into v_found from limit_reservations r
    where r.tenant_id = p_tenant and r.token = p_token;
    if not found then
        return false;
    end if;
    perform lock_limits(v_found.places);
    select * into v_found from limit_reservations r
    where r.token = p_token and (not r.is_held or r.ends_at > limits_now());
    if not found then
        return false;
    end if;
    perform close_limits(p_token);
    if p_is_alone and not v_found.is_held then
        perform set_config('synchronous_commit', 'off', true);
    end if;
    return v_found.is_held;
end
$$;

-- Nothing was sent: gives back what was taken. Does not wait for the disk: a crash would only leave
-- it taken.
create function release_limits(p_tenant uuid, p_token uuid) returns void language plpgsql as $$
declare
    v_places bigint[];
    v_counters bigint[];
begin
    select r.places into v_places from limit_reservations r
    where r.tenant_id = p_tenant and r.token = p_token;
    if not found then
        return;
    end if;
    perform lock_limits(v_places);
    delete from limit_reservations r where r.token = p_token;
    if not found then
        return;
    end if;
    perform set_config('synchronous_commit', 'off', true);
    with gone as (
        delete from limit_uses u where u.token = p_token returning u.counter_id, u.at, u.amount
    ), changed as (
        update limit_counters c
        set counted = c.counted - case when gone.at > c.counted_since then gone.amount else 0 end,
            changed_at = limits_now()
        from gone where c.counter_id = gone.counter_id
        returning c.counter_id
    )
    select array_agg(counter_id) into v_counters from changed;
    delete from limit_counters c
    where c.counter_id = any (v_counters)
      and not exists (select from limit_uses u where u.counter_id = c.counter_id);
end
$$;

-- Removes what can count no longer, of up to `p_counters` counters and until it was `p_uses` rows or
-- more; how many. A counter that somebody uses just now is left for the next time, so that a sweep
-- waits for nobody.
create function sweep_limits(p_counters integer, p_uses integer) returns bigint
language plpgsql as $$
declare
    v_now bigint := limits_now();
    v_ended limit_reservations;
    v_counter limit_counters;
    v_count bigint;
    v_total bigint := 0;
begin
    for v_ended in
        select r.* from limit_reservations r where r.ends_at <= v_now
        order by r.ends_at limit p_counters
    loop
        continue when not
            (select bool_and(pg_try_advisory_xact_lock(place)) from unnest(v_ended.places) place);
        -- It may have been started or settled before it was locked.
        select * into v_ended from limit_reservations r
        where r.token = v_ended.token and r.ends_at <= v_now;
        continue when not found;
        v_total := v_total + 1;
        if v_ended.is_held then
            delete from limit_reservations r where r.token = v_ended.token;
        else
            perform close_limits(v_ended.token);
        end if;
    end loop;
    for v_counter in
        select c.* from limit_counters c where c.counter_id in (
            select counter_id from
                (select u.counter_id from limit_uses u where u.expires_at <= v_now
                 order by u.expires_at limit p_uses) as expired
            union
            select counter_id from
                (select u.counter_id from limit_uses u where u.lapses_at <= v_now
                 order by u.lapses_at limit p_uses) as lapsed
        )
        limit p_counters
    loop
        exit when v_total >= p_uses;
        continue when not pg_try_advisory_xact_lock(
            limit_place(v_counter.tenant_id, v_counter.limit_name, v_counter.key));
        with gone as (
            delete from limit_uses u where u.ctid = any (array(
                select o.ctid from limit_uses o
                where o.counter_id = v_counter.counter_id
                  and (o.expires_at <= v_now or o.lapses_at <= v_now)
                limit p_uses))
            returning u.at, u.amount
        ), changed as (
            update limit_counters c
            set counted = c.counted - coalesce(
                (select sum(amount) from gone where gone.at > c.counted_since), 0)
            where c.counter_id = v_counter.counter_id
        )
        select count(*) into v_count from gone;
        v_total := v_total + v_count;
        delete from limit_counters c
        where c.counter_id = v_counter.counter_id
          and not exists (select from limit_uses u where u.counter_id = c.counter_id);
    end loop;
    return v_total;
end
$$;

-- The kill switch. A stop is written once and lifted at most once; nothing else ever changes.
create table stops (
    stop_seq      bigint generated always as identity unique,
    stop_id       uuid primary key,
    tenant_id     uuid not null references tenants,
    scope         text not null check (scope in ('agent', 'run', 'provider', 'everything')),
    name          text not null check (char_length(name) <= 256),
    reason        text not null check (char_length(reason) between 1 and 500),
    by            text not null check (char_length(by) between 1 and 256),
    by_key        uuid not null references api_keys,
    at            timestamptz not null default clock_timestamp(),
    lifted_at     timestamptz,
    lifted_by     text check (char_length(lifted_by) between 1 and 256),
    lifted_by_key uuid references api_keys,
    lift_reason   text check (char_length(lift_reason) between 1 and 500),
    check ((scope = 'everything') = (name = '')),
    check ((lifted_at is null) = (lifted_by is null)
        and (lifted_at is null) = (lifted_by_key is null)
        and (lifted_at is null) = (lift_reason is null))
);

create index stops_newest on stops (tenant_id, stop_seq desc);
create index stops_in_force on stops (tenant_id, stop_seq) where lifted_at is null;

create function guard_stop() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'stops are never deleted' using errcode = 'insufficient_privilege';
    end if;
    if old.lifted_at is not null or new.lifted_at is null then
        raise exception 'a stop is lifted once, and nothing else of it changes'
            using errcode = 'check_violation';
    end if;
    if (to_jsonb(new) - array['lifted_at', 'lifted_by', 'lifted_by_key', 'lift_reason'])
        is distinct from
       (to_jsonb(old) - array['lifted_at', 'lifted_by', 'lifted_by_key', 'lift_reason'])
    then
        raise exception 'what was stopped, by whom and why does not change'
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger stops_guard before update or delete on stops
    for each row execute function guard_stop();
create trigger stops_not_truncated before truncate on stops
    for each statement execute function refuse_change();
