"""The witnesses of the shipped mappers: each is a read of the very thing that is acted on, and what
counts of it is what the provider answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
import stripe

from gateway.authoring.listing import witnessed_of_mappers
from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.enforce.witness import Looker, witness_exchange
from gateway.model.action import Canonical, Kind, WitnessRead
from gateway.model.aws_signature import AwsKeys
from gateway.model.exchange import Exchange, Principal

STRIPE, GITHUB = "https://api.stripe.com", "https://api.github.com/repos/acme/site"
SLACK = "https://slack.com/api"
S3, EC2 = "https://ledger.s3.eu-west-1.amazonaws.com", "https://ec2.eu-west-1.amazonaws.com/"
IAM, RDS = "https://iam.amazonaws.com/", "https://rds.eu-west-1.amazonaws.com/"
LOOKER = Looker(AwsKeys("AKID", "secret"), datetime(2026, 1, 1, tzinfo=UTC))


def iam(action: str, *values: str) -> tuple[str, str]:
    return f"POST {IAM}", "&".join((f"Action={action}&Version=2010-05-08", *values))


ROLE, POLICY = "RoleName=app", "PolicyArn=arn:aws:iam::aws:policy/X"
USERS_POLICIES = "/?Action=ListAttachedUserPolicies&MaxItems=1000&UserName=bob&Version=2010-05-08"
ROLES_POLICIES = "/?Action=ListAttachedRolePolicies&MaxItems=1000&RoleName=app&Version=2010-05-08"
ROLES_POLICY = "/?Action=GetRolePolicy&PolicyName=p&RoleName=app&Version=2010-05-08"
GET_ROLE = "/?Action=GetRole&RoleName=app&Version=2010-05-08"
INSTANCE = "/?Action=DescribeInstances&InstanceId.1=i-1&Version=2016-11-15"
GROUP = "/?Action=DescribeSecurityGroups&GroupId.1=sg-1&Version=2016-11-15"
HISTORY = "/api/conversations.history?channel=C1&latest=1.5&oldest=1.5&inclusive=true&limit=1"
INFO = "/api/conversations.info?channel=C1"

HELD: dict[tuple[str, str], str] = {
    (f"POST {STRIPE}/v1/refunds", "charge=ch_1&amount=1"): "/v1/charges/ch_1",
    (f"POST {STRIPE}/v1/refunds", "payment_intent=pi_1"): "/v1/payment_intents/pi_1",
    (f"POST {STRIPE}/v1/charges/ch_1/refunds", "amount=1"): "/v1/charges/ch_1",
    (f"POST {STRIPE}/v1/charges/ch_1/refund", "amount=1"): "/v1/charges/ch_1",
    (f"POST {STRIPE}/v1/refunds/re_1/cancel", ""): "/v1/refunds/re_1",
    (f"POST {STRIPE}/v1/charges/ch_1/capture", ""): "/v1/charges/ch_1",
    (f"POST {STRIPE}/v1/payment_intents/pi_1/capture", ""): "/v1/payment_intents/pi_1",
    (f"POST {STRIPE}/v1/payment_intents/pi_1/cancel", ""): "/v1/payment_intents/pi_1",
    (f"POST {STRIPE}/v1/payment_intents/pi_1/confirm", ""): "/v1/payment_intents/pi_1",
    (f"POST {STRIPE}/v1/payouts/po_1/cancel", ""): "/v1/payouts/po_1",
    (f"POST {STRIPE}/v1/payouts/po_1/reverse", ""): "/v1/payouts/po_1",
    (f"POST {STRIPE}/v1/transfers/tr_1/reversals", "amount=1"): "/v1/transfers/tr_1",
    (f"DELETE {STRIPE}/v1/customers/cus_1", ""): "/v1/customers/cus_1",
    (f"POST {STRIPE}/v1/subscriptions/sub_1", "x=1"): "/v1/subscriptions/sub_1",
    (f"DELETE {STRIPE}/v1/subscriptions/sub_1", ""): "/v1/subscriptions/sub_1",
    (f"POST {STRIPE}/v1/subscriptions/sub_1/resume", ""): "/v1/subscriptions/sub_1",
    (f"DELETE {STRIPE}/v1/invoices/in_1", ""): "/v1/invoices/in_1",
    (f"POST {STRIPE}/v1/invoices/in_1/finalize", ""): "/v1/invoices/in_1",
    (f"POST {STRIPE}/v1/invoices/in_1/pay", ""): "/v1/invoices/in_1",
    (f"POST {STRIPE}/v1/invoices/in_1/send", ""): "/v1/invoices/in_1",
    (f"POST {STRIPE}/v1/invoices/in_1/void", ""): "/v1/invoices/in_1",
    (f"DELETE {GITHUB}", ""): "/repos/acme/site",
    (f"PATCH {GITHUB}", '{"private":false}'): "/repos/acme/site",
    (f"POST {GITHUB}/transfer", '{"new_owner":"x"}'): "/repos/acme/site",
    (f"DELETE {GITHUB}/git/refs/heads/a/b", ""): "/repos/acme/site/git/ref/heads/a/b",
    (f"PATCH {GITHUB}/git/refs/heads/main", '{"sha":"1"}'): "/repos/acme/site/git/ref/heads/main",
    (f"POST {GITHUB}/merges", '{"base":"main","head":"c"}'): "/repos/acme/site/branches/main",
    (f"PUT {GITHUB}/branches/main/protection", "{}"): "/repos/acme/site/branches/main/protection",
    (f"DELETE {GITHUB}/branches/a/b/protection", ""): "/repos/acme/site/branches/a/b/protection",
    (f"PUT {GITHUB}/pulls/7/merge", "{}"): "/repos/acme/site/pulls/7",
    (f"POST {GITHUB}/pulls/7/reviews", '{"event":"APPROVE"}'): "/repos/acme/site/pulls/7",
    (f"PATCH {GITHUB}/releases/3", '{"draft":false}'): "/repos/acme/site/releases/3",
    (f"DELETE {GITHUB}/releases/3", ""): "/repos/acme/site/releases/3",
    (f"POST {SLACK}/chat.delete", "channel=C1&ts=1.5"): HISTORY,
    (f"POST {SLACK}/chat.update", "channel=C1&ts=1.5&text=x"): HISTORY,
    (f"POST {SLACK}/conversations.archive", "channel=C1"): INFO,
    (f"POST {SLACK}/conversations.unarchive", "channel=C1"): INFO,
    (f"POST {SLACK}/conversations.rename", '{"channel":"C1","name":"x"}'): INFO,
    (f"POST {SLACK}/conversations.kick", "channel=C1&user=U1"): "/api/users.info?user=U1",
    (f"POST {SLACK}/files.delete", "file=F1"): "/api/files.info?file=F1",
    (f"POST {SLACK}/admin.users.remove", "team_id=T&user_id=U1"): "/api/users.info?user=U1",
    (f"DELETE {S3}/", ""): "/?list-type=2&max-keys=1",
    ("DELETE https://s3.amazonaws.com/ledger", ""): "/ledger?list-type=2&max-keys=1",
    (f"PUT {S3}/?policy", "{}"): "/?policy=",
    (f"DELETE {S3}/?policy", ""): "/?policy=",
    (f"PUT {S3}/?publicAccessBlock", ""): "/?publicAccessBlock=",
    (f"DELETE {S3}/?publicAccessBlock", ""): "/?publicAccessBlock=",
    (f"DELETE {S3}/a/b(1).txt", ""): "/a/b%281%29.txt",
    (f"DELETE {S3}/a?versionId=v.1", ""): "/a?versionId=v.1",
    (f"POST {EC2}", "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1"): INSTANCE,
    (f"POST {EC2}", "Action=StopInstances&Version=2016-11-15&InstanceId.1=i-1"): INSTANCE,
    (f"POST {EC2}", "Action=RebootInstances&Version=2016-11-15&InstanceId.1=i-1"): INSTANCE,
    (f"POST {EC2}", "Action=DeleteVolume&Version=2016-11-15&VolumeId=vol-1"):
        "/?Action=DescribeVolumes&Version=2016-11-15&VolumeId.1=vol-1",
    (f"POST {EC2}", "Action=DeleteSecurityGroup&Version=2016-11-15&GroupId=sg-1"): GROUP,
    (f"POST {EC2}", "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-1"): GROUP,
    (f"POST {EC2}", "Action=RevokeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-1"): GROUP,
    iam("AttachRolePolicy", ROLE, POLICY): ROLES_POLICIES,
    iam("DetachRolePolicy", ROLE, POLICY): ROLES_POLICIES,
    iam("AttachUserPolicy", "UserName=bob", POLICY): USERS_POLICIES,
    iam("DetachUserPolicy", "UserName=bob", POLICY): USERS_POLICIES,
    iam("PutRolePolicy", ROLE, "PolicyName=p&PolicyDocument=x"): ROLES_POLICY,
    iam("DeleteRolePolicy", ROLE, "PolicyName=p"): ROLES_POLICY,
    iam("UpdateAssumeRolePolicy", ROLE, "PolicyDocument=x"): GET_ROLE,
    iam("DeleteRole", ROLE): GET_ROLE,
    iam("DeleteUser", "UserName=bob"): "/?Action=GetUser&UserName=bob&Version=2010-05-08",
    (f"POST {RDS}", "Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=db"):
        "/?Action=DescribeDBInstances&DBInstanceIdentifier=db&Version=2014-10-31",
    (f"POST {RDS}", "Action=DeleteDBCluster&Version=2014-10-31&DBClusterIdentifier=db"):
        "/?Action=DescribeDBClusters&DBClusterIdentifier=db&Version=2014-10-31",
}  # fmt: skip
"""A held request (request line, body), and what is read of its target."""

AWS_SCOPES = {"s3": "eu-west-1", "ec2": "eu-west-1", "rds": "eu-west-1", "iam": "us-east-1"}


@pytest.fixture(scope="module")
def canonicalizer() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


def an_exchange(line: str, body: str) -> Exchange:
    method, url = line.split()
    headers = [("Host", url.split("/")[2]), ("Authorization", _authorization(url))]
    if body:
        kind = "json" if body.startswith("{") else "x-www-form-urlencoded"
        headers.append(("Content-Type", f"application/{kind}"))
    request = build_request(method, url, headers, body.encode())
    return Exchange("req_1", Principal("agent"), request, 0)


def _authorization(url: str) -> str:
    found = re.search(r"\b(s3|ec2|iam|rds)\.", url)
    if "amazonaws.com" not in url or found is None:
        return "Bearer key"
    region = "us-east-1" if "//s3." in url else AWS_SCOPES[found[1]]
    credential = f"Credential=AGENT/20260101/{region}/{found[1]}/aws4_request"
    return f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"


def meaning(canonicalizer: Canonicalizer, exchange: Exchange) -> Canonical:
    canonical = canonicalizer.canonicalize(exchange.request)
    assert canonical.refused is None, canonical.detail
    return canonical


@pytest.mark.parametrize(("held", "target"), HELD.items(), ids=[" ".join(key)[:90] for key in HELD])
def test_what_is_read_is_the_target_and_is_only_read(
    canonicalizer: Canonicalizer, held: tuple[str, str], target: str
) -> None:
    """By our own mappers: a read, of the provider that the act is of."""
    exchange = an_exchange(*held)
    canonical = meaning(canonicalizer, exchange)
    read = witness_exchange(exchange, canonical, "wit_1", LOOKER)
    assert read.request.target.decode() == target
    seen = meaning(canonicalizer, read)
    assert {action.kind for action in seen.actions} == {Kind.READ}
    assert seen.provider == canonical.provider
    assert read.request.authority == exchange.request.authority


def test_every_witness_is_tried(canonicalizer: Canonicalizer) -> None:
    """None is shipped that the table above doesn't hold."""
    tried = {
        action.operation
        for held in HELD
        for action in meaning(canonicalizer, an_exchange(*held)).actions
    }
    shipped = {operation for operation, _, _ in witnessed_of_mappers([mappers_dir()])}
    assert shipped == tried
    assert len({action for _, action, _ in witnessed_of_mappers([mappers_dir()])}) >= 30


