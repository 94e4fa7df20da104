"""An agent on boto3; the first argument names the service, the rest are as for every agent."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import boto3
import botocore.exceptions
from telling import Act, tell

service = sys.argv.pop(1)
client = boto3.client(service)


def describe(error: Exception) -> Mapping[str, object]:
    """What a ClientError carries."""
    if not isinstance(error, botocore.exceptions.ClientError):
        return {}
    meta = error.response["ResponseMetadata"]
    return {
        "status": meta["HTTPStatusCode"],
        "headers": meta["HTTPHeaders"],
        "code": error.response["Error"]["Code"],
    }


ROLE = "arn:aws:iam::123456789012:role/deploy"
ACTS: Mapping[str, Mapping[str, Act]] = {
    "s3": {
        "read": lambda tag: client.get_object(Bucket="ledger", Key=tag)["Body"].read(),
        "risky": lambda tag: client.put_object(Bucket="ledger", Key=tag, Body=b"new content"),
        "forbidden": lambda tag: client.delete_object(Bucket="ledger", Key=tag),
    },
    "iam": {
        "read": lambda tag: client.get_user(UserName=tag),
        "risky": lambda tag: client.create_user(UserName=tag),
        "forbidden": lambda tag: client.delete_user(UserName=tag),
    },
    "ec2": {
        "read": lambda tag: client.describe_instances(InstanceIds=[f"i-{tag}"]),
        "risky": lambda tag: client.start_instances(InstanceIds=[f"i-{tag}"]),
        "forbidden": lambda tag: client.terminate_instances(InstanceIds=[f"i-{tag}"]),
    },
    "sts": {
        "read": lambda tag: client.get_caller_identity(),
        "risky": lambda tag: client.assume_role(RoleArn=ROLE, RoleSessionName=tag),
        "forbidden": lambda tag: client.get_federation_token(Name=tag),
    },
}

tell(ACTS[service], describe)
