-- The second wall between tenants: whatever a statement asks for, it gets rows of the tenant that the
-- session acts for (`store/tenancy.py`). A session that says nothing gets nothing.

-- Written as an equality, by which the planner can reckon how many rows a tenant has.
create function acts_for(tenant uuid) returns boolean language sql stable parallel safe as $$
    select tenant = nullif(nullif(current_setting('checkrein.tenant', true), '*'), '')::uuid
        or current_setting('checkrein.tenant', true) = '*'
$$;

-- Walls a table that has a `tenant_id`; every later migration that makes one calls it. Forced, since
-- the service may run as the owner of its tables.
create function wall_tenant(walled regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', walled);
    execute format('alter table %s force row level security', walled);
    execute format(
        'create policy tenant_wall on %s using (acts_for(tenant_id)) with check (acts_for(tenant_id))',
        walled);
end
$$;

select wall_tenant(name::regclass) from unnest(array[
    'tenants', 'agents', 'api_keys', 'approvals', 'approval_answers', 'records', 'gateway_heads',
    'limit_counters', 'limit_reservations', 'limit_uses', 'stops', 'bundles', 'gateways'
]) as name;
