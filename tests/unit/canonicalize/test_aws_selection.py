"""Which operation of AWS a request is, and what is never believed."""

from __future__ import annotations

import pytest

from gateway.model.action import Kind
from tests.unit.canonicalize.aws_requests import (
    ACCOUNT,
    BUCKET,
    CBOR,
    CONTROL,
    DELETE_TABLE,
    DYNAMO,
    ELB,
    EMAIL,
    FORM,
    GRANITE,
    IAM,
    JSON,
    LAMBDA,
    MONITORING,
    S3,
    SMITHY,
    presigned,
    read,
    signed,
    target,
)

NAMED = {
    "a target header": (
        ("POST " + DYNAMO + '/ {"TableName":"t"}', DELETE_TABLE, JSON, signed("dynamodb")),
        "dynamodb.DeleteTable",
    ),
    "a target header, unsigned": (
        ("POST " + DYNAMO + '/ {"TableName":"t"}', DELETE_TABLE, JSON),
        "dynamodb.DeleteTable",
    ),
    "an action in a form": (
        ("POST " + IAM + "/ Action=DeleteUser&UserName=u", FORM, signed("iam")),
        "iam.DeleteUser",
    ),
    "an action in a query": (("GET " + IAM + "/?Action=DeleteUser&UserName=u",), "iam.DeleteUser"),
    "a path": (
        ("DELETE " + LAMBDA + "/2015-03-31/functions/f", signed("lambda")),
        "lambda.DeleteFunction",
    ),
    "CBOR": (
        (f"POST {MONITORING}/service/{GRANITE}/operation/DeleteAlarms \xa0", CBOR, SMITHY),
        "cloudwatch.DeleteAlarms",
    ),
    "the same service in JSON": (
        (f"POST {MONITORING}/ {{}}", target(f"{GRANITE}.DeleteAlarms"), JSON),
        "cloudwatch.DeleteAlarms",
    ),
    "and by query": (
        ("POST " + MONITORING + "/ Action=DeleteAlarms&Version=2010-08-01", FORM),
        "cloudwatch.DeleteAlarms",
    ),
    "a queue's own path": (
        (
            "POST https://sqs.eu-west-1.amazonaws.com/123456789012/q Action=PurgeQueue",
            FORM,
            signed("sqs"),
        ),
        "sqs.PurgeQueue",
    ),
    "the older generation of load balancers": (
        (
            f"POST {ELB}/ Action=DeleteLoadBalancer&Version=2012-06-01&LoadBalancerName=x",
            FORM,
        ),
        "elb.DeleteLoadBalancer",
    ),
    "the newer generation": (
        (
            f"POST {ELB}/ Action=DeleteLoadBalancer&Version=2015-12-01&LoadBalancerArn=x",
            FORM,
        ),
        "elbv2.DeleteLoadBalancer",
    ),
    "one host of three services, by path": (
        ("DELETE https://email.eu-west-1.amazonaws.com/v2/email/identities/x", signed("ses")),
        "sesv2.DeleteEmailIdentity",
    ),
    "the same host, by action": (
        (
            f"POST {EMAIL}/ Action=DeleteIdentity&Version=2010-12-01&Identity=x",
            FORM,
            signed("ses"),
        ),
        "ses.DeleteIdentity",
    ),
    "an asymmetric signature": (
        ("PUT " + BUCKET + "/k x", signed("s3", "AWS4-ECDSA-P256-SHA256", region="")),
        "s3.PutObject",
    ),
    "a private endpoint": (
        (
            "POST https://vpce-1-2.dynamodb.us-east-1.vpce.amazonaws.com/ {}",
            DELETE_TABLE,
            JSON,
            signed("dynamodb"),
        ),
        "dynamodb.DeleteTable",
    ),
    "LocalStack": (
        (
            "POST https://localhost.localstack.cloud:4566/ {}",
            DELETE_TABLE,
            JSON,
            signed("dynamodb"),
        ),
        "dynamodb.DeleteTable",
    ),
    "a bucket of LocalStack": (
        ("DELETE https://b.s3.localhost.localstack.cloud:4566/k", signed("s3")),
        "s3.DeleteObject",
    ),
    "a presigned read of identity": (
        (
            "GET https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&"
            + presigned("sts"),
        ),
        "sts.GetCallerIdentity",
    ),
    "a presigned upload": (("PUT " + BUCKET + "/k?" + presigned("s3") + " x",), "s3.PutObject"),
    "a presigned copy": (
        ("PUT " + BUCKET + "/k?X-Amz-Copy-Source=other%2Fk&" + presigned("s3"),),
        "s3.CopyObject",
    ),
    "an aborted upload": (("DELETE " + S3 + "/b/k?uploadId=1",), "s3.AbortMultipartUpload"),
    "an object": (("DELETE " + S3 + "/b/k",), "s3.DeleteObject"),
    "an encoded slash in a key": (("DELETE " + S3 + "/b/a%2Fk",), "s3.DeleteObject"),
    "a bucket": (("DELETE " + S3 + "/b",), "s3.DeleteBucket"),
    "a listing of configurations": (
        ("GET " + BUCKET + "/?inventory",),
        "s3.ListBucketInventoryConfigurations",
    ),
    "one configuration": (
        ("GET " + BUCKET + "/?inventory&id=x",),
        "s3.GetBucketInventoryConfiguration",
    ),
    "a part that is copied": (
        ("PUT " + BUCKET + "/k?partNumber=1&uploadId=u", "x-amz-copy-source: o/k"),
        "s3.UploadPartCopy",
    ),
    "an upload by a browser's form": (
        ("POST " + BUCKET + "/ x", "content-type: multipart/form-data; boundary=x"),
        "s3.PutObject",
    ),
    "S3's control": (
        (
            f"DELETE {CONTROL}/v20180820/accesspoint/a",
            ACCOUNT,
            signed("s3"),
        ),
        "s3control.DeleteAccessPoint",
    ),
    "buckets of one zone": (
        ("GET https://s3express-control.us-east-1.amazonaws.com/", signed("s3express")),
        "s3.ListDirectoryBuckets",
    ),
    "an answer of object lambda": (
        (
            "POST https://r.s3-object-lambda.eu-west-1.amazonaws.com/WriteGetObjectResponse x",
            signed("s3-object-lambda"),
        ),
        "s3.WriteGetObjectResponse",
    ),
    "an operation that the catalog doesn't have": (
        ("POST " + IAM + "/ Action=NewThing&Version=2010-05-08", FORM),
        "iam.NewThing",
    ),
}


