-- Partitions by month of what only grows.

-- name: make
select make_month_partitions('records', $1), make_month_partitions('run_steps', $1)