# --- what providers answer ------------------------------------------------------------------------


def reads_of(canonicalizer: Canonicalizer, url: str) -> dict[str, WitnessRead]:
    """The witnesses of one provider, by what is read."""
    found = {}
    for held, target in HELD.items():
        if url in held[0]:
            (action,) = meaning(canonicalizer, an_exchange(*held)).actions
            assert action.witness is not None
            found[target] = action.witness
    return found


def steps(shape: Any, names: list[str]) -> bool:
    """Whether a path of element names leads to a text in an answer of this shape."""
    if shape.type_name == "list":
        flat = shape.serialization.get("flattened", False)
        name = shape.member.serialization.get("name", "member")
        if flat:
            return steps(shape.member, names)
        return bool(names) and names[0] == name and steps(shape.member, names[1:])
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            if names and inner.serialization.get("name", member) == names[0]:
                return steps(inner, names[1:])
        return False
    return not names


@pytest.mark.parametrize("service", ["ec2", "iam", "rds", "s3"])
def test_fields_of_aws_are_those_of_its_own_models(
    canonicalizer: Canonicalizer, service: str
) -> None:
    """As botocore reads them; a policy of S3 is JSON, and of an object only headers come."""
    model = botocore.session.get_session().get_service_model(service)
    count = 0
    for target, read in reads_of(canonicalizer, f"{service}.").items():
        if service == "s3":
            if "list-type" not in target:
                continue
            operation, wrapper = "ListObjectsV2", None
        else:
            found = re.search(r"Action=(\w+)", target)
            assert found is not None
            operation = found[1]
            wrapper = model.operation_model(operation).output_shape.serialization.get(
                "resultWrapper"
            )
        shape = model.operation_model(operation).output_shape
        for field in read.fields:
            names = field.split(".")
            if wrapper is not None:
                assert names.pop(0) == wrapper
            assert steps(shape, names), f"{operation}: {field}"
            count += 1
    assert count >= 3


