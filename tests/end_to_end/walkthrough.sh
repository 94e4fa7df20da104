# The API's first walk-through, as its readers type it. The test fills in addresses, and what a
# reader would: the key, the tenant, and the id of step 6.
# Step 1: Create the policy
curl -X POST http://localhost:8080/v1/policies \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{
"scope": {"scopeType": "ORG", "scopeId": "'"$TENANT"'"},
"name": "code-agent-guardrails",
"description": "Allow reads, require approval for writes, deny shell",
"defaultAction": "DENY",
"rules": [
{"ruleId":"00000000-0000-0000-0000-000000000010","priority":10,
"targetType":"TOOL","targetSelector":"read_file",
"action":"ALLOW","reasonCode":"SAFE_READ","enabled":true},
{"ruleId":"00000000-0000-0000-0000-000000000030","priority":30,
"targetType":"WRITE_ACTION","targetSelector":"*",
"action":"REQUIRE_APPROVAL","reasonCode":"WRITE_NEEDS_REVIEW","enabled":true},
{"ruleId":"00000000-0000-0000-0000-000000000040","priority":40,
"targetType":"TOOL","targetSelector":"execute_shell",
"action":"DENY","reasonCode":"SHELL_BLOCKED","enabled":true}
]
}'
# Step 2: Start a run
RUN=$(curl -s -X POST http://localhost:8080/v1/runs \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{
"scope": {"scopeType":"ORG","scopeId":"'"$TENANT"'"},
"agentId": "11111111-1111-1111-1111-111111111111",
"mode": "enforce",
"goal": "Refactor auth module to use JWT"
}')
RUN_ID=$(echo $RUN | python3 -c "import sys,json; print(json.load(sys.stdin)['runId'])")
echo "Run: $RUN_ID"
# Step 3: Create approval with witness hash (64 hex chars = 32 bytes SHA-256)
WITNESS_HASH="a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4e5f6a1b2"
APPR=$(curl -s -X POST http://localhost:8080/v1/approvals \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{
"runId": "'"$RUN_ID"'",
"stepIndex": 3,
"policyId": "POLICY_ID_FROM_STEP_1",
"ruleId": "00000000-0000-0000-0000-000000000030",
"reasonCode": "WRITE_NEEDS_REVIEW",
"requestedBy": "agent-codegen",
"witness": {"hash": "'"$WITNESS_HASH"'", "resourceId": "file://src/auth/jwt.rs"},
"ttlSeconds": 1800
}')
APPROVAL_ID=$(echo $APPR | python3 -c "import sys,json; print(json.load(sys.stdin)['approval']['approvalId'])")
echo "Approval: $APPROVAL_ID"
# Step 4: Revalidate witness — state UNCHANGED (should return witnessValid: true)
curl -s -X POST "http://localhost:8080/v1/approvals/$APPROVAL_ID/revalidate" \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{"witness":{"hash":"'"$WITNESS_HASH"'","resourceId":"file://src/auth/jwt.rs"}}'
# Response: { "witnessValid": true, "reasonCode": "" }
# Step 5: Revalidate witness — state CHANGED (should return witnessValid: false)
curl -s -X POST "http://localhost:8080/v1/approvals/$APPROVAL_ID/revalidate" \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{"witness":{"hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","resourceId":"file://src/auth/jwt.rs"}}'
# Response: { "witnessValid": false, "reasonCode": "WITNESS_HASH_MISMATCH" }
# Step 6: Open incident for blocked tool
curl -s -X POST http://localhost:8080/v1/incidents \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{
"scope": {"scopeType":"ORG","scopeId":"'"$TENANT"'"},
"severity": "HIGH",
"reasonCode": "SHELL_BLOCKED",
"title": "Agent attempted execute_shell",
"summary": "Agent tried: rm -rf /tmp/build && make deploy",
"runId": "'"$RUN_ID"'"
}'
# Step 7: Acknowledge and manage the incident
INCIDENT_ID="<id-from-step-6>"
curl -s -X POST "http://localhost:8080/v1/incidents/$INCIDENT_ID/acknowledge" \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{"acknowledgedBy":"operator-alice"}'
# Step 8: Complete the run
curl -s -X POST "http://localhost:8080/v1/runs/$RUN_ID/complete" \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{"terminalStatus":"COMPLETED"}'
# Step 9: Enable learner to observe
curl -s -X PUT http://localhost:8080/v1/learner/mode \
-H "x-api-key: $API_KEY" -H "Content-Type: application/json" \
-d '{"scope":{"scopeType":"ORG","scopeId":"'"$TENANT"'"},"mode":"MONITOR"}'
# Step 10: Check everything in metrics
curl -s http://localhost:9090/metrics | grep agentvault_request_count
