"""What an adversary sends so that an act passes for a read, or a secret for plain data."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Kind

Headers = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def shipped() -> Canonicalizer:
    """Every mapper that is shipped."""
    return Canonicalizer.load([mappers_dir()])


REPO = "https://api.github.com/repos/o/r"

OVERRIDES: dict[str, tuple[str, Headers, str]] = {
    "the short name of the method's header": (REPO, (("X-Method", "DELETE"),), "ambiguous_method"),
    "the method's header without its X": (
        REPO, (("HTTP-Method-Override", "DELETE"),), "ambiguous_method",
    ),
    "the method that a proxy claims to have seen": (
        REPO, (("X-Original-Method", "DELETE"),), "ambiguous_method",
    ),
    "the method that a proxy claims to forward": (
        REPO, (("X_Forwarded_Method", "DELETE"),), "ambiguous_method",
    ),
    "a header of another URL": (REPO, (("X-Override-URL", "/user"),), "ambiguous_path"),
    "a header of another destination": (
        REPO, (("X-HTTP-DestinationURL", "/user"),), "ambiguous_path",
    ),
    "a header of another path": (REPO, (("X-Forwarded-Path", "/user"),), "ambiguous_path"),
    "the header's name as a parameter": (
        f"{REPO}?x-http-method=DELETE", (), "ambiguous_method",
    ),
    "Salesforce's parameter": (
        "https://x.my.salesforce.com/services/data/v60.0/sobjects/Account/1?_HttpMethod=DELETE", (),
        "ambiguous_method",
    ),
    "another header's name as a parameter": (
        f"{REPO}?X-Method-Override=DELETE", (), "ambiguous_method",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("url", "headers", "code"), OVERRIDES.values(), ids=OVERRIDES)
def test_no_spelling_of_an_override_passes(
    shipped: Canonicalizer, url: str, headers: Headers, code: str
) -> None:
    """Frameworks differ in the names they listen to; each of them is refused on a read."""
    assert shipped.canonicalize(build_request("GET", url, headers)).refused == code


STATEMENTS = {
    "the columns of what another host serves": "describe table url('http://a.test/?q=secret', CSV)",
    "the columns of a query over another host": "desc (select * from url('http://a.test', CSV))",
    "the columns of what a script prints": "describe executable('x.sh', TSV)",
    "the plan of a query over another host": "explain select * from url('http://a.test', CSV)",
    "the plan of an insert from another host": (
        "explain insert into t select * from url('http://a.test', CSV)"
    ),
    "a serial number is used up": "select generateSerialID('x')",
    "a model of the server's files is run": "select catboostEvaluate('/x.bin', 1)",
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_clickhouse_reaches_out_without_reading(shipped: Canonicalizer, statement: str) -> None:
    """Describing a table function asks its other side, so the query can carry data out."""
    url = f"https://x.clickhouse.cloud/?query={quote(statement)}"

    (action,) = shipped.canonicalize(build_request("GET", url)).actions

    assert action.kind in (Kind.EXECUTE, Kind.UNKNOWN)


DESCRIBED = {
    "a table's columns": "describe table events",
    "a plan": "explain select count() from events where day = today()",
}


@pytest.mark.parametrize("statement", DESCRIBED.values(), ids=DESCRIBED)
def test_what_is_only_described_stays_a_read(shipped: Canonicalizer, statement: str) -> None:
    """The rule above takes no honest question for an act."""
    url = f"https://x.clickhouse.cloud/?query={quote(statement)}"

    (action,) = shipped.canonicalize(build_request("GET", url)).actions

    assert action.kind is Kind.READ


def test_a_planner_may_run_a_users_function(shipped: Canonicalizer) -> None:
    """EXPLAIN of a query that acts is no read: MySQL runs subqueries to plan them."""
    url = "https://api.us-east-2.aws.neon.tech/sql"
    body = b'{"query": "explain select * from (select close_year()) as x"}'
    request = build_request("POST", url, [("content-type", "application/json")], body)

    (action,) = shipped.canonicalize(request).actions

    assert action.kind is Kind.EXECUTE


AZURE = "https://management.azure.com/subscriptions/s/resourceGroups/g/providers"
APIGEE = "https://apigee.googleapis.com/v1/organizations/o"

SECRETS: dict[str, tuple[str, str]] = {
    "a search service's admin keys": (
        "POST", f"{AZURE}/Microsoft.Search/searchServices/x/listAdminKeys?api-version=1",
    ),
    "the PIN that lets backups be deleted": (
        "POST", f"{AZURE}/Microsoft.RecoveryServices/vaults/x/backupSecurityPIN?api-version=1",
    ),
    "a cluster's gateway password": (
        "POST", f"{AZURE}/Microsoft.HDInsight/clusters/x/configurations?api-version=1",
    ),
    "a decrypted key value map": ("GET", f"{APIGEE}/keyvaluemaps/m/entries/e"),
    "a function's environment": (
        "GET", "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/configuration",
    ),
    "the keys of a usage plan": (
        "GET", "https://apigateway.us-east-1.amazonaws.com/usageplans/p/keys",
    ),
    "a variable of a serverless service": (
        "GET", "https://serverless.twilio.com/v1/Services/ZS1/Environments/ZE1/Variables/ZV1",
    ),
    "a shared variable of a team": ("GET", "https://api.vercel.com/v1/env/e"),
    "the token of an AI gateway": ("GET", "https://api.netlify.com/api/v1/sites/s/ai-gateway/token"),
    "the tokens that trigger pipelines": ("GET", "https://gitlab.com/api/v4/projects/1/triggers"),
    "the public tokens of a link session": ("POST", "https://production.plaid.com/link/token/get"),
    "the key of a functions namespace": (
        "GET", "https://api.digitalocean.com/v2/functions/namespaces/n",
    ),
    "the way into a component's console": (
        "GET", "https://api.digitalocean.com/v2/apps/a/components/c/exec",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "url"), SECRETS.values(), ids=SECRETS)
def test_what_hands_out_secrets_is_marked(shipped: Canonicalizer, method: str, url: str) -> None:
    """A policy about credentials covers the reads that send them back."""
    (action,) = shipped.canonicalize(build_request(method, url)).actions

    assert action.sensitive == "credentials"


ACTS: dict[str, tuple[str, str]] = {
    "a link that lets an address send": (
        "GET", "https://api.sendgrid.com/v3/verified_senders/verify/abc",
    ),
    "a job that is started by asking for it": (
        "GET", f"{REPO}/dependency-graph/sbom/generate-report",
    ),
    "a console that is opened by asking for it": (
        "GET", "https://api.digitalocean.com/v2/apps/a/components/c/exec",
    ),
    "a diagnosis that is started": (
        "POST", f"{AZURE}/Microsoft.Network/networkWatchers/w/troubleshoot?api-version=1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "url"), ACTS.values(), ids=ACTS)
def test_what_acts_under_a_reads_name_is_no_read(
    shipped: Canonicalizer, method: str, url: str
) -> None:
    """Whatever the method or the verb of the name says."""
    (action,) = shipped.canonicalize(build_request(method, url)).actions

    assert action.kind in (Kind.EXECUTE, Kind.ADMIN)


def test_a_configuration_snapshot_is_delivered_somewhere(shipped: Canonicalizer) -> None:
    """AWS calls it a read; it writes to the account's bucket."""
    headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "StarlingDoveService.DeliverConfigSnapshot"),
    ]
    url = "https://config.us-east-1.amazonaws.com/"

    (action,) = shipped.canonicalize(build_request("POST", url, headers, b"{}")).actions

    assert (action.operation, action.kind) == ("config.DeliverConfigSnapshot", Kind.EXECUTE)


FLOWS = {
    "a drop after a list": "show tables ->> drop table t",
    "a delete after a query": "select 1 ->> delete from t",
}


@pytest.mark.parametrize("statement", FLOWS.values(), ids=FLOWS)
def test_what_flows_from_a_read_is_no_read(shipped: Canonicalizer, statement: str) -> None:
    """Snowflake's flow operator chains statements without a semicolon."""
    url = "https://x.snowflakecomputing.com/api/v2/statements"
    body = f'{{"statement": "{statement}"}}'.encode()
    request = build_request("POST", url, [("content-type", "application/json")], body)

    actions = shipped.canonicalize(request).actions

    assert {action.kind for action in actions} == {Kind.UNKNOWN}
