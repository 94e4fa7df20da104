"""Which part of AWS a host is, in every partition and style."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.canonicalize.selectors.aws_hosts import (
    SUFFIXES,
    AwsHost,
    Style,
    read_bucket_host,
    read_host,
)
from gateway.content import mappers_dir

BUCKETS = Style.BUCKETS

HOSTS = {
    "a regional service": ("monitoring.eu-west-1.amazonaws.com", AwsHost("monitoring")),
    "a global service": ("iam.amazonaws.com", AwsHost("iam")),
    "FIPS": ("kms-fips.us-east-1.amazonaws.com", AwsHost("kms")),
    "FIPS in front": ("fips.batch.us-east-1.amazonaws.com", AwsHost("batch")),
    "dual stack": ("lambda.eu-west-1.api.aws", AwsHost("lambda")),
    "China": ("ec2.cn-north-1.amazonaws.com.cn", AwsHost("ec2")),
    "China, dual stack": (
        "ec2.cn-north-1.api.amazonwebservices.com.cn",
        AwsHost("ec2"),
    ),
    "government": ("iam.us-gov.amazonaws.com", AwsHost("iam")),
    "a secret region": ("sqs.us-iso-east-1.c2s.ic.gov", AwsHost("sqs")),
    "sovereign Europe": ("sts.eusc-de-east-1.amazonaws.eu", AwsHost("sts")),
    "a prefix of the operation": ("data.iot.eu-west-1.amazonaws.com", AwsHost("data.iot")),
    "the region in front": ("eu-west-1.queue.amazonaws.com", AwsHost("queue")),
    "a private endpoint": (
        "vpce-0a1b-2c3d.sns.us-east-1.vpce.amazonaws.com",
        AwsHost("sns"),
    ),
    "a private endpoint of one zone": (
        "vpce-0a1b-2c3d-us-east-1a.api.ecr.us-east-1.vpce.amazonaws.com",
        AwsHost("api.ecr"),
    ),
    "a label before a private endpoint": (
        "x.vpce-0a1b-2c3d.sns.us-east-1.vpce.amazonaws.com",
        AwsHost(""),
    ),
    "a customer's API": ("abc.execute-api.eu-west-1.amazonaws.com", AwsHost("abc.execute-api")),
    "a function's URL": ("abc.lambda-url.eu-west-1.on.aws", AwsHost("abc.lambda-url")),
    "a cluster of EKS": ("abc.gr7.eu-west-1.eks.amazonaws.com", AwsHost("abc.gr7.eks")),
    "not AWS": ("s3.amazonaws.com.evil.test", None),
    "nearly AWS": ("notamazonaws.com", None),
    "S3": ("s3.eu-west-1.amazonaws.com", AwsHost("", BUCKETS)),
    "S3, old and global": ("s3.amazonaws.com", AwsHost("", BUCKETS)),
    "S3, old and regional": ("s3-eu-west-1.amazonaws.com", AwsHost("", BUCKETS)),
    "S3 in government, FIPS": ("s3-fips.us-gov-west-1.amazonaws.com", AwsHost("", BUCKETS)),
    "S3 in China": ("b.s3.cn-north-1.amazonaws.com.cn", AwsHost("", BUCKETS, "b")),
    "a bucket": ("b.s3.eu-west-1.amazonaws.com", AwsHost("", BUCKETS, "b")),
    "a bucket with dots": ("a.b.s3.amazonaws.com", AwsHost("", BUCKETS, "a.b")),
    "a bucket called s3": ("s3.s3.eu-west-1.amazonaws.com", AwsHost("", BUCKETS, "s3")),
    "a bucket, dual stack": ("b.s3.dualstack.eu-west-1.amazonaws.com", AwsHost("", BUCKETS, "b")),
    "accelerated": ("b.s3-accelerate.amazonaws.com", AwsHost("", BUCKETS, "b")),
    "accelerated, dual stack": (
        "b.s3-accelerate.dualstack.amazonaws.com",
        AwsHost("", BUCKETS, "b"),
    ),
    "accelerated without a bucket": ("s3-accelerate.amazonaws.com", AwsHost("s3-accelerate")),
    "an access point": (
        "ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com",
        AwsHost("", BUCKETS, "ap-123456789012"),
    ),
    "an access point of many regions": (
        "mfzwi23gnjvgw.accesspoint.s3-global.amazonaws.com",
        AwsHost("", BUCKETS, "mfzwi23gnjvgw"),
    ),
    "object lambda": (
        "ap-123456789012.s3-object-lambda.eu-west-1.amazonaws.com",
        AwsHost("", Style.OBJECT_LAMBDA, "ap-123456789012"),
    ),
    "outposts": (
        "ap-123456789012.op-0a1b.s3-outposts.eu-west-1.amazonaws.com",
        AwsHost("", BUCKETS, "ap-123456789012"),
    ),
    "the control of outposts": (
        "s3-outposts.eu-west-1.amazonaws.com",
        AwsHost("", Style.OUTPOSTS_CONTROL),
    ),
    "express": (
        "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
        AwsHost("", BUCKETS, "b--use1-az4--x-s3"),
    ),
    "the control of express": (
        "s3express-control.us-east-1.amazonaws.com",
        AwsHost("", Style.EXPRESS_CONTROL),
    ),
    "the control of an account": (
        "123456789012.s3-control.eu-west-1.amazonaws.com",
        AwsHost("", Style.CONTROL),
    ),
    "a website is no API": (
        "b.s3-website-eu-west-1.amazonaws.com",
        AwsHost("b.s3-website-eu-west-1"),
    ),
    "S3 on a private endpoint": (
        "bucket.vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com",
        AwsHost("", BUCKETS),
    ),
    "a bucket on a private endpoint": (
        "b.bucket.vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com",
        AwsHost("", BUCKETS, "b"),
    ),
    "control on a private endpoint": (
        "123456789012.control.vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com",
        AwsHost("", Style.CONTROL),
    ),
    "S3 on a private endpoint without its word": (
        "vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com",
        AwsHost(""),
    ),
}


@pytest.mark.parametrize(("host", "expected"), HOSTS.values(), ids=HOSTS)
def test_hosts(host: str, expected: AwsHost | None) -> None:
    """A host gives the key of its services, or the style of S3 and a bucket."""
    assert read_host(host) == expected


LOCAL = {
    "path style": ("localhost.localstack.cloud", ""),
    "path style of S3": ("s3.localhost.localstack.cloud", ""),
    "a bucket": ("b.s3.localhost.localstack.cloud", "b"),
    "a bucket of a region": ("b.s3.eu-west-1.localhost.localstack.cloud", "b"),
    "another service": ("sqs.eu-west-1.localhost.localstack.cloud", ""),
    "a private S3": ("b.s3.corp.test", ""),
}


@pytest.mark.parametrize(("host", "bucket"), LOCAL.values(), ids=LOCAL)
def test_only_localstack_has_buckets_in_hosts(host: str, bucket: str) -> None:
    """Elsewhere nobody can tell whether the first label is a bucket, so the path names it."""
    assert read_bucket_host(host) == bucket


def test_the_mapper_is_at_every_domain() -> None:
    """What the selector understands is what the shipped mapper asks for."""
    text = Path(mappers_dir() / "aws.yaml").read_text()
    hosts = yaml.safe_load(text)["spec"]["hosts"]
    domains = {host.removeprefix("*.") for host in hosts if "localstack" not in host}

    assert domains == set(SUFFIXES)
