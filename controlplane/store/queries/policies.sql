-- Policies and their versions. What a version says never changes; its state moves, one statement a
-- move. Whoever changes which versions are active holds the series of bundles.

-- name: count
select count(*) from policies where tenant_id = $1

-- name: insert
insert into policies (policy_id, tenant_id, name, description, created_by)
values ($1, $2, $3, $4, $5)
on conflict (tenant_id, name) do nothing
returning policy_id

-- name: touch
-- Makes the next etag, if the present one is the known one; $3 null: whatever it is.
update policies set revision = revision + 1, updated_at = clock_timestamp()
where tenant_id = $1 and policy_id = $2 and ($3::bigint is null or revision = $3)
returning revision

-- name: insert_version
insert into policy_versions (tenant_id, policy_id, version, status, document, digest, scope_type,
                             scope_id, mode, default_effect, comment, created_by)
select $1, $2, coalesce(max(version), 0) + 1, 'DRAFT', $3, $4, $5, $6, $7, $8, $9, $10
from policy_versions where tenant_id = $1 and policy_id = $2
having count(*) < $11
returning version

-- name: insert_rules
insert into policy_rules (tenant_id, policy_id, version, position, rule_id, priority, effect, mode,
                          enabled, reason_code, message, match, condition, target_type,
                          target_selector)
select $1, $2, $3, r.position - 1, r.rule_id, r.priority, r.effect, r.mode, r.enabled,
       r.reason_code, r.message, r.match::jsonb, r.condition, r.target_type, r.target_selector
from unnest($4::text[], $5::integer[], $6::text[], $7::text[], $8::boolean[], $9::text[],
            $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
    with ordinality
    as r (rule_id, priority, effect, mode, enabled, reason_code, message, match, condition,
          target_type, target_selector, position)

-- name: archive_active
update policy_versions
set status = 'ARCHIVED', archived_by = $3, archived_at = clock_timestamp()
where tenant_id = $1 and policy_id = $2 and status = 'ACTIVE'
returning version

-- name: activate
update policy_versions
set status = 'ACTIVE', activated_by = $4, activated_at = clock_timestamp()
where tenant_id = $1 and policy_id = $2 and version = $3 and status = 'DRAFT'
returning version

-- name: active
select p.policy_id, p.name, v.version, v.digest, v.document
from policy_versions v join policies p on p.policy_id = v.policy_id
where v.tenant_id = $1 and v.status = 'ACTIVE'
order by p.name

-- name: find_by_name
select policy_id from policies where tenant_id = $1 and name = $2

-- part: policies_with_their_versions
select p.policy_seq, p.policy_id, p.name, p.description, p.revision, p.created_by, p.created_at,
       p.updated_at, v.version, v.status, v.scope_type, v.scope_id, v.mode, v.default_effect,
       n.newest_version, n.draft_version
from policies p
join lateral (
    select * from policy_versions where policy_id = p.policy_id
    order by status = 'ACTIVE' desc, version desc limit 1
) v on true
join lateral (
    select max(version) as newest_version,
           max(version) filter (where status = 'DRAFT') as draft_version
    from policy_versions where policy_id = p.policy_id
) n on true

-- name: get
{policies_with_their_versions}
where p.tenant_id = $1 and p.policy_id = $2

-- name: list
{policies_with_their_versions}
where p.tenant_id = $1
  and ($2::bigint is null or p.policy_seq < $2)
  and ($3::text is null or v.status = $3)
  and ($4::text is null or p.name = $4)
  and ($5::text is null or v.scope_type = $5)
  and ($6::text is null or coalesce(v.scope_id, p.tenant_id::text) = $6)
order by p.policy_seq desc
limit $7

-- name: versions
select version, status, digest, scope_type, scope_id, mode, default_effect, comment, created_by,
       created_at, activated_by, activated_at, archived_by, archived_at, null as document
from policy_versions
where tenant_id = $1 and policy_id = $2 and ($3::integer is null or version < $3)
order by version desc limit $4

-- name: version
select version, status, digest, scope_type, scope_id, mode, default_effect, comment, created_by,
       created_at, activated_by, activated_at, archived_by, archived_at, document
from policy_versions
where tenant_id = $1 and policy_id = $2 and version = $3

-- name: rules
select rule_id, priority, effect, mode, enabled, reason_code, message, match::text as match,
       condition, target_type, target_selector
from policy_rules
where tenant_id = $1 and policy_id = $2 and version = $3
order by position

-- name: recent_decisions
-- Lines of decisions, newest first, below a record's id.
select record_id, line from records
where tenant_id = $1 and kind in ('intent', 'decision') and ($2::bigint is null or record_id < $2)
  and line is not null
order by record_id desc limit $3