@pytest.mark.parametrize(("sent", "operation"), NAMED.values(), ids=NAMED)
def test_named(sent: tuple[str, ...], operation: str) -> None:
    """Protocols, hosts and signatures all lead to botocore's name."""
    canonical = read(*sent)

    assert canonical.refused is None, canonical.detail
    assert {action.operation for action in canonical.actions} == {operation}


UNKNOWN = {
    "a signature for another service": (
        "POST " + IAM + "/ Action=ListUsers",
        FORM,
        signed("s3"),
    ),
    "a presigned query for another service": ("GET " + BUCKET + "/k?" + presigned("sqs"),),
    "two signatures that differ": ("GET " + BUCKET + "/k?" + presigned("sqs"), signed("s3")),
    "a scope that is none": ("GET " + BUCKET + "/k", signed("s3/x")),
    "two credentials in one header": (
        "GET " + BUCKET + "/k",
        signed("s3") + ", Credential=AKID/20260101/eu-west-1/s3/aws4_request",
    ),
    "a target of another service": (
        "POST " + DYNAMO + "/ {}",
        target("AmazonSQS.ListQueues"),
        JSON,
    ),
    "a target without its service": ("POST " + DYNAMO + "/ {}", target("ListTables"), JSON),
    "a target by GET": ("GET " + DYNAMO + "/", target("DynamoDB_20120810.ListTables")),
    "a target beside a path": (
        "POST " + DYNAMO + "/x {}",
        target("DynamoDB_20120810.ListTables"),
        JSON,
    ),
    "a target where paths are spoken": (
        "GET " + LAMBDA + "/2015-03-31/functions",
        target("AWSLambda.ListFunctions"),
    ),
    "CBOR of another service": (
        f"POST {MONITORING}/service/Other/operation/ListMetrics",
        SMITHY,
    ),
    "CBOR without its header": (f"POST {MONITORING}/service/{GRANITE}/operation/ListMetrics",),
    "another protocol of Smithy": (
        f"POST {MONITORING}/service/{GRANITE}/operation/ListMetrics",
        "smithy-protocol: rpc-v2-json",
    ),
    "a version of neither generation": (
        f"POST {ELB}/ Action=DescribeLoadBalancers&Version=2000-01-01",
        FORM,
    ),
    "an action beside a path": ("POST " + IAM + "/x Action=ListUsers", FORM),
    "a body that is no form": ("POST " + IAM + "/ Action=ListUsers", "content-type: text/plain"),
    "a sub-resource that nobody knows": ("GET " + BUCKET + "/k?surprise",),
    "a sub-resource in another case": ("GET " + BUCKET + "/k?ACL",),
    "a bucket in China by another's signature": (
        "GET https://b.s3.cn-north-1.amazonaws.com.cn/k",
        signed("sts"),
    ),
    "a website": ("GET https://b.s3-website-eu-west-1.amazonaws.com/",),
    "a customer's own API": (
        "GET https://abc.execute-api.eu-west-1.amazonaws.com/prod/x",
        signed("execute-api"),
    ),
    "a function's own URL": ("GET https://abc.lambda-url.eu-west-1.on.aws/",),
    "a cluster of Kubernetes": ("GET https://abc.gr7.eu-west-1.eks.amazonaws.com/api",),
    "LocalStack without a signature": (
        "POST https://localhost.localstack.cloud:4566/ {}",
        target("DynamoDB_20120810.ListTables"),
        JSON,
    ),
    "a control path that may be a bucket": (
        "GET https://localhost.localstack.cloud:4566/v20180820/accesspoint/a",
        signed("s3"),
    ),
    "a service that nobody knows": ("GET https://newthing.eu-west-1.amazonaws.com/",),
}


@pytest.mark.parametrize("sent", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown(sent: tuple[str, ...]) -> None:
    """What host, signature and request don't agree on is unknown, and never a read."""
    canonical = read(*sent)

    assert canonical.refused is None, canonical.detail
    (action,) = canonical.actions
    assert (action.kind, action.provider) == (Kind.UNKNOWN, "aws")
