-- Records by month of arrival, so that old ones can be put away without touching young ones. A
-- partition has no uniqueness across months: that a gateway's numbers never repeat and never skip is
-- now held by its head, which every appending statement moves itself.

drop trigger records_append_only on records;
drop trigger records_not_truncated on records;
alter table records alter column record_id drop identity;
alter table records rename to records_before;
alter index records_in_order rename to records_before_in_order;
alter index records_of_decisions rename to records_before_of_decisions;
alter index records_of_agents rename to records_before_of_agents;
alter table records_before drop constraint records_pkey;
create sequence record_ids;
select setval('record_ids', coalesce(max(record_id), 0) + 1, false) from records_before;

create table records (
    record_id   bigint not null default nextval('record_ids'),
    tenant_id   uuid not null references tenants,
    gateway_id  text not null,
    seq         bigint not null constraint records_seq_check check (seq >= 1),
    hash        text not null,
    line        text not null,
    kind        text not null,
    at          text not null,
    agent       text,
    effect      text,
    decision_id text,
    received_at timestamptz not null default clock_timestamp(),
    primary key (record_id, received_at)
) partition by range (received_at);

create index records_in_order on records (tenant_id, record_id);
create index records_of_gateways on records (tenant_id, gateway_id, seq);
create index records_of_decisions on records (tenant_id, decision_id, record_id)
    where decision_id is not null;
create index records_of_agents on records (tenant_id, agent, record_id desc)
    where agent is not null;
select wall_tenant('records');

create trigger records_append_only before update or delete on records
    for each row execute function refuse_change();
create trigger records_not_truncated before truncate on records
    for each statement execute function refuse_change();
create trigger records_before_not_truncated before truncate on records_before
    for each statement execute function refuse_change();

-- What no partition was made for in time: it is kept, and not lost.
create table records_rest partition of records default;
select wall_tenant('records_rest');
create trigger records_rest_not_truncated before truncate on records_rest
    for each statement execute function refuse_change();

-- What was there before this migration is one partition, up to the end of this month.
do $$
declare
    next_month timestamptz := date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'
        + interval '1 month';
begin
    execute format('alter table records attach partition records_before '
        'for values from (minvalue) to (%L)', next_month);
end
$$;

-- INVARIANT(chain-once): each statement that appends moves the heads of its gateways by exactly what
-- it appended, or fails. Of two at once the second waits for the first one's head, and then fails.
create function move_heads() returns trigger language plpgsql as $$
declare
    joint record;
begin
    for joint in
        select tenant_id, gateway_id, min(seq) as first, max(seq) as last,
            count(distinct seq) as numbers, count(*) as rows,
            (array_agg(hash order by seq desc))[1] as hash
        from fresh group by tenant_id, gateway_id order by tenant_id, gateway_id
    loop
        insert into gateway_heads as h (tenant_id, gateway_id, seq, hash)
            select joint.tenant_id, joint.gateway_id, joint.last, joint.hash
            where joint.first = 1 or exists (select from gateway_heads g
                where g.tenant_id = joint.tenant_id and g.gateway_id = joint.gateway_id)
            on conflict (tenant_id, gateway_id)
            do update set seq = excluded.seq, hash = excluded.hash, updated_at = now()
            where h.seq = joint.first - 1;
        if not found or joint.rows <> joint.last - joint.first + 1 or joint.rows <> joint.numbers
        then
            raise exception 'records % to % of `%` do not follow its head',
                joint.first, joint.last, joint.gateway_id using errcode = 'check_violation';
        end if;
    end loop;
    return null;
end
$$;

create trigger records_move_heads after insert on records referencing new table as fresh
    for each statement execute function move_heads();

-- A head only goes forward, whoever moves it.
create function guard_head() returns trigger language plpgsql as $$
begin
    if new.seq <= old.seq or (new.tenant_id, new.gateway_id) <> (old.tenant_id, old.gateway_id) then
        raise exception 'the head of a chain only moves forward' using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger gateway_heads_forward before update on gateway_heads
    for each row execute function guard_head();

select make_month_partitions('records', 3);
