-- What the service's role may do, said again at every start. Whatever is not here it may not.
-- `{role}` is a constant of `roles.py`.

-- name: rights
revoke all on all tables in schema checkrein from {role};
grant usage on schema checkrein to {role};
grant select on schema_migrations to {role};
grant select, insert on tenants to {role};
grant select, insert, update (enabled, labels) on agents to {role};
grant select, insert, update (revoked_at, last_used_at, expires_at, rotated_at, key_hash, key_prefix)
    on api_keys to {role};
-- A secret that was rotated out may end earlier than was said, never be forgotten.
grant select, insert, update (valid_until) on former_secrets to {role};
grant select, insert, update, delete on idempotency_keys to {role};
grant select, insert on learner_modes to {role};
grant select, insert on approvals to {role};
grant update (status, expires_at, resolved_at, resolved_by, resolved_by_key, comment, consumed_at,
              claim_id, escalated_at, escalated_by, escalation_comment, witness_now_hash,
              witness_now_state, grant_id) on approvals to {role};
-- INVARIANT(append-only): no update, delete or truncate, here and by trigger.
grant select, insert on approval_answers to {role};
grant select, insert on records to {role};
grant usage on sequence record_ids to {role};
grant execute on function make_month_partitions(text, integer) to {role};
-- Of the log only the head moves, and what became of an anchor.
grant select, insert on log_leaves, log_nodes, log_checkpoints to {role};
grant select, insert, update (size, frontier, through_record_id, updated_at) on log_heads to {role};
grant select, insert, update (status, attempts, due_at, problem, reference, ended_at)
    on log_anchors to {role};
grant select, insert on gateway_keys, gateway_signed_heads to {role};
-- An act is written down by triggers; later only which record it has got.
grant select, insert, update (seq) on acts to {role};
-- INVARIANT(erasure-is-told): bodies go by these two alone, which write down what they did.
grant select, insert on retention_rules to {role};
grant select on erasures, retention_cursors to {role};
grant execute on function erase_old(uuid, integer, integer),
    erase_decision(uuid, text, text, uuid, text) to {role};
grant select, insert, update on stream_cursors to {role};
grant select, insert on bundles to {role};
grant select, insert, update (revision, updated_at) on policies to {role};
grant select, insert, update (status, activated_by, activated_at, archived_by, archived_at)
    on policy_versions to {role};
grant select, insert on policy_rules to {role};
grant select, insert, update on gateway_heads to {role};
grant select, insert, update, delete on gateways to {role};
grant select, insert, update, delete on limit_counters, limit_reservations, limit_uses to {role};
-- Who stopped what and why stays; only the lifting is written later.
grant select, insert, update (lifted_at, lifted_by, lifted_by_key, lift_reason) on stops to {role};
-- What was offered stays; of a grant only its end is written later, of a use only that it came back.
grant select, insert on grant_offers to {role};
grant select, insert, update (state, ended_at, ended_by, ended_by_key, end_reason) on grants
    to {role};
grant select, insert, update (given_back_at) on grant_uses to {role};
grant select, insert on runs to {role};
grant update (status, started_at, last_step_at, ended_at, ended_by, ended_by_key, end_reason,
              step_count, blocked_count, held_count) on runs to {role};
grant select, insert on run_steps, unknown_outcomes, outcome_settlements to {role};
grant select, insert, update on projection_cursors to {role};
grant select, insert on incidents to {role};
grant update (status, occurrences, last_seen_at, decision_ids, approval_ids, acknowledged_at,
              acknowledged_by, acknowledged_key, resolved_at, resolved_by, resolved_key, note)
    on incidents to {role};
-- Written by triggers alone, which run with the rights of whoever made the change.
grant select, insert, delete on events to {role};
grant select, insert, update (last_seen_at, ended_at), delete on sessions to {role};
grant select, insert, update, delete on traffic_counts, provider_counts to {role};
grant select, insert,
      update (name, settings, secrets, events, groups, severity, enabled, changed_at, removed_at)
      on channels to {role};
grant select, insert, delete on channel_people, callbacks_seen to {role};
grant select, insert, update on channel_cursors to {role};
grant select, insert, update, delete on deliveries to {role};
grant select, insert, update (used_at), delete on mail_links to {role};
