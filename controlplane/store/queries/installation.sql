-- What this installation runs on.

-- name: about
select current_setting('server_version') as server_version,
       (select max(version) from schema_migrations) as schema_version
