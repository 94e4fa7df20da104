-- What no mapper knows, newest first: a page asks for it by itself, and it is little of all.

create index run_steps_unmapped on run_steps (tenant_id, recorded_at desc)
    where kind = 'unknown';
