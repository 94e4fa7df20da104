"""The data plane: an agent's bytes in, a governed request (or a refusal) out.

`pipeline.py` walks one request through the five stages `intercept`, `canonicalize`, `decide`,
`enforce` and `record`. The stages never import each other; they share the words in `model/`.

Beside the stages stand, in the order of who calls whom:

the process      `__main__`, `workers/` several on one port, `app` its ways in, `assembly` which
                 adapter is behind which port, `settings`, `reloading`, `readiness` and `admin`,
                 `service_manager`; `addon/` is the same pipeline in mitmproxy
one request      `pipeline`, `case` what is known of it, `judge` what is said to it, `held_cases`,
                 `reservations` of limits, `witness_reader`, `tunnels`, `past_entries`
the world        `control_client/`, `rulesets/` where rules come from, `counters/` of limits
for people       `authoring/` what authors of mappers and policies ask, `cli/` the command
under all        `ports`, `wire/` sockets, `http_client`, `telemetry` which metrics there are,
                 `metrics` how they count, `log_lines`, `tasks`, `background`, `system` the clock
                 and ids, `content` what travels with the product
"""
