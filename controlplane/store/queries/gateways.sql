-- Gateways: what each runs, as it says itself when it asks for a newer bundle.

-- name: note
insert into gateways (tenant_id, gateway_id, sequence, revision, source)
select $1, $2, $3, $4, $6
where (select count(*) from gateways where tenant_id = $1) < $5
   or exists (select 1 from gateways where tenant_id = $1 and gateway_id = $2)
on conflict (tenant_id, gateway_id) do update
set sequence = excluded.sequence,
    revision = excluded.revision,
    source = excluded.source,
    running_since = case
        when (gateways.sequence, gateways.revision, gateways.source)
             is distinct from (excluded.sequence, excluded.revision, excluded.source) then now()
        else gateways.running_since
    end,
    last_seen_at = now()

-- name: forget
-- Gateways come and go with their containers; one that was silent for so long is gone.
delete from gateways
where tenant_id = $1 and last_seen_at < now() - make_interval(secs => $2)

-- name: list
select gateway_id, sequence, revision, source, running_since, last_seen_at
from gateways
where tenant_id = $1 and ($2::text is null or gateway_id > $2)
order by gateway_id limit $3