def test_fields_of_stripe_are_those_of_its_own_models(canonicalizer: Canonicalizer) -> None:
    """The first name of each is an attribute that the official SDK knows."""
    classes: dict[str, Any] = {
        "charges": stripe.Charge, "payment_intents": stripe.PaymentIntent,
        "refunds": stripe.Refund, "payouts": stripe.Payout, "transfers": stripe.Transfer,
        "customers": stripe.Customer, "subscriptions": stripe.Subscription,
        "invoices": stripe.Invoice,
    }  # fmt: skip
    for target, read in reads_of(canonicalizer, STRIPE).items():
        known = classes[target.split("/")[2]].__annotations__
        assert {field.split(".")[0] for field in read.fields} <= known.keys(), target


def test_the_table_of_the_readme_is_true() -> None:
    """`mappers/README.md` lists every action that has a witness, and no other."""
    text = (mappers_dir() / "README.md").read_text(encoding="utf-8")
    table = text.partition("| provider | actions that have one |")[2].partition("\n\n")[0]
    listed = {
        (row.split("|")[1].strip(), action)
        for row in table.splitlines()[2:]
        for action in re.findall(r"`(\w+)`", row)
    }
    assert listed == {
        (provider, action) for _, action, provider in witnessed_of_mappers([mappers_dir()])
    }
