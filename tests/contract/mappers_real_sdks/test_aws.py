"""botocore's own serialisers, driven without a network, against the shipped AWS mapper."""

from __future__ import annotations

import functools
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from gateway.canonicalize.operation import Operation
from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, operations_of

DEPTH_MAX = 4


class Stop(Exception):
    """The request is kept; nothing is to be sent."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__("stopped before sending")
        self.request = request


def stop(request: Any, **_: Any) -> AWSResponse:
    """An event handler that keeps the signed request."""
    raise Stop(as_request(request.method, request.url, request.headers.items(), _body(request)))


def _body(request: Any) -> object:
    body = request.body
    return body.read() if hasattr(body, "read") else body


@functools.cache
def client(service: str, style: str = "auto") -> Any:
    """A client with made-up credentials; `style` is S3's addressing."""
    session = botocore.session.get_session()
    session.set_credentials("AKIDEXAMPLE", "none")
    made = session.create_client(
        service,
        region_name="eu-west-1",
        config=Config(
            parameter_validation=False,
            s3={"addressing_style": style},
            request_checksum_calculation="when_required",
            retries={"total_max_attempts": 1},
        ),
    )
    made.meta.events.register_first("before-send", stop)
    return made


def example(shape: Any, name: str, depth: int = 0) -> Any:
    """A value of a shape, with required members only."""
    match shape.type_name:
        case "structure":
            wanted = shape.required_members if depth else shape.members
            if depth >= DEPTH_MAX:
                return {}
            return {
                member: example(shape.members[member], member, depth + 1)
                for member in wanted
                if member in shape.required_members
            }
        case "list":
            return [example(shape.member, name, depth + 1)]
        case "map":
            return {}
        case "integer" | "long":
            return 1
        case "boolean":
            return True
        case "timestamp":
            return 0
        case "blob":
            return b"x"
        case "double" | "float":
            return 1.5
        case _:
            return (shape.enum or [f"{name.lower()}-1"])[0]


def call(operation: str, style: str = "auto", **more: Any) -> HttpRequest:
    """Serialise and sign one operation as botocore does."""
    service, _, name = operation.partition(".")
    made = client(service, style)
    model = made.meta.service_model.operation_model(name)
    arguments = example(model.input_shape, "") if model.input_shape else {}
    method = next(key for key, value in made.meta.method_to_api_mapping.items() if value == name)
    try:
        getattr(made, method)(**{**arguments, **more})
    except Stop as stopped:
        return stopped.request
    raise AssertionError("botocore sent nothing")


ENTRIES = operations_of("aws")
S3 = [entry for entry in ENTRIES if entry.operation.startswith("s3.")]
SAME_BYTES = {
    "GetBucketLifecycle": "s3.GetBucketLifecycleConfiguration",
    "GetBucketNotification": "s3.GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "s3.PutBucketLifecycleConfiguration",
    "PutBucketNotification": "s3.PutBucketNotificationConfiguration",
}
"""Deprecated operations that send what their successor sends."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.operation)
def test_each_call_has_its_own_name(entry: Operation) -> None:
    """Every mapped operation, serialised by botocore, is recognised exactly."""
    canonical = canonicalizer().canonicalize(call(entry.operation))

    assert canonical.refused is None, canonical.detail
    assert {action.operation for action in canonical.actions} == {entry.operation}
    assert {action.kind for action in canonical.actions} == {entry.kind}


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("entry", S3, ids=lambda entry: entry.operation)
def test_s3_in_both_host_styles(entry: Operation, style: str) -> None:
    """Bucket in the host or in the path: the same operation and the same target."""
    canonical = canonicalizer().canonicalize(call(entry.operation, style))

    assert {action.operation for action in canonical.actions} == {entry.operation}
    if entry.target.id is not None:
        assert canonical.actions[0].target.id.startswith("bucket-1")


@pytest.mark.parametrize("service", ["s3", "ec2", "iam", "sts"])
def test_no_write_of_a_whole_service_is_called_a_read(service: str) -> None:
    """All operations of the services, mapped or not: only names that read are reads."""
    made = client(service)
    wrong, called = [], 0
    for name in made.meta.service_model.operation_names:
        try:
            request = call(f"{service}.{name}")
        except Stop:
            raise
        except Exception:
            continue  # an input that this driver doesn't invent (event streams, express buckets)
        called += 1
        for action in canonicalizer().canonicalize(request).actions:
            if action.kind is Kind.READ and not name.startswith(
                ("Get", "List", "Describe", "Head", "Select", "Decode")
            ):
                wrong.append(name)
            if action.operation not in ("unknown", f"{service}.{name}", SAME_BYTES.get(name)):
                wrong.append(f"{name} is called {action.operation}")

    assert called > len(made.meta.service_model.operation_names) * 0.9
    assert wrong == []


def test_minted_credentials_are_marked_and_never_a_read() -> None:
    """Operations whose answer carries credentials are `admin` and `sensitive`."""
    minting = {
        "iam.CreateAccessKey", "sts.AssumeRole", "sts.GetSessionToken", "sts.GetFederationToken",
        "ec2.CreateKeyPair", "ec2.GetPasswordData", "sts.AssumeRoleWithWebIdentity",
    }  # fmt: skip
    found = {entry.operation for entry in ENTRIES if entry.sensitive == "credentials"}

    assert minting <= found
    assert all(entry.kind is Kind.ADMIN for entry in ENTRIES if entry.sensitive)


PRESIGNED = {
    "a download": ("get_object", {"Bucket": "b", "Key": "k"}, "s3.GetObject"),
    "an upload": ("put_object", {"Bucket": "b", "Key": "k"}, "s3.PutObject"),
    "a deletion": ("delete_object", {"Bucket": "b", "Key": "k"}, "s3.DeleteObject"),
    "an aborted upload": (
        "abort_multipart_upload",
        {"Bucket": "b", "Key": "k", "UploadId": "u"},
        "s3.AbortMultipartUpload",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "arguments", "expected"), PRESIGNED.values(), ids=PRESIGNED)
def test_presigned_urls(method: str, arguments: dict[str, str], expected: str) -> None:
    """A presigned URL is its operation, whoever sends it."""
    made = client("s3")
    name = made.meta.method_to_api_mapping[method]
    verb = made.meta.service_model.operation_model(name).http["method"]
    url = made.generate_presigned_url(method, arguments)

    (action,) = canonicalizer().canonicalize(as_request(verb, url, {}, None)).actions

    assert (action.operation, action.target.id) == (expected, "b/k")


def test_every_instance_is_an_action_of_its_own() -> None:
    """Terminating three instances is three actions, each with its target."""
    request = call("ec2.TerminateInstances", InstanceIds=["i-1", "i-2", "i-3"])

    actions = canonicalizer().canonicalize(request).actions

    assert [action.target.id for action in actions] == ["i-1", "i-2", "i-3"]
    assert {action.action for action in actions} == {"terminate_instance"}


def test_every_deleted_object_is_an_action_of_its_own() -> None:
    """A bulk deletion in XML names each key as a target."""
    request = call(
        "s3.DeleteObjects", Bucket="b", Delete={"Objects": [{"Key": "a&b"}, {"Key": "c"}]}
    )

    actions = canonicalizer().canonicalize(request).actions

    assert [action.target.id for action in actions] == ["a&b", "c"]
    assert not actions[0].reversible
