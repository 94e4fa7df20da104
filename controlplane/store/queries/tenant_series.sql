-- Series of a tenant, written one after the other.

-- name: lock
select pg_advisory_xact_lock($1, hashtext($2))
