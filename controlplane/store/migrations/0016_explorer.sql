-- Decisions as an auditor looks for them: the newest first, by one of the words that a step has. Each
-- index ends in the order of the list, so that a page is read without sorting.

create index run_steps_newest on run_steps (tenant_id, record_id desc);
create index run_steps_of_agents on run_steps (tenant_id, agent, record_id desc);
create index run_steps_of_effects on run_steps (tenant_id, effect, record_id desc);
create index run_steps_of_agents_effects on run_steps (tenant_id, agent, effect, record_id desc);
create index run_steps_of_providers on run_steps (tenant_id, provider, record_id desc);
create index run_steps_of_actions on run_steps (tenant_id, action, record_id desc);
create index run_steps_of_targets on run_steps (tenant_id, target_id, record_id desc);
create index run_steps_of_rules on run_steps (tenant_id, rule, record_id desc)
    where rule is not null;
create index run_steps_of_runs on run_steps (tenant_id, run_id, record_id desc);

-- From a moment to the first step that came then.
create index run_steps_arrived on run_steps (tenant_id, recorded_at);

create index runs_of_names on runs (tenant_id, name, run_seq desc);
